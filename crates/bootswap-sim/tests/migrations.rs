//! Whole migrations, from ROM to target application.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::cell::RefCell;

use bootswap_plan::{Role, Strategy};
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region};
use mcuboot_format::SwapKind;
use mcuboot_format::builder::Padding;

use bootswap_migration::pack::choose_sources;
use bootswap_migration::{OwnedMigration, OwnedStaging};
use bootswap_sim::{
    OriginServer, Report, Run, RunOutcome, Scenario, Settings, Until, Unwatched, example, kept, run,
};

use bootswap_sim::variants::merged;
use support::{other_bootloader, region, resign};

const MIB: u32 = 0x10_0000;

/// Migrates a device made up for the migration, and checks what has to hold for every one.
fn migrate(migration: &OwnedMigration, settings: Settings) -> (Run, Report) {
    let scenario = Scenario::synthetic(migration).unwrap();
    let lab = OriginServer::open(migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, settings, &RefCell::new(Unwatched));
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
    let report = Report::new(&run, &kept(migration, &scenario));
    (run, report)
}

fn to_the_end() -> Settings {
    Settings::new(Until::Boot)
}

#[test]
fn the_example_reaches_its_target_on_every_chip() {
    for chip in Chip::ALL {
        let (_, report) = migrate(&example(chip).unwrap(), to_the_end());
        assert!(report.kept.iter().all(|kept| kept.intact), "{chip}: {:?}", report.kept);
        assert!(report.flash.typ_ms <= 1400.0, "{chip}: {} ms", report.flash.typ_ms);
        let window = report.commit_window.unwrap();
        assert!(window.typ_ms <= 180.0, "{chip}: {} ms", window.typ_ms);
    }
}

#[test]
fn no_sector_is_erased_more_than_twice() {
    let (run, _) = migrate(&example(Chip::Esp32s3).unwrap(), Settings::new(Until::Reboot));
    let worn = run.most_erases_of_a_sector();
    assert!(worn <= 2, "a sector was erased {worn} times");
}

/// From every partition, with every kind of swap, the target is reached; and by which way.
#[test]
fn every_swap_from_every_partition() {
    use Strategy::{SecondaryAndSwap as Swap, StraightToPrimary as Straight};
    let table = [
        (SwapKind::Scratch, "factory", Swap, 2),
        (SwapKind::Scratch, "ota_0", Straight, 2),
        (SwapKind::Scratch, "ota_1", Swap, 2),
        (SwapKind::Overwrite, "factory", Swap, 2),
        (SwapKind::Overwrite, "ota_0", Straight, 2),
        (SwapKind::Overwrite, "ota_1", Swap, 2),
        // The primary is the running partition: the migrator moves first, which takes one more
        // boot.
        (SwapKind::Move, "factory", Straight, 3),
        (SwapKind::Move, "ota_0", Straight, 2),
        (SwapKind::Move, "ota_1", Straight, 2),
        (SwapKind::Offset, "factory", Straight, 3),
        (SwapKind::Offset, "ota_0", Straight, 2),
        (SwapKind::Offset, "ota_1", Straight, 2),
    ];
    for (swap, running, strategy, boots) in table {
        let mut migration = example(Chip::Esp32c3).unwrap();
        migration.running = Some(running.to_owned());
        let map = migration.mcuboot.as_mut().unwrap();
        map.swap = swap;
        if swap != SwapKind::Scratch {
            map.scratch = None;
        }
        resign(&mut migration, Padding::Confirmed);
        let (run, _) = migrate(&migration, to_the_end());
        let plan = run.plan.as_ref().unwrap();
        assert_eq!((plan.strategy, run.boots), (strategy, boots), "{swap} from {running}");
    }
}

#[test]
fn an_image_without_padding_is_confirmed_by_the_migrator() {
    for padding in [Padding::None, Padding::Pending] {
        for running in ["factory", "ota_0", "ota_1"] {
            let mut migration = example(Chip::Esp32c6).unwrap();
            migration.running = Some(running.to_owned());
            resign(&mut migration, padding);
            migration.artifacts[0].confirm = true;
            migrate(&migration, to_the_end());
        }
    }
}

#[test]
fn a_labelled_partition_stages_everything() {
    let mut migration = example(Chip::Esp32).unwrap();
    migration.staging = OwnedStaging::Label("ota_1".to_owned());
    // The scratch area is at the start of that partition; nothing there is needed after the commit.
    let (run, report) = migrate(&migration, to_the_end());
    assert!(run.plan.unwrap().steps.iter().any(|s| matches!(s, bootswap_plan::Step::Copy { .. })));
    assert!(report.kept.iter().all(|kept| kept.intact), "{:?}", report.kept);
}

