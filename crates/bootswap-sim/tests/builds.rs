//! Whole migrations to bootloaders that were built in other ways than the example's.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::cell::RefCell;

use bootswap_migration::content::classify;
use bootswap_migration::example::{MIGRATION, PARTITIONS};
use bootswap_migration::{OwnedMap, OwnedMigration, OwnedStaging, facts, from_text, plan};
use bootswap_plan::{Role, Strategy};
use bootswap_sim::{
    OriginServer, Run, RunOutcome, Scenario, Settings, Until, Unwatched, example, run,
};
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::{DowngradePrevention, ImageVersion, SwapKind};

const CHIP: Chip = Chip::Esp32c3;
const MIB: u32 = 0x10_0000;

fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

/// The example with another map, and an application of that version for it.
fn migration(map: OwnedMap, version: ImageVersion, running: &str) -> OwnedMigration {
    let mut migration = example(CHIP).unwrap();
    let options = SignOptions {
        padding: Padding::Confirmed,
        version,
        trailer: map.lend().trailer_config(),
        ..SignOptions::espressif(map.primary.len_bytes(), map.swap)
    };
    let app = sign(&synthetic::target_payload(CHIP, 149_824, 1), &options).unwrap();
    let bootloader = synthetic::bootloader(CHIP, FlashSize::Mb16, 27_376, 2).unwrap();
    for (artifact, bytes) in migration.artifacts.iter_mut().zip([app, bootloader]) {
        artifact.content = Some(classify(&bytes, artifact.role, Some(&map)).unwrap());
        artifact.bytes = Some(bytes);
    }
    migration.flash_len_bytes = Some(FlashSize::Mb16.bytes());
    migration.running = Some(running.to_owned());
    migration.mcuboot = Some(map);
    migration
}

fn example_map(swap: SwapKind) -> OwnedMap {
    let map = example(CHIP).unwrap().mcuboot.unwrap();
    OwnedMap { swap, scratch: map.scratch.filter(|_| swap == SwapKind::Scratch), ..map }
}

fn simulated(migration: &OwnedMigration) -> Run {
    let scenario = Scenario::synthetic(migration).unwrap();
    let lab = OriginServer::open(migration, Vec::new(), None).unwrap();
    run(&scenario, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched))
}

fn assert_target(run: &Run, what: &str) {
    let is_running = matches!(run.outcome, RunOutcome::TargetRunning { .. });
    assert!(is_running, "{what}: {}, {:?}", run.outcome, run.reasons);
}

#[test]
fn an_old_version_gets_past_downgrade_prevention_where_there_is_a_way() {
    use Strategy::{SecondaryAndSwap as Swap, StraightToPrimary as Straight};
    let (oldest, enough) = (ImageVersion::default(), ImageVersion::new(0, 0, 256));
    for (swap, version, running, strategy) in [
        // Swapped in, it would be erased: the primary slot reads as 0.0.256.
        (SwapKind::Scratch, oldest, "factory", Straight),
        (SwapKind::Scratch, oldest, "ota_1", Straight),
        (SwapKind::Overwrite, oldest, "ota_1", Straight),
        (SwapKind::Scratch, enough, "factory", Swap),
        (SwapKind::Overwrite, enough, "factory", Swap),
    ] {
        let mut map = example_map(swap);
        map.downgrade_prevention = DowngradePrevention::Version;
        let run = simulated(&migration(map, version, running));
        let what = format!("{swap}, {version} from {running}");
        assert_target(&run, &what);
        assert_eq!(run.plan.unwrap().strategy, strategy, "{what}");
    }
}

/// An application for the primary slot waits in the partition that the secondary slot is in: what
/// MCUboot wants of an image there is not asked of it.
#[test]
fn an_application_that_waits_where_the_other_slot_is_is_judged_by_its_own() {
    let mut map = example_map(SwapKind::Move);
    map.downgrade_prevention = DowngradePrevention::Version;
    let mut migration = migration(map, ImageVersion::default(), "ota_1");
    migration.staging = OwnedStaging::Label("ota_0".to_owned());
    let run = simulated(&migration);
    assert_target(&run, "0.0.0 by way of ota_0");
    assert_eq!(run.plan.unwrap().strategy, Strategy::StraightToPrimary);
}

/// Noise in the primary slot is a version, too; the device looks, and the desk cannot know.
#[test]
fn a_device_judges_by_what_is_in_its_primary_slot() {
    let mut map = example_map(SwapKind::Scratch);
    map.downgrade_prevention = DowngradePrevention::Version;
    let mut migration = migration(map, ImageVersion::new(1, 0, 0), "ota_1");
    migration.artifacts[0].dest = Some(region(0x11_0000, MIB));
    for (start, is_refused) in [([0; 32], false), ([0xfe; 32], true), ([0xff; 32], true)] {
        let mut scenario = Scenario::synthetic(&migration).unwrap();
        scenario.flash.load(FlashAddr(0x1_0000), &start);
        let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
        let run = run(&scenario, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched));
        if is_refused {
            assert_eq!(run.outcome, RunOutcome::Refused, "{start:x?}");
            assert!(run.reasons.iter().any(|reason| reason.code() == "downgrade"));
            assert_eq!(run.before.first_difference(&run.after), None);
        } else {
            assert_target(&run, "a primary slot that reads as 0.0.0");
        }
    }
}

