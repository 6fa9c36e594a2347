//! Everything that can go wrong, in every kind of migration: a sample in each run of the tests, all
//! of it with `--include-ignored`.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used)]

use bootswap_migration::content::classify;
use bootswap_migration::{OwnedArtifact, OwnedMigration, OwnedStaging};
use bootswap_plan::Role;
use bootswap_sim::Until;
use bootswap_sim::example;
use bootswap_sim::sweep::report::PowerCutsReport;
use bootswap_sim::sweep::{Amount, Pool, PowerCuts, SweepOutcome, Sweeps, sweep};
use bootswap_sim::{Run, Scenario, Settings};
use device_sim::synthetic;
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};

/// Cases of each sweep in a run of the tests.
const SAMPLE: Amount = Amount::Some(15);
/// Faults of the flash in a long run, of some 18,000 that there are in each migration.
const MANY: Amount = Amount::Some(4000);
/// The kind whose artifacts travel in the migrator's own image.
const EMBEDDED: &str = "embedded";
/// Body bytes that may come twice because of a cut: those since the last checkpoint, and what one
/// sector loses.
const AGAIN_BYTES: u64 = 8192 + 4096;
/// Operations that may be repeated because of a cut: the erase of a sector and its pages, and a
/// note of each attempt.
const AGAIN_OPS: u64 = 1 + 16 + 3;

/// Erases of one sector in a migration that nothing interrupts.
const MOST_ERASES: u32 = 2;

/// A kind of migration.
struct Kind {
    name: String,
    migration: OwnedMigration,
    settings: Settings,
    /// Body bytes that may come again besides, because nothing in flash keeps them.
    forgotten_bytes: u64,
}

impl Kind {
    fn new(name: impl Into<String>, migration: OwnedMigration) -> Self {
        Self {
            name: name.into(),
            migration,
            settings: Settings::new(Until::Boot),
            forgotten_bytes: 0,
        }
    }

    /// Makes the sweeps, checks what has to hold for every migration, and says what does not.
    fn check(&self, sweeps: Sweeps) -> Result<(Run, PowerCutsReport), String> {
        let Self { name, migration, settings, forgotten_bytes } = self;
        let scenario = Scenario::synthetic(migration).unwrap();
        let (run, outcomes) = sweep(migration, &scenario, *settings, &sweeps).unwrap();
        let SweepOutcome { power_cuts: Some(cuts), flash_faults, network_faults } = outcomes else {
            return Err(format!("{name}: {}\n", run.outcome));
        };
        eprintln!(
            "{name}: {} operations, {} cases, {} in the window, {} bytes and {} operations again",
            cuts.operations,
            cuts.cases,
            cuts.in_commit_window,
            cuts.downloaded_again_bytes.most,
            cuts.operations_again.most,
        );
        let faults = [&flash_faults, &network_faults].into_iter().flatten();
        let failures = faults.flat_map(|report| &report.failures).chain(&cuts.failures).take(20);
        let mut wrong: String = failures
            .map(|failure| format!("{name}: {}: {}\n", failure.case, failure.detail))
            .collect();
        for (what, worst, limit) in [
            ("downloads", &cuts.downloaded_again_bytes, AGAIN_BYTES + forgotten_bytes),
            ("repeats operations", &cuts.operations_again, AGAIN_OPS),
        ] {
            if worst.most > limit {
                wrong += &format!("{name}: {what} too much: {worst:?}\n");
            }
        }
        let worn = run.most_erases_of_a_sector();
        if worn > MOST_ERASES {
            wrong += &format!("{name}: a sector was erased {worn} times\n");
        }
        if wrong.is_empty() { Ok((run, cuts)) } else { Err(wrong) }
    }
}

fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

/// The example with another swap, from another partition.
fn from(swap: SwapKind, running: &str) -> OwnedMigration {
    let mut migration = example(Chip::Esp32c3).unwrap();
    migration.running = Some(running.to_owned());
    let map = migration.mcuboot.as_mut().unwrap();
    map.swap = swap;
    if swap != SwapKind::Scratch {
        map.scratch = None;
    }
    resign(&mut migration, Padding::Confirmed);
    migration
}

/// Signs the example's application anew, for the map and with the padding given.
fn resign(migration: &mut OwnedMigration, padding: Padding) {
    let map = migration.mcuboot.as_ref().unwrap();
    let options = SignOptions {
        padding,
        trailer: map.lend().trailer_config(),
        ..SignOptions::espressif(map.primary.len_bytes(), map.swap)
    };
    let bytes = sign(&synthetic::target_payload(migration.chip, 149_824, 1), &options).unwrap();
    let content = classify(&bytes, Role::Application, Some(map)).unwrap();
    let app = migration.artifacts.iter_mut().find(|a| a.role == Role::Application).unwrap();
    (app.bytes, app.content) = (Some(bytes), Some(content));
}

