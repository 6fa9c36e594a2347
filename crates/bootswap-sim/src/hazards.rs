//! Ways in which a migration could brick a device, each provoked, each with the required result.
//!
//! Without the prevention that its name describes, each of these tests fails.

use std::cell::RefCell;

use bootswap_plan::Role;
use device_sim::{Board, Efuses, EspIdfConfig, McubootConfig};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::otadata::{OtaEntry, OtaState};
use flash_region::{FlashAddr, Region};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::trailer::magic_bytes;

use crate::Until;
use crate::example;
use crate::kept;
use crate::report::Report;
use crate::{OriginServer, Run, RunOutcome, Scenario, Settings, Unwatched, run};
use bootswap_migration::OwnedMigration;
use bootswap_migration::content::classify;

const CHIP: Chip = Chip::Esp32c3;

fn live(migration: &OwnedMigration, scenario: &Scenario) -> Run {
    live_with(migration, scenario, &[])
}

fn live_with(migration: &OwnedMigration, scenario: &Scenario, faults: &[&str]) -> Run {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let origin = OriginServer::open(migration, faults, None).unwrap();
    let monitor = RefCell::new(Unwatched);
    let run = run(scenario, &origin, Settings::new(Until::Boot), &monitor);
    let report = Report::new(&run, &kept(migration, scenario));
    assert!(report.kept.iter().all(|kept| kept.intact), "{:?}", report.kept);
    run
}

fn assert_target(run: &Run) {
    assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
}

#[test]
fn a_stale_magic_at_the_end_of_the_scratch_area_is_erased() {
    let migration = example(CHIP).unwrap();
    let mut scenario = Scenario::synthetic(&migration).unwrap();
    // A good magic, and before it a status that indicates a swap in progress.
    let end = 0x25_0000;
    scenario.flash.load(FlashAddr(end - 16), &magic_bytes(8));
    scenario.flash.load(FlashAddr(end - 64), &[0x01; 24]);
    assert_target(&live(&migration, &scenario));
}

#[test]
fn a_stale_mcuboot_header_in_the_primary_slot_is_erased() {
    let mut migration = example(CHIP).unwrap();
    migration.running = Some("ota_1".to_owned());
    let mut scenario = Scenario::synthetic(&migration).unwrap();
    // The magic of an image whose lengths and TLVs are noise.
    scenario.flash.load(FlashAddr(0x1_0000), &mcuboot_format::IMAGE_MAGIC.to_le_bytes());
    assert_target(&live(&migration, &scenario));
}

#[test]
fn stale_bytes_in_the_primary_trailer_are_erased() {
    let migration = example(CHIP).unwrap();
    let mut scenario = Scenario::synthetic(&migration).unwrap();
    // One byte that is not erased, at a status entry, and nothing else in the whole trailer.
    scenario.flash.load(FlashAddr(0x10_e000), &[0xff; 0x2000]);
    scenario.flash.load(FlashAddr(0x10_f000), &[0x01]);
    let trailer = Region::clamped(FlashAddr(0x10_e7d0), 0x1830);
    let run = live(&migration, &scenario);
    assert_target(&run);
    assert!(flash_region::is_blank(&run.at_reset.unwrap().bytes(trailer)));
}

/// A migrator that was installed by OTA and is on trial: at the next reset the old bootloader would
/// go back.
#[test]
fn a_migrator_on_trial_is_kept_through_every_reset() {
    let mut migration = example(CHIP).unwrap();
    migration.running = Some("ota_0".to_owned());
    let mut scenario = Scenario::synthetic(&migration).unwrap();
    let old = scenario.flash.bytes(CHIP.bootloader_region());
    let rollback = EspIdfConfig { rollback: true, ..EspIdfConfig::default() };
    let map = migration.mcuboot.clone().unwrap();
    let target = migration.artifact(Role::Bootloader).unwrap().bytes.clone().unwrap();
    let config = McubootConfig {
        primary: map.primary,
        secondary: map.secondary,
        scratch: map.scratch,
        ..McubootConfig::example()
    };
    scenario.board =
        Board::new(CHIP).esp_idf(&old, rollback).unwrap().mcuboot(&target, config).unwrap();
    let trial = OtaEntry::new(1, OtaState::New);
    scenario.flash.load(FlashAddr(0xd000), &[0xff; 0x2000]);
    scenario.flash.load(FlashAddr(0xd000), &trial.to_bytes());
    // The firmware that the device would go back to.
    let before = device_sim::synthetic::app(CHIP, "old-firmware", "1.0", 300_000, 3).unwrap();
    scenario.flash.load(FlashAddr(0x1_0000), &before);
    // The connection breaks often enough for the migrator to give up its first run and reset.
    let origin =
        OriginServer::open(&migration, vec!["status=503*8".parse().unwrap()], None).unwrap();
    let monitor = RefCell::new(Unwatched);
    let run = run(&scenario, &origin, Settings::new(Until::Boot), &monitor);
    assert_target(&run);
    assert!(run.boots > 2, "the migrator never had to start again");
}

