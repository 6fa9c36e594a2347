//! Running the program in a directory with the example in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use bootswap_migration::example::MIGRATION;
use bootswap_migration::example::PARTITIONS;
use device_sim::{FlashBuilder, OldData, synthetic};
use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::SwapKind;
use mcuboot_format::builder::{Padding, SignOptions, sign};
use serde_json::Value;
use tempfile::TempDir;

/// The program, to be run in that directory, without any firmware unless a test says where one is.
pub fn bootswap(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootswap"));
    command.current_dir(dir).env("NO_COLOR", "1").stdin(Stdio::null());
    command.env("BOOTSWAP_FIRMWARE", "no-firmware");
    command
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The one JSON object on stdout.
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap();
        assert!(value.is_object(), "{value}");
        value
    }
}

/// A directory with the example's files.
pub struct WorkDir(TempDir);

impl WorkDir {
    pub fn new() -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        lab.write("migration.toml", MIGRATION.as_bytes());
        lab.write("partitions.csv", PARTITIONS.as_bytes());
        lab.write("app_upd.bin", &target(Padding::Confirmed));
        lab.write("mcuboot.bin", &bootloader(2));
        lab
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        let output = bootswap(self.path()).args(args).output().unwrap();
        Ended {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the program, and checks its exit status.
    pub fn ends_with(&self, status: i32, args: &[&str]) -> Ended {
        let ended = self.run(args);
        assert_eq!(ended.status, status, "{args:?}\n{}\n{}", ended.stdout, ended.stderr);
        ended
    }
}

/// The target application in a slot of 1 MiB.
pub fn target(padding: Padding) -> Vec<u8> {
    let options = SignOptions { padding, ..SignOptions::espressif(0x10_0000, SwapKind::Scratch) };
    sign(&synthetic::target_payload(Chip::Esp32s3, 0x2000, 1), &options).unwrap()
}

pub fn bootloader(seed: u64) -> Vec<u8> {
    synthetic::bootloader(Chip::Esp32s3, FlashSize::Mb4, 0x6000, seed).unwrap()
}

/// A device with an app of 0x20000 bytes in that partition.
pub fn dump(label: &str) -> Vec<u8> {
    let app = synthetic::app(Chip::Esp32s3, "old", "1.0", 0x2_0000, 4).unwrap();
    FlashBuilder::new(Chip::Esp32s3, FlashSize::Mb4)
        .partitions(&synthetic::example_partitions())
        .bootloader(&bootloader(3))
        .old_data(OldData::Noise { seed: 5 })
        .app(label, &app)
        .build()
        .unwrap()
        .to_bytes()
}

/// A key for tests, of the crate that signs.
pub fn key(name: &str) -> String {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "mcuboot-format", "testdata", name].iter().collect();
    path.to_str().unwrap().to_owned()
}
