//! Signed applications: the chip checks the signature of each kind as the host does, and what it
//! leaves in flash is what the simulator leaves.
//!
//! Checking a signature needs much of the stack.

use bootswap_migration::content::classify;
use bootswap_plan::Role;
use bootswap_sim::example::unsigned_app;
use device_sim::{McubootConfig, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::{ImageVersion, SwapKind};

use crate::compare;
use crate::device::EmulatedMigration;

/// Bytes of the bootloader before headers and digest.
const BOOTLOADER_BYTES: u32 = 0x6000;

/// Migrates to a bootloader with this key and an application that is signed with it.
fn migrate(chip: Chip, key: &PrivateKey) {
    let options = SignOptions {
        version: ImageVersion::new(1, 2, 3),
        padding: Padding::Confirmed,
        key: Some(key),
        ..SignOptions::espressif(0x10_0000, SwapKind::Scratch)
    };
    let app = sign(&unsigned_app(chip), &options).unwrap();
    let config = McubootConfig { key: Some(key.public_key()), ..McubootConfig::example() };
    let bootloader =
        synthetic::mcuboot(chip, FlashSize::Mb4, BOOTLOADER_BYTES, 7, &config).unwrap();
    compare(&EmulatedMigration::download(chip, |migration| {
        migration.mcuboot.as_mut().unwrap().key_der = Some(key.public_key().to_der());
        let map = migration.mcuboot.clone();
        for (role, bytes) in [(Role::Application, app), (Role::Bootloader, bootloader)] {
            let artifact = migration.artifacts.iter_mut().find(|a| a.role == role).unwrap();
            artifact.content = Some(classify(&bytes, role, map.as_ref()).unwrap());
            artifact.bytes = Some(bytes);
        }
    }));
}

fn emulated_signed_with_rsa_2048(chip: Chip) {
    let pem = include_str!("../../../crates/mcuboot-format/testdata/rsa-2048.pem");
    migrate(chip, &PrivateKey::from_pem(pem).unwrap());
}

fn emulated_signed_with_rsa_3072(chip: Chip) {
    let pem = include_str!("../../../crates/mcuboot-format/testdata/rsa-3072.pem");
    migrate(chip, &PrivateKey::from_pem(pem).unwrap());
}

fn emulated_signed_with_p256(chip: Chip) {
    migrate(chip, &PrivateKey::ecdsa_p256([5; 32]).unwrap());
}

fn emulated_signed_with_ed25519(chip: Chip) {
    migrate(chip, &PrivateKey::ed25519([3; 32]));
}

on_each_chip! {
    emulated_signed_with_rsa_2048
    emulated_signed_with_rsa_3072
    emulated_signed_with_p256
    emulated_signed_with_ed25519
}
