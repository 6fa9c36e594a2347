//! Bootloaders that others built, read by what is in their files.
//!
//! ESP-IDF's are those that espflash carries. A real MCUboot is the file that the environment
//! variable `BOOTSWAP_TARGET_BOOTLOADER` names; without one, that test says that it did not run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::env;
use std::fs;

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::bootloader::{BootloaderFile, System};

const VARIABLE: &str = "BOOTSWAP_TARGET_BOOTLOADER";

#[test]
fn esp_idf_bootloaders_are_no_mcuboot() {
    for chip in Chip::ALL {
        for size in [FlashSize::Mb2, FlashSize::Mb16] {
            let file = esp_idf_bootloaders::bootloader(chip, size.bytes()).unwrap();
            let read = BootloaderFile::read(&file).unwrap();
            let system = read.system.unwrap();
            assert_eq!((system.value, system.is_sure), (System::EspIdf, true), "{chip}");
            // The descriptor comes right after the two headers.
            assert_eq!(system.place.unwrap().offset_bytes, 32, "{chip}");
            let version = read.esp_idf_version.unwrap().value;
            assert!(version.as_str().unwrap().starts_with("v6."), "{chip}: {version}");
            assert!(read.build.is_none(), "{chip}");
        }
    }
}

/// Whatever a real MCUboot was configured to, these are always in its file.
#[test]
fn a_real_mcuboot_says_what_it_is() {
    let Some(path) = env::var_os(VARIABLE) else {
        println!("not run: {VARIABLE} does not name an MCUboot");
        return;
    };
    let file = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = BootloaderFile::read(&file).unwrap();
    assert_eq!(read.system.unwrap().value, System::Mcuboot);
    let build = read.build.unwrap();
    let map = build.map.unwrap();
    let (primary, secondary) = map.value.slots.unwrap();
    assert!(!primary.overlaps(secondary) && primary.len_bytes() == secondary.len_bytes());
    // The record of the primary slot is where the map was found.
    let start = primary.start().get().to_le_bytes();
    let offset = usize::try_from(map.place.unwrap().offset_bytes).unwrap();
    let near = &file[offset..(offset + 256).min(file.len())];
    assert!(near.windows(4).any(|word| word == start), "{:?}", map.place);
    assert!(matches!(build.max_align.unwrap().value, 8 | 16 | 32));
    assert!(build.signature.is_some());
}
