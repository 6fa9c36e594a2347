//! A firmware image for `bootswap pack` without code.

use bootswap_config::Section;
use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::ImageBuilder;
use esp_idf_format::{Chip, FixedText};

/// Where each chip sees an app's constants, as esptool's tables have it: it looks for the
/// description only there.
const fn drom_addr(chip: Chip) -> u32 {
    match chip {
        Chip::Esp32 => 0x3f40_0000,
        Chip::Esp32s2 => 0x3f00_0000,
        Chip::Esp32s3 | Chip::Esp32c3 => 0x3c00_0000,
        Chip::Esp32c6 | Chip::Esp32h2 => 0x4200_0000,
    }
}

/// A firmware image that has a section for a migration and no code.
pub fn firmware(chip: Chip) -> Vec<u8> {
    let text = |text: &str| FixedText::new(text).unwrap();
    let description = AppDescription::new(text("bootswap"), text("1.0.0"));
    ImageBuilder::new(chip)
        .entry_addr(0x4038_0000)
        .app_segment(drom_addr(chip) + 0x20, &description, Section::empty().bytes())
        .segment(0x4038_0000, &[0x13; 0x2000])
        .build()
        .unwrap()
}
