//! Migrations of every kind, for the tests of whole migrations.
#![allow(dead_code, reason = "no test file uses all of it")]

use bootswap_migration::content::classify;
use bootswap_migration::{OwnedArtifact, OwnedMigration};
use bootswap_plan::Role;
use bootswap_sim::example;
use device_sim::synthetic;
use esp_idf_format::Chip;
use flash_region::{FlashAddr, Region};
use mcuboot_format::builder::{Padding, SignOptions, sign};

pub fn region(start: u32, len_bytes: u32) -> Region {
    Region::from_len(FlashAddr(start), len_bytes).unwrap()
}

/// Signs the example's application anew, for the map and with the padding given.
pub fn resign(migration: &mut OwnedMigration, padding: Padding) {
    let map = migration.mcuboot.as_ref().unwrap();
    let options = SignOptions {
        padding,
        security_counter: Some(0),
        trailer: map.lend().trailer_config(),
        ..SignOptions::espressif(map.primary.len_bytes(), map.swap)
    };
    let payload = synthetic::target_payload(migration.chip, 149_824, 1);
    let bytes = sign(&payload, &options).unwrap();
    let content = classify(&bytes, Role::Application, Some(map)).unwrap();
    let app = migration.artifacts.iter_mut().find(|a| a.role == Role::Application).unwrap();
    (app.bytes, app.content) = (Some(bytes), Some(content));
}

/// One image that spans bootloader, partition table and application, with gaps of 0xFF between
/// them.
pub fn merged(chip: Chip) -> OwnedMigration {
    let mut migration = example(chip).unwrap();
    let bootloader = migration.artifact(Role::Bootloader).unwrap().bytes.clone().unwrap();
    let table = migration.partition_table.clone().unwrap();
    resign(&mut migration, Padding::None);
    let app = migration.artifact(Role::Application).unwrap().bytes.clone().unwrap();
    let start = chip.bootloader_addr().get();
    let mut bytes = vec![0xff; 0x1_0000 - start as usize];
    bytes[..bootloader.len()].copy_from_slice(&bootloader);
    bytes[0x8000 - start as usize..][..table.len()].copy_from_slice(&table);
    bytes.extend_from_slice(&app);
    let len_bytes = u32::try_from(bytes.len()).unwrap().next_multiple_of(0x1000);
    migration.running = Some("ota_1".to_owned());
    migration.allow_overwrite = vec!["partition-table".to_owned()];
    migration.artifacts = vec![artifact("merged", Role::Other, bytes, region(start, len_bytes))];
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
