//! Packed migrators, checked by esptool.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)]

mod esp_idf_support;

use bootswap_config::Section;
use bootswap_migration::pack::{Firmware, pack};
use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::{self, ImageBuilder};
use esp_idf_format::{Chip, FixedText};
use esp_idf_support::image_info;
use flash_region::Hex;

fn firmware(chip: Chip) -> Vec<u8> {
    let text = |text: &str| FixedText::new(text).unwrap();
    let description = AppDescription::new(text("bootswap"), text("1.0.0"));
    ImageBuilder::new(chip)
        .entry_addr(0x4038_0000)
        .app_segment(0x3c00_0020, &description, Section::empty().bytes())
        .segment(0x4038_0000, &[0x13; 0x2000])
        .build()
        .unwrap()
}

/// A migration of one file to one place, with a network that has a password.
fn migrator(chip: Chip, embed: bool) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let url = if embed { "" } else { "url = \"http://192.168.100.101:8070/data.bin\"" };
    let text = format!(
        "chip = \"{chip}\"\n[[artifact]]\nfile = \"data.bin\"\n\
         dest = 0x300000\nsize = 0x1000\n{url}\n\
         [[network.wifi]]\nssid = \"fleet\"\npassword = \"correct horse\"\n"
    );
    std::fs::write(dir.path().join("data.bin"), [0x42; 1000]).unwrap();
    std::fs::write(dir.path().join("migration.toml"), text).unwrap();
    let migration = bootswap_migration::load(&dir.path().join("migration.toml")).unwrap();
    let packed = pack(&migration, Firmware::new(firmware(chip), chip).unwrap()).unwrap();
    assert_eq!(packed.embedded, usize::from(embed));
    packed.image
}

#[test]
fn esptool_finds_packed_images_valid() {
    let kinds = Chip::ALL.into_iter().flat_map(|chip| [(chip, false), (chip, true)]);
    let images: Vec<Vec<u8>> = kinds.clone().map(|(chip, embed)| migrator(chip, embed)).collect();
    for (((chip, embed), bytes), esptool) in kinds.zip(&images).zip(image_info(&images)) {
        let info = image::verify(bytes).unwrap();
        assert_eq!(info.total_len_bytes as usize == bytes.len(), !embed, "{chip}");
        let digest = info.digest.unwrap();
        let digest = Hex(&digest);
        assert_eq!(esptool.field("Checksum"), format!("{:#04x} (valid)", info.checksum), "{chip}");
        assert_eq!(esptool.field("Validation hash"), format!("{digest} (valid)"), "{chip}");
        // esptool looks for the description only in memory that its table calls DROM.
        if chip == Chip::Esp32c3 {
            assert_eq!(esptool.field("Project name"), "bootswap");
        }
    }
}
