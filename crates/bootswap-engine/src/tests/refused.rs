//! Bootloaders that fit this chip and not this board, or not this migration: none gets to the
//! commit.

use std::vec;

use esp_idf_format::FixedText;
use esp_idf_format::bootloader_desc::BootloaderDescription;
use esp_idf_format::image::{FlashMode, FlashSize, ImageBuilder};

use super::kit::*;
use crate::{Done, Failure, ImageFault};

/// The image whose header says that mode.
fn reading(mode: FlashMode) -> vec::Vec<u8> {
    let image = ImageBuilder::new(CHIP).flash_size(FlashSize::Mb1).flash_mode(mode);
    image.entry_addr(0x403d_0000).segment(0x403d_0000, &noise(8000, 7)).build().unwrap()
}

/// Wires of the mode.
const fn wires(mode: FlashMode) -> u8 {
    match mode {
        FlashMode::Qio | FlashMode::Qout => 4,
        FlashMode::Dio | FlashMode::Dout => 2,
        FlashMode::FastRead | FlashMode::SlowRead => 1,
    }
}

/// A board whose bootloader reads flash over two wires may not have the other two.
#[test]
fn a_bootloader_that_needs_more_wires_is_refused() {
    for old in FlashMode::ALL {
        for new in FlashMode::ALL {
            let mut scene = Scene::example();
            scene.flash_mode = Some(old);
            scene.part("bootloader").bytes = reading(new);
            let (ended, flash, _) = scene.run(&mut scene.server());
            if wires(new) <= wires(old) {
                assert_eq!(ended, Ok(Done::NewBootloader), "{old} to {new}");
                continue;
            }
            let fault = ImageFault::FlashMode;
            let refused = Failure::Image { artifact: "bootloader", fault };
            assert_eq!(ended, Err(refused), "{old} to {new}");
            assert!(flash.bytes(BOOT) == scene.flash.bytes(BOOT), "{old} to {new}");
        }
    }
    // Nothing is known of the one in place.
    let mut scene = Scene::example();
    scene.part("bootloader").bytes = reading(FlashMode::Qio);
    scene.migrated();
}

/// ESP-IDF's own bootloader would look for an ESP-IDF app where the map has an MCUboot image.
#[test]
fn an_esp_idf_bootloader_does_not_replace_one_for_a_map() {
    let description = BootloaderDescription {
        secure_version: 0,
        version: 1,
        idf_ver: FixedText::new("v6.0").unwrap(),
        date_time: FixedText::default(),
    };
    let mut segment = description.to_bytes().to_vec();
    segment.extend(noise(8000, 7));
    let mut scene = Scene::example();
    scene.part("bootloader").bytes = bootloader_of(&segment);
    let (ended, flash, _) = scene.run(&mut scene.server());
    let fault = ImageFault::NotMcuboot;
    assert_eq!(ended, Err(Failure::Image { artifact: "bootloader", fault }));
    assert!(flash.bytes(BOOT) == scene.flash.bytes(BOOT));
}