#[test]
fn memory_stages_the_bootloader() {
    let mut migration = example(Chip::Esp32s3).unwrap();
    migration.staging = OwnedStaging::Memory;
    let settings = Settings { staging_memory_len_bytes: 32 * 1024, ..to_the_end() };
    let (run, _) = migrate(&migration, settings);
    let untouched = region(0x31_0000, 0x8000);
    assert_eq!(run.before.bytes(untouched), run.after.bytes(untouched));
}

#[test]
fn embedded_artifacts_need_no_network() {
    for running in ["factory", "ota_0", "ota_1"] {
        let mut migration = example(Chip::Esp32h2).unwrap();
        migration.running = Some(running.to_owned());
        resign(&mut migration, Padding::None);
        migration.artifacts[0].confirm = true;
        migration.artifacts.iter_mut().for_each(|artifact| artifact.url = None);
        let (run, report) = migrate(&migration, to_the_end());
        assert_eq!(run.requests, 0);
        assert!(report.download.is_none());
    }
}

/// A padded application is packed without its padding, and is the same in flash as with it.
#[test]
fn packed_artifacts_end_as_fetched_ones_do() {
    let fetched = example(Chip::Esp32s3).unwrap();
    let mut packed = fetched.clone();
    choose_sources(&mut packed, None, true).unwrap();
    let app = packed.artifact(Role::Application).unwrap();
    assert!(app.bytes.as_ref().unwrap().len() < MIB as usize && app.confirm);
    migrate(&packed, to_the_end());
    let slot = |migration| {
        let (run, _) = migrate(migration, Settings::new(Until::Reboot));
        run.after.to_bytes()[0x11_0000..0x21_0000].to_vec()
    };
    assert!(slot(&packed) == slot(&fetched), "the secondary slot is another");
}

#[test]
fn a_merged_image_keeps_what_lies_in_its_gaps() {
    for chip in [Chip::Esp32, Chip::Esp32c3] {
        let migration = merged(chip).unwrap();
        let scenario = Scenario::synthetic(&migration).unwrap();
        let nvs = region(0x9000, 0x4000);
        let before = scenario.flash.bytes(nvs);
        let (run, _) = migrate(&migration, to_the_end());
        assert_eq!(run.after.bytes(nvs), before, "{chip}: NVS changed");
        let image = migration.artifacts[0].bytes.as_ref().unwrap();
        let app_at = 0x1_0000 - chip.bootloader_addr().get() as usize;
        let app = &image[app_at..];
        let len_bytes = u32::try_from(app.len()).unwrap();
        assert_eq!(run.after.bytes(region(0x1_0000, len_bytes)), app, "{chip}");
    }
}

/// Bootloader and padded, confirmed application in one file with nothing between them, as
/// Espressif's embedded example has them: nothing of the owner's has to be given up.
#[test]
fn a_bootloader_and_its_slot_in_one_file() {
    for chip in [Chip::Esp32, Chip::Esp32c3] {
        let mut migration = merged(chip).unwrap();
        migration.allow_overwrite.clear();
        let mut with_app = example(chip).unwrap();
        resign(&mut with_app, Padding::Confirmed);
        let file = |role| with_app.artifact(role).unwrap().bytes.clone().unwrap();
        let start = chip.bootloader_addr().get();
        let mut bytes = file(Role::Bootloader);
        bytes.resize(0x1_0000 - start as usize, 0xff);
        bytes.extend(file(Role::Application));
        let len_bytes = u32::try_from(bytes.len()).unwrap();
        migration.artifacts[0].dest = Some(region(start, len_bytes));
        migration.artifacts[0].bytes = Some(bytes.clone());
        let scenario = Scenario::synthetic(&migration).unwrap();
        let (run, _) = migrate(&migration, to_the_end());
        // NVS; otadata has the migrator's own entry; and what the radio was calibrated with.
        for kept in [region(0x8000, 0x5000), region(0xf000, 0x1000)] {
            assert_eq!(run.after.bytes(kept), scenario.flash.bytes(kept), "{chip}: {kept}");
        }
        // Each part is judged as what it is.
        let app_at = 0x1_0000 - start as usize;
        for at in [100, app_at + 40, app_at + 5000, bytes.len() - 0x1800] {
            let mut broken = migration.clone();
            broken.artifacts[0].bytes.as_mut().unwrap()[at] ^= 0x10;
            let lab = OriginServer::open(&broken, Vec::new(), None).unwrap();
            let run = run_of(&scenario, &lab);
            assert!(!matches!(run, RunOutcome::TargetRunning { .. }), "{chip}: {at:#x}");
            assert!(!matches!(run, RunOutcome::Bricked { .. }), "{chip}: {at:#x}");
        }
    }
}

