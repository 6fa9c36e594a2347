//! Everything that can go wrong, in every kind of migration: a sample in each run of the tests, all
//! of it with `--include-ignored`.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used)]

mod support;

use bootswap_migration::{OwnedMigration, OwnedStaging};
use bootswap_sim::Until;
use bootswap_sim::example;
use bootswap_sim::sweep::report::PowerCutsReport;
use bootswap_sim::sweep::{Amount, Pool, PowerCuts, SweepOutcome, Sweeps, sweep};
use bootswap_sim::variants::merged;
use bootswap_sim::{Run, Scenario, Settings};
use esp_idf_format::Chip;
use mcuboot_format::SwapKind;
use mcuboot_format::builder::Padding;
use support::{other_bootloader, resign, signed};

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
    /// Additional body bytes that may be sent again, because they are not kept in flash.
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

    let rsa_2048 = include_str!("../../mcuboot-format/testdata/rsa-2048.pem");
    let rsa_3072 = include_str!("../../mcuboot-format/testdata/rsa-3072.pem");
    kinds.push(Kind::new("signed with RSA-2048", signed(Chip::Esp32c3, rsa_2048)));
    kinds.push(Kind::new("signed with RSA-3072", signed(Chip::Esp32s3, rsa_3072)));
    kinds.push(Kind::new("merged image", merged(Chip::Esp32).unwrap()));
    kinds.push(Kind::new("other bootloader", other_bootloader()));
    kinds
}

/// All cases of every sweep, or this many of each, chosen differently for each kind.
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
