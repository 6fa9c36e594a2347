//! Packed migrators, checked by esptool.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)]

mod esp_idf_support;
#[path = "esp_idf_support/firmware.rs"]
mod firmware;

use bootswap_migration::image::{EspInfo, FileKind};
use bootswap_migration::pack::{Firmware, pack};
use conformance::program::Ran;
use conformance::python;
use device_sim::synthetic::example_partitions;
use esp_idf_format::Chip;
use esp_idf_format::image;
use esp_idf_format::partition::{TABLE_LEN_BYTES, emit};
use esp_idf_support::image_info;
use firmware::firmware;
use flash_region::Hex;

/// A migration of one file to one place, with a network that has a password, and the lines of
/// `[migrator]`.
fn migrator(chip: Chip, embed: bool, identity: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let url = if embed { "" } else { "url = \"http://192.168.100.101:8070/data.bin\"" };
    let text = format!(
        "chip = \"{chip}\"\n[[artifact]]\nfile = \"data.bin\"\n\
         dest = 0x300000\nsize = 0x1000\n{url}\n\
         [[network.wifi]]\nssid = \"fleet\"\npassword = \"correct horse\"\n\
         [migrator]\n{identity}"
    );
    std::fs::write(dir.path().join("data.bin"), [0x42; 1000]).unwrap();
    std::fs::write(dir.path().join("migration.toml"), text).unwrap();
    let migration = bootswap_migration::load(&dir.path().join("migration.toml")).unwrap();
    let packed = pack(&migration, Firmware::new(firmware(chip), chip).unwrap()).unwrap();
    // For a chip without a radio the file is embedded, whether it has a URL or not.
    assert_eq!(packed.embedded, usize::from(embed || !chip.has_wifi()));
    packed.image
}

#[test]
fn esptool_finds_packed_images_valid() {
    let kinds = Chip::ALL.into_iter().flat_map(|chip| [(chip, false), (chip, true)]);
    let images: Vec<Vec<u8>> =
        kinds.clone().map(|(chip, embed)| migrator(chip, embed, "")).collect();
    for (((chip, embed), bytes), esptool) in kinds.zip(&images).zip(image_info(&images)) {
        let info = image::verify(bytes).unwrap();
        let is_alone = !embed && chip.has_wifi();
        assert_eq!(info.total_len_bytes as usize == bytes.len(), is_alone, "{chip}");
        let digest = info.digest.unwrap();
        let digest = Hex(&digest);
        assert_eq!(esptool.field("Checksum"), format!("{:#04x} (valid)", info.checksum), "{chip}");
        assert_eq!(esptool.field("Validation hash"), format!("{digest} (valid)"), "{chip}");
        assert_eq!(esptool.field("Project name"), "bootswap");
    }
}

/// Keys of `[migrator]`, and what a tool then shows as project, version and secure version.
const IDENTITIES: [(&str, [&str; 3]); 4] = [
    ("", ["bootswap", "1.0.0", "0"]),
    ("version = \"2.0.0-rc1+7\"\nproject = \"sensor\"", ["sensor", "2.0.0-rc1+7", "0"]),
    ("secure_version = 0xffffffff", ["bootswap", "1.0.0", "4294967295"]),
    (
        "version = \"a version of thirty-one letters\"\nsecure_version = 16\n\
         project = \"a project with a very long name\"",
        ["a project with a very long name", "a version of thirty-one letters", "16"],
    ),
];

#[test]
fn esptool_reads_the_identity_that_was_packed() {
    let kinds =
        || Chip::ALL.into_iter().flat_map(|chip| IDENTITIES.map(|identity| (chip, identity)));
    let images: Vec<_> = kinds().map(|(chip, (keys, _))| migrator(chip, true, keys)).collect();
    for ((chip, (keys, wanted)), esptool) in kinds().zip(image_info(&images)) {
        let shown =
            ["Project name", "App version", "Secure version"].map(|name| esptool.field(name));
        assert_eq!(shown, wanted, "{chip} {keys}");
    }
}

/// Runs `esptool merge-bin` over files and their addresses, padded to the size of the flash.
fn merge_at(chip: Chip, parts: &[(u32, &[u8])], flash_size: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let mut args: Vec<String> = ["--chip", chip.name(), "merge-bin", "--output", "merged"]
        .into_iter()
        .chain(["--pad-to-size", flash_size, "--flash-size", flash_size])
        .map(str::to_owned)
        .collect();
    for (n, (addr, bytes)) in parts.iter().enumerate() {
        std::fs::write(dir.path().join(n.to_string()), bytes).unwrap();
        args.extend([format!("{addr:#x}"), n.to_string()]);
    }
    let mut esptool = python::command();
    esptool.args(["-m", "esptool"]).args(args).current_dir(dir.path());
    let _ = Ran::of(&mut esptool).expect_success();
    std::fs::read(dir.path().join("merged")).unwrap()
}

/// Merged with bootloader and table into one file, the migrator is the same to the last byte, and
/// is found there with its identity.
#[test]
fn a_packed_migrator_survives_esptools_merge_bin() {
    for chip in Chip::ALL {
        let (keys, [project, version, secure_version]) = IDENTITIES[3];
        let packed = migrator(chip, true, keys);
        let bootloader = esp_idf_bootloaders::bootloader(chip, 0x40_0000).unwrap();
        let mut table = [0; TABLE_LEN_BYTES as usize];
        emit(&example_partitions(), &mut table).unwrap();
        let parts =
            [(chip.bootloader_addr().get(), &*bootloader), (0x8000, &table), (0x1_0000, &packed)];
        let merged = merge_at(chip, &parts, "4MB");
        assert_eq!(merged.len(), 0x40_0000, "{chip}");
        assert!(merged[0x1_0000..].starts_with(&packed), "{chip}");
        assert_eq!(FileKind::of(&merged), Some(FileKind::FlashDump), "{chip}");
        let held = EspInfo::of(&merged[0x1_0000..0x11_0000]);
        assert_eq!(held.project_name.as_deref(), Some(project), "{chip}");
        assert_eq!(held.version.as_deref(), Some(version), "{chip}");
        assert_eq!(held.secure_version.unwrap().to_string(), secure_version, "{chip}");
        assert_eq!(held.embedded.len(), 1, "{chip}: the embedded file follows it");
    }
}
