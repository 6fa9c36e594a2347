//! A whole `hosted` migration on the emulated chip: the real migrator fetches a carrier with a real
//! MCUboot and selects it in otadata, and the old bootloader starts it, up to the application's
//! banner.
//!
//! MCUboot and application are those of `banner`. The devices' table has an app partition that lies
//! outside of their slots and scratch area.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bootswap_migration::carrier::carrier;
use bootswap_migration::content::classify;
use bootswap_plan::{CommitWay, Role};
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::partition::{TABLE_LEN_BYTES, emit};
use flash_region::{ERASED, FlashAddr, Region};

use crate::banner::{APP, JUMP, banner, given};
use crate::carrier_to_banner::{CARRIER, options, parts};
use crate::device::{EmulatedMigration, bytes, figure, text_of};
use crate::emulator::{self, Ended, Power};
use crate::{CUTS, MANY_CUTS, difference};

const CHIP: Chip = Chip::Esp32c3;
/// What the migrator says before its last reset.
const DONE: &str = "done, resetting";
/// Starts of the migrator before the last: it is started once, and again after a move.
const MAX_STARTS: usize = 3;
/// Resets after which a device counts as caught in a loop.
const MAX_RESETS: usize = 12;
const OTADATA: Region = Region::clamped(FlashAddr(0xd000), 0x2000);

/// The example with this target as `hosted`, for devices with room for the carrier.
fn hosted(label: &'static str) -> EmulatedMigration {
    EmulatedMigration::download(CHIP, |migration| {
        migration.running = Some(label.to_owned());
        migration.commit = CommitWay::Hosted;
        let mut partitions = synthetic::example_partitions();
        let last = partitions.last_mut().unwrap();
        last.region = Region::clamped(CARRIER, last.region.len_bytes());
        let mut table = vec![ERASED; TABLE_LEN_BYTES as usize];
        emit(&partitions, &mut table).unwrap();
        migration.partition_table = Some(table);
        let (loader, bootloader) = parts();
        let carrier = carrier(&loader, &bootloader, options(0)).unwrap();
        let map = migration.mcuboot.clone();
        for (role, file) in [(Role::Bootloader, carrier), (Role::Application, given(CHIP, APP))] {
            let artifact = migration.artifacts.iter_mut().find(|a| a.role == role).unwrap();
            artifact.content = Some(classify(&file, role, map.as_ref()).unwrap());
            artifact.region_len_bytes = None;
            artifact.bytes = Some(file);
        }
    })
}

fn up_to_the_banner(label: &'static str) {
    let emulated = hosted(label);
    let simulated = emulated.simulate();
    let device = emulated.device();
    let mut consoles = Vec::new();
    loop {
        let console = emulator::run(CHIP, &device, true, Power::UntilReset);
        assert_eq!(console.ended, Ended::Reset, "{}", console.text());
        let is_done = console.text().contains(DONE);
        consoles.push(console);
        if is_done {
            break;
        }
        assert!(consoles.len() < MAX_STARTS, "{}", text_of(&consoles));
    }
    // What the simulated device has at its reset, byte for byte, but for the journal, which records
    // addresses that differ.
    let flash = fs::read(&device).unwrap();
    let mut wanted = simulated.at_reset.as_ref().unwrap().to_bytes();
    if let Some(journal) = simulated.plan.as_ref().unwrap().journal {
        let place = journal.start().get() as usize..journal.end().get() as usize;
        wanted[place.clone()].copy_from_slice(&flash[place]);
    }
    if let Some(differs) = difference(&flash, &wanted) {
        panic!("{differs}\n{}", text_of(&consoles));
    }
    // Bootloader and table are the old ones for good.
    let boot = Region::clamped(FlashAddr::ZERO, 0x9000);
    assert!(
        bytes(&flash, boot) == emulated.scenario.flash.bytes(boot),
        "the old bootloader changed"
    );

    let text = banner(CHIP);
    let power = text.as_deref().map_or(Power::UntilPast(JUMP), Power::UntilSeen);
    let console = emulator::run(CHIP, &device, false, power);
    assert_eq!(console.ended, Ended::Seen, "no banner:\n{}", console.text());
    let modelled = emulated.simulate_from(&flash);
    if let Some(differs) = difference(&fs::read(&device).unwrap(), &modelled.after.to_bytes()) {
        panic!("{differs}\n{}", console.text());
    }
    println!("{}\n{}", text_of(&consoles), console.text());
}

fn emulated_from_factory() {
    up_to_the_banner("factory");
}

fn emulated_from_ota_0() {
    up_to_the_banner("ota_0");
}

/// The migrator runs where the carrier has to go, and moves first.
fn emulated_from_ota_1() {
    up_to_the_banner("ota_1");
}

/// Cuts power at many points spread over the migration and the first start of the target, and each
/// time once more in the recovery. No device is lost.
fn cut_often(cuts: u32) {
    let emulated = hosted("factory");
    let boot = Region::clamped(FlashAddr::ZERO, 0x9000);
    let old = emulated.scenario.flash.bytes(boot);
    let text = banner(CHIP);
    let power = text.as_deref().map_or(Power::UntilPast(JUMP), Power::UntilSeen);
    // Up to the banner, through the device's own resets.
    let go_on = |device: &Path| {
        let mut consoles = Vec::new();
        while consoles.len() < MAX_RESETS {
            let console = emulator::run(CHIP, device, true, power);
            let is_over = console.ended == Ended::Seen;
            consoles.push(console);
            if is_over {
                let flash = fs::read(device).unwrap();
                assert!(bytes(&flash, boot) == old, "the old bootloader changed");
                return consoles.iter().map(|console| console.took).sum::<Duration>();
            }
        }
        panic!("no banner:\n{}", text_of(&consoles));
    };
    let took = go_on(&emulated.device());
    let (mut by_then, mut selected) = (0, 0);
    for index in 0..cuts {
        let device = emulated.device();
        let before = emulated.scenario.flash.bytes(OTADATA);
        // The second one somewhere else each time.
        for part in [2 * index + 1, (index * 14 + 6) % (2 * cuts)] {
            let mut left = took * part / (2 * cuts);
            while !left.is_zero() {
                let console = emulator::run(CHIP, &device, true, Power::CutAfter(left));
                left = left.saturating_sub(console.took);
                if console.ended == Ended::Killed {
                    break;
                }
            }
            match bytes(&fs::read(&device).unwrap(), OTADATA) == before {
                true => by_then += 1,
                false => selected += 1,
            }
        }
        go_on(&device);
    }
    let text = format!("{cuts} times two, none lost: {by_then} before otadata was written");
    figure("hosted, power cuts", text);
    assert!(by_then > 0 && selected > 0, "the cuts were all on one side of the commit");
}

fn emulated_power_cuts() {
    cut_often(CUTS);
}

fn emulated_many_power_cuts() {
    cut_often(MANY_CUTS);
}

on_esp32c3! {
    emulated_from_factory
    emulated_from_ota_0
    emulated_from_ota_1
    emulated_power_cuts
    #[ignore = "takes minutes: hundreds of power cuts"]
    emulated_many_power_cuts
}
