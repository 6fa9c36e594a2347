//! The real firmware on an emulated ESP32 and ESP32-C3: mask ROM, real ESP-IDF bootloader, real
//! HTTP.
//!
//! `cargo xtask emulate` builds the firmware, looks for an emulator and runs these tests; without
//! an emulator it names each of them as not run.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// Makes tests for the one emulated chip that the loader is built for.
macro_rules! on_esp32c3 {
    ($($(#[$attribute:meta])* $name:ident)+) => {
        mod esp32c3 {
            $(#[test] $(#[$attribute])* fn $name() { super::$name() })+
        }
    };
}

/// Makes tests of functions that take the chip: one for each chip, in a module of its name.
macro_rules! on_each_chip {
    ($($(#[$attribute:meta])* $name:ident)+) => {
        mod esp32 {
            $(#[test] $(#[$attribute])* fn $name() { super::$name(esp_idf_format::Chip::Esp32) })+
        }
        mod esp32c3 {
            $(#[test] $(#[$attribute])* fn $name() { super::$name(esp_idf_format::Chip::Esp32c3) })+
        }
    };
}

mod bad_input;
mod banner;
mod carrier_to_banner;
mod cross_check;
mod device;
mod emulator;
mod hosted_to_banner;
mod pace;
mod radio;
mod signed;

use std::fs;
use std::time::Duration;

use bootswap_migration::OwnedMigration;
use bootswap_migration::content::classify;
use bootswap_plan::Role;
use esp_idf_format::Chip;
use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use device::{EmulatedMigration, bytes, figure, text_of};
use emulator::efuse_file;

/// The eFuses of an ESP32 in which nothing was burnt.
const NO_EFUSES: [u8; 124] = [0; 124];
/// Power cuts of a short run, spread over the migration.
const CUTS: u32 = 12;
/// Power cuts of a long run.
const MANY_CUTS: u32 = 200;

/// Makes the migrator run in the partition with this label.
fn from(label: &'static str) -> impl FnOnce(&mut OwnedMigration) {
    move |migration| migration.running = Some(label.to_owned())
}

/// The first difference between `found` flash and the simulator's.
fn difference(found: &[u8], wanted: &[u8]) -> Option<String> {
    let at = found.iter().zip(wanted).position(|(a, b)| a != b)?;
    let bytes = found.iter().zip(wanted).filter(|(a, b)| a != b).count();
    Some(format!(
        "{at:#x}: {:#04x}, the simulator has {:#04x}; {bytes} bytes differ",
        found[at], wanted[at]
    ))
}

/// Migrates without interruption and compares the flash with the simulator's, byte for byte.
fn compare(emulated: &EmulatedMigration) {
    let migrated = emulated.migrate(&emulated.device(), &[]);
    let run = emulated.simulate();
    emulated.check(&migrated, &run);
    let wanted = run.at_reset.unwrap().to_bytes();
    let consoles = text_of(&migrated.consoles);
    if let Some(differs) = difference(&migrated.flash, &wanted) {
        panic!("{differs}\n{consoles}");
    }
}

fn emulated_from_factory(chip: Chip) {
    compare(&EmulatedMigration::download(chip, from("factory")));
}

fn emulated_from_ota_0(chip: Chip) {
    compare(&EmulatedMigration::download(chip, from("ota_0")));
}

fn emulated_from_ota_1(chip: Chip) {
    compare(&EmulatedMigration::download(chip, from("ota_1")));
}

/// The migrator moves out of the primary slot, because the application must be placed there.
fn emulated_relocation(chip: Chip) {
    compare(&EmulatedMigration::download(chip, |migration| {
        let map = migration.mcuboot.as_mut().unwrap();
        (map.swap, map.scratch) = (SwapKind::Move, None);
        let app = migration.artifacts.iter_mut().find(|a| a.role == Role::Application).unwrap();
        app.content = None;
        let content = classify(app.bytes.as_ref().unwrap(), Role::Application, Some(map));
        app.content = content.ok();
    }));
}

fn emulated_embedded_artifacts(chip: Chip) {
    let emulated = EmulatedMigration::embedded(chip, from("factory"));
    assert!(!emulated.has_network);
    if chip == Chip::Esp32 {
        // The oldest revision, of which many devices are; all other tests have the latest.
        fs::write(efuse_file(&emulated.device()), NO_EFUSES).unwrap();
    }
    compare(&emulated);
}

/// Cuts power at many points spread over the migration, and once more in the recovery.
fn cut_often(chip: Chip, cuts: u32) {
    let emulated = EmulatedMigration::download(chip, from("factory"));
    let run = emulated.simulate();
    let whole = emulated.migrate(&emulated.device(), &[]);
    let took = whole.consoles.iter().map(|console| console.took).sum::<Duration>();
    let (mut lost, mut survived) = (0, 0);
    for index in 0..cuts {
        let first = took * (2 * index + 1) / (2 * cuts);
        // The second one somewhere else each time.
        let second = took * ((index * 7 + 3) % cuts) / cuts;
        let migrated = emulated.migrate(&emulated.device(), &[first, second]);
        if migrated.is_lost {
            lost += 1;
            continue;
        }
        survived += 1;
        emulated.check(&migrated, &run);
        // Nothing was written that an uninterrupted migration leaves alone.
        let wanted = run.at_reset.as_ref().unwrap();
        for start in (0..wanted.to_bytes().len()).step_by(SECTOR_BYTES as usize) {
            let start = u32::try_from(start).unwrap();
            let sector = Region::clamped(flash_region::FlashAddr(start), SECTOR_BYTES);
            let (before, then) = (run.before.bytes(sector), wanted.bytes(sector));
            let found = bytes(&migrated.flash, sector);
            let is_free =
                flash_region::is_blank(found) || run.plan.as_ref().unwrap().journal == Some(sector);
            assert!(before != then || found == before || is_free, "{sector} was written");
        }
    }
    let text = format!("{cuts} times two: {survived} survived, {lost} in the commit window");
    figure("power cuts", text);
    assert!(survived > lost && lost <= 1 + cuts / 10, "{survived} survived, {lost} lost");
}

fn emulated_power_cuts(chip: Chip) {
    cut_often(chip, CUTS);
}

fn emulated_many_power_cuts(chip: Chip) {
    cut_often(chip, MANY_CUTS);
}

on_each_chip! {
    emulated_from_factory
    emulated_from_ota_0
    emulated_from_ota_1
    emulated_relocation
    emulated_embedded_artifacts
    emulated_power_cuts
    #[ignore = "takes minutes: hundreds of power cuts"]
    emulated_many_power_cuts
}
