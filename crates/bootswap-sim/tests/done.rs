//! Migrations after which the old bootloader, or a new one that reads otadata, would start the
//! migrator again: it sees that everything is in place, and selects the app that is to run.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::cell::RefCell;

use bootswap_migration::plan::judged;
use bootswap_migration::{OwnedMigration, facts};
use bootswap_plan::Role;
use bootswap_sim::sweep::{Amount, Pool, PowerCuts, Sweeps, sweep};
use bootswap_sim::{
    OriginServer, Run, RunOutcome, Scenario, Settings, Until, Unwatched, example, kept, run,
};
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region};
use support::{artifact, other_bootloader, region};

fn migrated(migration: &OwnedMigration) -> (Scenario, Run) {
    let scenario = Scenario::synthetic(migration).unwrap();
    let lab = OriginServer::open(migration, Vec::new(), None).unwrap();
    let settings = Settings::new(Until::Boot);
    let run = run(&scenario, &lab, settings, &RefCell::new(Unwatched));
    (scenario, run)
}

/// The codes of the desk's reasons against a migration.
fn codes(migration: &OwnedMigration) -> Vec<&'static str> {
    let found = facts::assumed(migration).unwrap();
    let judged = judged(migration, found.facts.lend(), None);
    judged.err().unwrap_or_default().iter().map(|reason| reason.code).collect()
}

/// Data for a device of the example, whose migrator came by OTA.
fn data_alone() -> OwnedMigration {
    let mut migration = example(Chip::Esp32c3).unwrap();
    migration.mcuboot = None;
    migration.running = Some("ota_0".to_owned());
    migration.artifacts =
        vec![artifact("data", Role::Other, vec![0x5a; 5000], region(0x32_0000, 0x2000))];
    migration
}

#[test]
fn data_alone_ends_in_the_previous_firmware() {
    let migration = data_alone();
    assert!(codes(&migration).is_empty());
    let (_, run) = migrated(&migration);
    let RunOutcome::TargetRunning { what } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(what.contains("old-firmware"), "{what}");
    assert_eq!(run.after.bytes(region(0x32_0000, 5000)), vec![0x5a; 5000]);
    assert_eq!(run.boots, 2, "the migrator, and the previous firmware");
}

#[test]
fn a_device_that_has_the_data_already_gets_nothing_written_but_otadata() {
    let mut migration = data_alone();
    let (scenario, first) = migrated(&migration);
    let mut again = scenario.clone();
    again.flash = first.after.clone();
    scenario.deliver_again(&mut again.flash);
    migration.staging = Default::default();
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let second = run(&again, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched));
    assert!(matches!(second.outcome, RunOutcome::TargetRunning { .. }), "{}", second.outcome);
    assert_eq!(second.downloaded_bytes, 0);
    let data = region(0x32_0000, 0x2000);
    assert!(second.ops.iter().all(|op| !op.region().overlaps(data)), "written again");
}

/// A bootloader of ESP-IDF that comes with an app, but without otadata that names it.
#[test]
fn an_app_that_otadata_does_not_name_is_selected_in_the_end() {
    let mut migration = other_bootloader();
    migration.artifacts.retain(|artifact| artifact.name != "otadata");
    assert!(codes(&migration).is_empty());
    let (_, run) = migrated(&migration);
    let RunOutcome::TargetRunning { what } = &run.outcome else { panic!("{}", run.outcome) };
    assert!(what.contains("successor"), "{what}");
}

/// The same on a device without otadata: nothing could select it.
#[test]
fn without_otadata_the_app_has_to_come_first() {
    let mut migration = other_bootloader();
    migration.artifacts.retain(|artifact| artifact.name != "otadata");
    let mut partitions = device_sim::synthetic::example_partitions();
    partitions.retain(|partition| !partition.is_otadata());
    let mut table = vec![0xff; esp_idf_format::partition::TABLE_LEN_BYTES as usize];
    esp_idf_format::partition::emit(&partitions, &mut table).unwrap();
    migration.partition_table = Some(table);
    // To the factory partition, from a slot behind it.
    migration.running = Some("ota_1".to_owned());
    assert!(codes(&migration).is_empty(), "{:?}", codes(&migration));
    // To a slot, from the factory partition, which would be started for ever.
    migration.artifacts[0].dest = Some(region(0x21_0000, 0x10_0000));
    migration.running = Some("factory".to_owned());
    assert_eq!(codes(&migration), ["no-otadata"]);
    let (_, run) = migrated(&migration);
    assert_eq!(run.outcome, RunOutcome::Refused);
}

#[test]
fn without_an_app_that_could_be_started_it_is_refused() {
    let mut migration = data_alone();
    migration.artifacts = vec![
        artifact("a", Role::Other, vec![1; 100], region(0x1_0000, 0x10_0000)),
        artifact("b", Role::Other, vec![2; 100], region(0x21_0000, 0x10_0000)),
    ];
    assert_eq!(codes(&migration), ["nothing-to-start"]);
    let (_, run) = migrated(&migration);
    assert_eq!(run.outcome, RunOutcome::Refused);
}

/// The example's application alone, for the primary slot, where the only firmware to go back to is.
fn application_over_the_way_back() -> OwnedMigration {
    let mut migration = example(Chip::Esp32c3).unwrap();
    migration.running = Some("ota_1".to_owned());
    migration.artifacts.retain(|artifact| artifact.role == Role::Application);
    migration.artifacts[0].dest = migration.mcuboot.as_ref().map(|map| map.primary);
    migration.mcuboot.as_mut().unwrap().scratch = Some(region(0x31_0000, 0x1_0000));
    migration
}