fn run_of(scenario: &Scenario, lab: &OriginServer) -> RunOutcome {
    run(scenario, lab, to_the_end(), &RefCell::new(Unwatched)).outcome
}

#[test]
fn a_merged_image_can_travel_inside_the_migrator() {
    let mut migration = merged(Chip::Esp32c3).unwrap();
    migration.artifacts[0].url = None;
    let (run, _) = migrate(&migration, to_the_end());
    assert_eq!(run.requests, 0);
}

/// Artifacts with places of their own, and no MCUboot: a newer ESP-IDF bootloader and its app.
#[test]
fn any_bootloader_and_any_number_of_artifacts() {
    let migration = other_bootloader();
    let (run, _) = migrate(&migration, to_the_end());
    assert_eq!(run.after.bytes(region(0x32_0000, 5000)), vec![0x5a; 5000]);
}

#[test]
fn a_refused_migration_touches_nothing() {
    let mut migration = example(Chip::Esp32s3).unwrap();
    migration.flash_len_bytes = Some(4 * MIB);
    migration.mcuboot.as_mut().unwrap().secondary = region(0x38_0000, MIB);
    let mut scene_of = migration.clone();
    scene_of.mcuboot.as_mut().unwrap().secondary = region(0x11_0000, MIB);
    let scenario = Scenario::synthetic(&scene_of).unwrap();
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, to_the_end(), &RefCell::new(Unwatched));
    assert_eq!(run.outcome, RunOutcome::Refused);
    assert_eq!(run.before.first_difference(&run.after), None);
    assert_eq!(run.reasons[0].code(), "outside-flash");
}

/// The example with the firmware before it in the factory partition, and the migrator in ota_1.
fn with_a_previous_firmware() -> (OwnedMigration, Scenario, Region) {
    let chip = Chip::Esp32c3;
    let mut migration = example(chip).unwrap();
    migration.running = Some("ota_1".to_owned());
    let mut scenario = Scenario::synthetic(&migration).unwrap();
    let old = device_sim::synthetic::app(chip, "old firmware", "1.0", 200_000, 3).unwrap();
    scenario.flash.load(FlashAddr(0x1_0000), &old);
    (migration, scenario, region(0xd000, 0x2000))
}

#[test]
fn a_migrator_without_a_server_goes_back_and_may_come_again() {
    let (migration, mut scenario, otadata) = with_a_previous_firmware();
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let gone = vec!["status=503".parse().unwrap()];
    let without = OriginServer::open(&migration, gone, None).unwrap();
    let story = RefCell::new(Unwatched);
    let first = run(&scenario, &without, to_the_end(), &story);
    let RunOutcome::OldFirmware { why, went_back: true } = &first.outcome else {
        panic!("{}", first.outcome)
    };
    assert!(why.contains("given up after 8 attempts"), "{why}");
    // Only otadata, the journal, and the slot whose trailer is written first.
    let plan = first.plan.clone().unwrap();
    let mut may_change = vec![otadata, plan.journal.unwrap()];
    may_change.push(migration.mcuboot.as_ref().unwrap().secondary);
    let flash = Region::clamped(FlashAddr::ZERO, 4 * MIB);
    for sector in flash.chunks(0x1000).filter(|s| !may_change.iter().any(|r| r.overlaps(*s))) {
        assert_eq!(first.before.bytes(sector), first.after.bytes(sector), "{sector}");
    }
    // Delivered again it has all its attempts, and the server is there.
    let mut after = first.after;
    scenario.deliver_again(&mut after);
    scenario.flash = after;
    let second = run(&scenario, &lab, to_the_end(), &story);
    assert!(matches!(second.outcome, RunOutcome::TargetRunning { .. }), "{}", second.outcome);
}

#[test]
fn a_refused_migrator_goes_back() {
    let (mut migration, scenario, otadata) = with_a_previous_firmware();
    migration.flash_len_bytes = Some(4 * MIB);
    migration.mcuboot.as_mut().unwrap().secondary = region(0x38_0000, MIB);
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, to_the_end(), &RefCell::new(Unwatched));
    assert_eq!((run.outcome, run.boots), (RunOutcome::Refused, 2));
    let changed = run.before.first_difference(&run.after).unwrap();
    assert!(otadata.contains(changed), "{changed}");
}