#[test]
fn secure_boot_and_flash_encryption_are_refused_before_anything_is_touched() {
    let migration = example(CHIP).unwrap();
    for (efuses, code) in [
        (Efuses { secure_boot: true, ..Efuses::default() }, "secure-boot"),
        (Efuses { flash_encryption: true, ..Efuses::default() }, "flash-encryption"),
    ] {
        let mut scenario = Scenario::synthetic(&migration).unwrap();
        let old = scenario.flash.bytes(CHIP.bootloader_region());
        scenario.board = scenario.board.efuses(efuses).prepared(&old).unwrap();
        let run = live(&migration, &scenario);
        assert_eq!((run.outcome, run.reasons[0].code()), (RunOutcome::Refused, code));
        assert_eq!(run.before.first_difference(&run.after), None);
    }
}

/// An image signed with another key than the bootloader's: MCUboot would erase it.
#[test]
fn an_image_of_another_key_never_gets_to_the_commit() {
    let key = |seed| PrivateKey::ed25519([seed; 32]);
    let (ours, theirs) = (key(1), key(2));
    for (signer, reaches_target) in [(&ours, true), (&theirs, false)] {
        let mut migration = example(CHIP).unwrap();
        let map = migration.mcuboot.as_mut().unwrap();
        map.key_der = Some(ours.public_key().to_der());
        let options = SignOptions {
            padding: Padding::Confirmed,
            key: Some(signer),
            ..SignOptions::espressif(map.primary.len_bytes(), map.swap)
        };
        let payload = device_sim::synthetic::target_payload(CHIP, 100_000, 1);
        // As if the file had not been checked before: no digest helps here, it is the right file of
        // the wrong owner.
        migration.artifacts[0].bytes = Some(sign(&payload, &options).unwrap());
        migration.artifacts[0].content = None;
        let scenario = Scenario::synthetic(&migration).unwrap();
        let run = live(&migration, &scenario);
        let reached = matches!(run.outcome, RunOutcome::TargetRunning { .. });
        assert_eq!(reached, reaches_target, "{}", run.outcome);
        let old = CHIP.bootloader_region();
        assert!(reached || run.before.bytes(old) == run.after.bytes(old));
    }
}

#[test]
fn a_bootloader_for_another_chip_never_gets_to_the_commit() {
    let mut migration = example(CHIP).unwrap();
    let other = example(Chip::Esp32s3).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    migration.artifacts[1] = other.artifacts[1].clone();
    migration.artifacts[1].content = None;
    let run = live(&migration, &scenario);
    assert!(matches!(run.outcome, RunOutcome::Stuck { .. }), "{}", run.outcome);
    let old = CHIP.bootloader_region();
    assert!(run.before.bytes(old) == run.after.bytes(old));
}

/// Built for less flash than its map needs, MCUboot would not reach its own scratch area.
#[test]
fn a_bootloader_for_less_flash_than_its_map_takes_never_gets_to_the_commit() {
    let mut migration = example(CHIP).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    let bytes = migration.artifacts[1].bytes.as_mut().unwrap();
    bytes[3] = (bytes[3] & 0x0f) | (FlashSize::Mb2.raw() << 4);
    esp_idf_format::image::update_checksums(bytes).unwrap();
    migration.artifacts[1].content =
        Some(classify(bytes, Role::Bootloader, migration.mcuboot.as_ref()).unwrap());
    let run = live(&migration, &scenario);
    assert_eq!((run.outcome, run.reasons[0].code()), (RunOutcome::Refused, "map-behind-flash"));
    // Nor if the file had not been checked before.
    migration.artifacts[1].content = None;
    let run = live(&migration, &scenario);
    assert!(matches!(run.outcome, RunOutcome::Stuck { .. }), "{}", run.outcome);
    let old = CHIP.bootloader_region();
    assert!(run.before.bytes(old) == run.after.bytes(old));
}

/// A step that always fails must not wear the flash out, reset after reset.
#[test]
fn failing_again_and_again_wears_nothing_out() {
    let migration = example(CHIP).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    let whole = Region::clamped(FlashAddr::ZERO, 0x40_0000);
    for fault in ["html", "/mcuboot.bin:status=500", "corrupt=100000"] {
        let run = live_with(&migration, &scenario, &[fault]);
        assert!(matches!(run.outcome, RunOutcome::Stuck { .. }), "{fault}: {}", run.outcome);
        let worn = run.after.max_erase_count(whole) - run.before.max_erase_count(whole);
        assert!(worn <= 8, "{fault}: a sector was erased {worn} times");
    }
}
