//! Migration files as owners write them, with every mistake that is easy to make.

mod any_text;
mod bootloaders;
mod files;
mod hosted;
mod keys;
mod mistakes;
mod reading;
mod refused;

use std::fs;
use std::path::Path;

use bootswap_plan::{Content, Role};
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use esp_idf_format::partition::PartitionTable;
use flash_region::{FlashAddr, Region};
use mcuboot_format::builder::{Padding, SignOptions, sign};
use mcuboot_format::key::PrivateKey;
use mcuboot_format::tlv::{TlvType, Tlvs};
use mcuboot_format::{ImageHeader, SwapKind};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::example::{MIGRATION as EXAMPLE, PARTITIONS};
use crate::load::from_text;
use crate::problem::Problem;
use crate::{LoadError, OwnedMigration, OwnedStaging, load, spec};

const SLOT_LEN_BYTES: u32 = 0x10_0000;

/// A directory with the files that the example names.
struct ExampleDir(TempDir);

impl ExampleDir {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lab = Self(dir);
        lab.write("partitions.csv", PARTITIONS.as_bytes());
        lab.write("app_upd.bin", &app(Padding::Confirmed, None));
        lab.write("mcuboot.bin", &bootloader());
        lab
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn load(&self, text: &str) -> Result<OwnedMigration, Problem> {
        from_text(text, self.path())
    }

    /// What is wrong with the example after that change of its text.
    fn problem(&self, from: &str, to: &str) -> Problem {
        assert!(EXAMPLE.contains(from), "{from}");
        self.load(&EXAMPLE.replacen(from, to, 1)).unwrap_err()
    }
}

fn app(padding: Padding, key: Option<&PrivateKey>) -> Vec<u8> {
    let options =
        SignOptions { padding, key, ..SignOptions::espressif(SLOT_LEN_BYTES, SwapKind::Scratch) };
    sign(&synthetic::target_payload(Chip::Esp32s3, 0x2000, 1), &options).unwrap()
}

fn bootloader() -> Vec<u8> {
    synthetic::bootloader(Chip::Esp32s3, FlashSize::Mb4, 0x6000, 2).unwrap()
}

fn region(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}

/// The public half of the Ed25519 key of 32 sevens.
fn public_pem() -> Vec<u8> {
    let der = PrivateKey::ed25519([7; 32]).public_key().to_der();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = String::new();
    for group in der.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0, |bits, (i, b)| bits | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = digits[(bits >> (18 - 6 * i)) as usize & 63];
            body.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").into_bytes()
}