/// The only firmware to go back to is in the slot for the application, and no bootloader comes that
/// would start the application. A device sees that before it writes anything.
#[test]
fn the_previous_firmware_is_not_overwritten_if_the_device_goes_back_to_it() {
    let migration = application_over_the_way_back();
    let (scenario, run) = migrated(&migration);
    assert_eq!(run.outcome, RunOutcome::Refused);
    assert_eq!(run.reasons.iter().map(|r| r.code()).collect::<Vec<_>>(), ["nothing-to-start"]);
    let written: Vec<_> = run.ops.iter().map(|op| op.region()).collect();
    let factory = region(0x1_0000, 0x10_0000);
    assert!(written.iter().all(|region| !region.overlaps(factory)), "{written:?}");
    assert_eq!(scenario.running.label.as_str(), Some("ota_1"));
}

/// The same with a file that every device would refuse, too: what a device sees first is named
/// first.
#[test]
fn what_a_device_sees_in_its_flash_is_named_before_what_is_wrong_with_a_file() {
    let mut migration = application_over_the_way_back();
    let slot = migration.artifacts[0].bytes.as_mut().unwrap();
    let magic = slot.len() - 16;
    slot[magic..].fill(0);
    let (scenario, run) = migrated(&migration);
    let device: Vec<_> = run.reasons.iter().map(|reason| reason.code()).collect();
    let dump = scenario.flash.bytes(Region::clamped(FlashAddr::ZERO, 0x40_0000));
    let found = facts::assumed(&migration).unwrap();
    let desk = judged(&migration, found.facts.lend(), Some(&dump)).err().unwrap_or_default();
    let desk: Vec<_> = desk.iter().map(|reason| reason.code).collect();
    assert_eq!(
        (&*device, &*desk),
        (&["nothing-to-start"][..], &["nothing-to-start", "bad-trailer"][..])
    );
}

/// The migrator in the factory partition selects the firmware before when all is done: otadata is
/// not among what stays.
#[test]
fn otadata_is_not_kept_where_the_firmware_before_is_selected_in_the_end() {
    let mut migration = data_alone();
    migration.running = Some("factory".to_owned());
    let mut scenario = Scenario::synthetic(&migration).unwrap();
    let before = device_sim::synthetic::app(Chip::Esp32c3, "before", "1", 0x8000, 3).unwrap();
    scenario.flash.load(FlashAddr(0x11_0000), &before);
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched));
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
    let kept = kept(&migration, &scenario);
    assert!(kept.iter().all(|(label, _)| label != "otadata"), "{kept:?}");
    for (label, region) in kept {
        assert_eq!(run.before.bytes(region), run.after.bytes(region), "{label}");
    }
}

/// An application, a part of which waits for the commit because its slot covers what the device
/// boots from. Its padding is not written, so the old bytes there must not count for its digest.
#[test]
fn a_padded_application_that_waits_for_the_commit_in_part_is_committed() {
    let mut migration = example(Chip::Esp32c3).unwrap();
    migration.running = Some("ota_1".to_owned());
    let map = migration.mcuboot.as_mut().unwrap();
    map.primary = region(0xd000, 0x10_3000);
    map.secondary = region(0x21_0000, 0x10_3000);
    map.swap = mcuboot_format::SwapKind::Offset;
    map.scratch = None;
    migration.allow_overwrite = ["otadata", "phy_init"].map(str::to_owned).to_vec();
    migration.partition_table = Some(table_with_room());
    support::resign(&mut migration, mcuboot_format::builder::Padding::Confirmed);
    assert!(codes(&migration).is_empty(), "{:?}", codes(&migration));
    let (_, run) = migrated(&migration);
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
    let commit = run.commit_region().unwrap();
    assert!(commit.contains(FlashAddr(0xd000)), "{commit}");
}

/// The example's partitions, followed by an app partition from which the migrator runs.
fn table_with_room() -> Vec<u8> {
    let mut partitions = device_sim::synthetic::example_partitions();
    for (partition, start) in partitions.iter_mut().skip(4).zip([0x11_0000, 0x32_0000]) {
        partition.region = region(start, 0xd_0000);
    }
    let mut table = vec![0xff; esp_idf_format::partition::TABLE_LEN_BYTES as usize];
    esp_idf_format::partition::emit(&partitions, &mut table).unwrap();
    table
}

/// Wherever power is cut, the end is the same.
#[test]
fn power_cuts_while_it_hands_over() {
    for migration in [data_alone(), {
        let mut migration = other_bootloader();
        migration.artifacts.retain(|artifact| artifact.name != "otadata");
        migration
    }] {
        let scenario = Scenario::synthetic(&migration).unwrap();
        let sweeps = Sweeps {
            power_cuts: PowerCuts { amount: Amount::Some(30), torn: true, twice: false, seed: 1 },
            flash_faults: Amount::None,
            network_faults: Amount::None,
            pool: Pool::new(None),
        };
        let (_, outcome) =
            sweep(&migration, &scenario, Settings::new(Until::Boot), &sweeps).unwrap();
        let report = outcome.power_cuts.unwrap();
        assert!(report.cases >= 20, "{}", report.cases);
        assert_eq!(report.failed, 0, "{:?}", report.failures.first());
    }
}
