//! Migrations of every kind, for the tests of whole migrations.
#![allow(dead_code, reason = "no test file uses all of it")]

use bootswap_migration::content::classify;
use bootswap_migration::{OwnedArtifact, OwnedMigration};
use bootswap_plan::Role;
use bootswap_sim::{example, variants};
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use flash_region::{FlashAddr, Region};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;

pub fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

/// Signs the example's application anew, for the map and with the padding given.
pub fn resign(migration: &mut OwnedMigration, padding: Padding) {
    variants::resign(migration, 149_824, padding).unwrap();
}

/// The example with a bootloader that was built with that key, and an application signed with it.
pub fn signed(chip: Chip, pem: &str) -> OwnedMigration {
    let key = PrivateKey::from_pem(pem).unwrap();
    let mut migration = example(chip).unwrap();
    let map = migration.mcuboot.as_mut().unwrap();
    map.key_der = Some(key.public_key().to_der());
    let options = SignOptions {
        padding: Padding::Confirmed,
        key: Some(&key),
        ..SignOptions::espressif(map.primary.len_bytes(), map.swap)
    };
    let app = sign(&synthetic::target_payload(chip, 100_000, 1), &options).unwrap();
    let config = McubootConfig { key: Some(key.public_key()), ..McubootConfig::example() };
    let bootloader = synthetic::mcuboot(chip, FlashSize::Mb4, 0x6000, 2, &config).unwrap();
    for (role, bytes) in [(Role::Application, app), (Role::Bootloader, bootloader)] {
        let content = classify(&bytes, role, migration.mcuboot.as_ref()).unwrap();
        let artifact = migration.artifacts.iter_mut().find(|a| a.role == role).unwrap();
        (artifact.bytes, artifact.content) = (Some(bytes), Some(content));
    }
    migration
}

/// Artifacts with places of their own, and no MCUboot.
pub fn other_bootloader() -> OwnedMigration {
    let chip = Chip::Esp32c3;
    let mut migration = example(chip).unwrap();
    let app = synthetic::app(chip, "successor", "2.0", 100_000, 7).unwrap();
    let mut bootloader = esp_idf_bootloaders::bootloader(chip, 4 << 20).unwrap();
    // Another frequency makes it another bootloader than the one in place.
    bootloader[3] = (bootloader[3] & 0xf0) | 0x0f;
    esp_idf_format::image::update_checksums(&mut bootloader).unwrap();
    migration.mcuboot = None;
    migration.running = Some("ota_1".to_owned());
    migration.allow_overwrite = vec!["otadata".to_owned()];
    migration.artifacts = vec![
        artifact("app", Role::Application, app, region(0x1_0000, 0x10_0000)),
        artifact("data", Role::Other, vec![0x5a; 5000], region(0x32_0000, 0x2000)),
        artifact("otadata", Role::Other, vec![0xff; 0x2000], region(0xd000, 0x2000)),
        artifact("bootloader", Role::Bootloader, bootloader, region(0, 0x8000)),
    ];
    migration
}

pub fn artifact(name: &str, role: Role, bytes: Vec<u8>, dest: Region) -> OwnedArtifact {
    OwnedArtifact {
        name: name.to_owned(),
        role,
        url: Some(format!("http://lab/{name}.bin")),
        bytes: Some(bytes),
        dest: Some(dest),
        region_len_bytes: None,
        content: None,
        confirm: false,
    }
}