/// A file that was not read at the desk: the device reads its version when it arrives.
#[test]
fn an_old_version_that_the_desk_did_not_see_is_refused_before_the_commit() {
    let mut map = example_map(SwapKind::Scratch);
    map.downgrade_prevention = DowngradePrevention::Version;
    let mut migration = migration(map, ImageVersion::default(), "factory");
    migration.artifacts[0].content = None;
    let run = simulated(&migration);
    assert!(!matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
    let old = CHIP.bootloader_region();
    assert!(run.before.bytes(old) == run.after.bytes(old), "{}", run.outcome);
}

#[test]
fn slots_of_many_sectors_need_a_bootloader_with_room_for_them() {
    for swap in SwapKind::ALL {
        let mut map = OwnedMap {
            primary: region(0x31_0000, 3 * MIB),
            secondary: region(0x61_0000, 3 * MIB),
            scratch: (swap == SwapKind::Scratch).then_some(region(0x91_0000, 0x4_0000)),
            swap,
            ..OwnedMap::ESPRESSIF
        };
        let run = simulated(&migration(map.clone(), ImageVersion::default(), "factory"));
        assert_eq!(run.outcome, RunOutcome::Refused, "{swap}");
        assert_eq!(run.reasons[0].code(), "too-many-sectors", "{swap}");
        map.max_sectors = 768;
        let run = simulated(&migration(map, ImageVersion::default(), "factory"));
        assert_target(&run, swap.name());
    }
}

/// A bootloader with room for more sectors than its slots have looks for its trailers further down.
#[test]
fn a_longer_trailer_is_clean_all_the_way() {
    for swap in SwapKind::ALL {
        let mut map = example_map(swap);
        map.max_sectors = 2048;
        let run = simulated(&migration(map.clone(), ImageVersion::default(), "ota_1"));
        assert_target(&run, swap.name());
    }
}

#[test]
fn slots_may_differ_by_the_sector_that_a_swap_needs() {
    for (swap, primary, secondary) in
        [(SwapKind::Move, MIB, MIB - SECTOR_BYTES), (SwapKind::Offset, MIB - SECTOR_BYTES, MIB)]
    {
        let map = OwnedMap {
            primary: region(0x1_0000, primary),
            secondary: region(0x11_0000, secondary),
            ..example_map(swap)
        };
        let migration = migration(map, ImageVersion::default(), "ota_1");
        assert_eq!(
            migration.artifact(Role::Application).unwrap().bytes.as_ref().unwrap().len(),
            primary as usize
        );
        assert_target(&simulated(&migration), swap.name());
    }
}

#[test]
fn a_bootloader_that_overwrites_fast_starts_the_target_too() {
    let mut map = example_map(SwapKind::Overwrite);
    map.overwrites_fast = true;
    let run = simulated(&migration(map, ImageVersion::default(), "factory"));
    assert_target(&run, "fast");
    // After the image, the primary slot still holds the old firmware.
    let behind = region(0x1_0000 + 0x8_0000, 0x1_0000);
    assert_eq!(run.before.bytes(behind), run.after.bytes(behind));
}

/// Both builds call it `bootloader.bin`.
#[test]
fn an_esp_idf_bootloader_is_no_target_of_a_map() {
    for chip in Chip::ALL {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes);
        let example = example(chip).unwrap();
        let app = example.artifact(Role::Application).unwrap().bytes.as_ref().unwrap();
        let bootloader = esp_idf_bootloaders::bootloader(chip, FlashSize::Mb4.bytes()).unwrap();
        write("partitions.csv", PARTITIONS.as_bytes()).unwrap();
        write("app_upd.bin", app).unwrap();
        write("mcuboot.bin", &bootloader).unwrap();
        let text = MIGRATION.replace("esp32s3", chip.name());
        let migration = from_text(&text, dir.path()).unwrap();
        let report = plan::report(&migration, &facts::assumed(&migration).unwrap(), None);
        assert_eq!(report.outcome, "refused", "{chip}");
        assert_eq!(report.reasons[0].code, "not-mcuboot", "{chip}");
    }
}

/// The same for a file that was not read at the desk: the device reads the descriptor.
#[test]
fn a_device_does_not_put_an_esp_idf_bootloader_where_mcuboot_belongs() {
    let mut migration = example(CHIP).unwrap();
    let target = migration.artifacts[1].bytes.clone().unwrap();
    let other = esp_idf_bootloaders::bootloader(CHIP, FlashSize::Mb4.bytes()).unwrap();
    (migration.artifacts[1].bytes, migration.artifacts[1].content) = (Some(other), None);
    let scenario = {
        let bytes = migration.artifacts[1].bytes.replace(target);
        let scenario = Scenario::synthetic(&migration).unwrap();
        migration.artifacts[1].bytes = bytes;
        scenario
    };
    let lab = OriginServer::open(&migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched));
    assert!(!matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{}", run.outcome);
    let old = CHIP.bootloader_region();
    assert!(run.before.bytes(old) == run.after.bytes(old), "{}", run.outcome);
}