/// Every kind of migration.
fn kinds() -> Vec<Kind> {
    let mut kinds = Vec::new();
    for chip in Chip::ALL {
        kinds.push(Kind::new(format!("example on {chip}"), example(chip).unwrap()));
    }
    for swap in SwapKind::ALL {
        for running in ["factory", "ota_0", "ota_1"] {
            if (swap, running) != (SwapKind::Scratch, "factory") {
                kinds.push(Kind::new(format!("{swap} from {running}"), from(swap, running)));
            }
        }
    }
    let unpadded = |chip| {
        let mut migration = example(chip).unwrap();
        resign(&mut migration, Padding::None);
        migration.artifacts[0].confirm = true;
        migration
    };
    kinds.push(Kind::new("confirmed on the device", unpadded(Chip::Esp32c6)));

    let mut embedded = unpadded(Chip::Esp32h2);
    embedded.artifacts.iter_mut().for_each(|artifact| artifact.url = None);
    kinds.push(Kind::new(EMBEDDED, embedded));

    let mut labelled = example(Chip::Esp32).unwrap();
    labelled.staging = OwnedStaging::Label("ota_1".to_owned());
    kinds.push(Kind::new("staged in a partition", labelled));

    let mut memory = example(Chip::Esp32s3).unwrap();
    memory.staging = OwnedStaging::Memory;
    let mut memory = Kind::new("staged in memory", memory);
    memory.settings.staging_memory_len_bytes = 32 * 1024;
    memory.forgotten_bytes = memory.settings.staging_memory_len_bytes.into();
    kinds.push(memory);

    kinds.push(Kind::new("merged image", merged(Chip::Esp32)));
    kinds.push(Kind::new("other bootloader", other_bootloader()));
    kinds
}

/// One image that spans bootloader, partition table and application, with gaps of 0xFF between
/// them.
fn merged(chip: Chip) -> OwnedMigration {
    let mut migration = example(chip).unwrap();
    let bootloader = migration.artifact(Role::Bootloader).unwrap().bytes.clone().unwrap();
    let table = migration.partition_table.clone().unwrap();
    resign(&mut migration, Padding::None);
    let app = migration.artifact(Role::Application).unwrap().bytes.clone().unwrap();
    let start = chip.bootloader_addr().get();
    let mut bytes = vec![0xff; 0x1_0000 - start as usize];
    bytes[..bootloader.len()].copy_from_slice(&bootloader);
    bytes[0x8000 - start as usize..][..table.len()].copy_from_slice(&table);
    bytes.extend_from_slice(&app);
    let len_bytes = u32::try_from(bytes.len()).unwrap().next_multiple_of(0x1000);
    migration.running = Some("ota_1".to_owned());
    migration.allow_overwrite = vec!["partition-table".to_owned()];
    migration.artifacts = vec![artifact("merged", Role::Other, bytes, region(start, len_bytes))];
    migration
}

/// Artifacts with places of their own, and no MCUboot.
fn other_bootloader() -> OwnedMigration {
    let chip = Chip::Esp32c3;
    let mut migration = example(chip).unwrap();
    let app = synthetic::app(chip, "successor", "2.0", 100_000, 7).unwrap();
    let mut bootloader = esp_idf_bootloaders::bootloader(chip, 4 << 20).unwrap();
    // Another frequency makes it another bootloader than the one in place.
    bootloader[3] = (bootloader[3] & 0xf0) | 0x0f;
    esp_idf_format::image::update_checksums(&mut bootloader).unwrap();
    migration.mcuboot = None;
    migration.running = Some("ota_1".to_owned());
    migration.allow_overwrite = vec!["otadata".to_owned()];
    migration.artifacts = vec![
        artifact("app", Role::Application, app, region(0x1_0000, 0x10_0000)),
        artifact("data", Role::Other, vec![0x5a; 5000], region(0x32_0000, 0x2000)),
        artifact("otadata", Role::Other, vec![0xff; 0x2000], region(0xd000, 0x2000)),
        artifact("bootloader", Role::Bootloader, bootloader, region(0, 0x8000)),
    ];
    migration
}

fn artifact(name: &str, role: Role, bytes: Vec<u8>, dest: Region) -> OwnedArtifact {
    OwnedArtifact {
        name: name.to_owned(),
        role,
        url: Some(format!("http://lab/{name}.bin")),
        bytes: Some(bytes),
        dest: Some(dest),
        region_len_bytes: None,
        content: None,
        confirm: false,
    }
}

/// All cases of every sweep, or so many of each; other ones for each kind.
fn everything(amount: Amount, seed: u64) -> Sweeps {
    Sweeps {
        power_cuts: PowerCuts { amount, torn: true, twice: false, seed },
        flash_faults: amount,
        network_faults: amount,
        pool: Pool::new(None),
    }
}

#[test]
fn some_of_everything_in_every_migration() {
    let mut wrong = String::new();
    for (seed, kind) in (1..).zip(kinds()) {
        wrong += &kind.check(everything(SAMPLE, seed)).err().unwrap_or_default();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn power_lost_twice_in_the_example() {
    let power_cuts = PowerCuts { amount: Amount::Some(100), torn: true, twice: true, seed: 2 };
    let sweeps = Sweeps { power_cuts, ..everything(Amount::None, 1) };
    let kind = Kind::new("example", example(Chip::Esp32s3).unwrap());
    let (_, cuts) = kind.check(sweeps).unwrap();
    assert_eq!(cuts.second_cuts.unwrap().cases, 100);
}

#[test]
fn embedded_artifacts_survive_flash_that_reads_wrongly() {
    let kind = kinds().into_iter().find(|kind| kind.name == EMBEDDED).unwrap();
    let power_cuts = PowerCuts { amount: Amount::Some(1), torn: true, twice: false, seed: 1 };
    kind.check(Sweeps { power_cuts, ..everything(Amount::Some(400), 1) }).unwrap();
}

#[test]
#[ignore = "takes minutes: every cut of every migration, torn, and every fault"]
fn everything_in_every_migration() {
    let mut wrong = String::new();
    for (seed, kind) in (1..).zip(kinds()) {
        let sweeps = Sweeps { flash_faults: MANY, ..everything(Amount::All, seed) };
        match kind.check(sweeps) {
            Ok((run, cuts)) => {
                assert_eq!(cuts.cases, 3 * run.recording.len() as u64, "{}", kind.name);
                assert_eq!(cuts.cases, cuts.recovered + cuts.lost_in_commit_window);
            }
            Err(what) => wrong += &what,
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
