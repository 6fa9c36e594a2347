//! Why nothing starts.

use core::fmt;

use esp_idf_format::Chip;
use esp_idf_format::image::{FlashMode, ImageError};
use esp_idf_format::partition::{Partition, PartitionTableError};
use flash_region::{FlashAddr, Hex, Region};
use mcuboot_boot::McubootOutcome;
use mcuboot_format::espressif::LoadFault;
use nor_sim::NorError;

use crate::LoadFailure;

/// Why nothing runs after a boot, and at which stage it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BootFailure {
    /// The mask ROM loads nothing, or something that cannot run.
    Rom(RomFailure),
    /// The ESP-IDF bootloader finds no app.
    EspIdf(EspIdfFailure),
    /// A loader starts nothing that is known to run.
    Loader(LoaderFailure),
    /// MCUboot finds no application.
    Mcuboot(McubootFailure),
    /// The target application hangs, and no watchdog resets it.
    TargetHangs,
}

/// Why the mask ROM loads no bootloader, or one that cannot run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RomFailure {
    /// There is no image, or a damaged one.
    Image(ImageError),
    /// The image is for another chip.
    WrongChip {
        /// The number of the chip in the image.
        found: u16,
        /// The chip.
        chip: Chip,
    },
    /// The flash of this board cannot be read in the mode that the image asks for.
    FlashMode {
        /// The mode; `None` if the image has a number that is no mode.
        mode: Option<FlashMode>,
    },
    /// The image overwrites the ROM's memory or itself, or its entry point is not in loaded code.
    Load(LoadFailure),
    /// Secure boot or flash encryption is on and the image was not made for that.
    NotPrepared,
    /// The ROM loads the image, but the board does not know this bootloader. What would run is
    /// unknown, which counts as a failure.
    UnknownBootloader {
        /// The SHA-256 of the image's bytes.
        digest: [u8; 32],
    },
    /// The flash cannot be read.
    Flash(NorError),
}

/// Why the ESP-IDF bootloader starts nothing. It resets, and then does the same again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EspIdfFailure {
    /// The partition table is refused.
    PartitionTable(PartitionTableError),
    /// A partition ends past the flash size in the bootloader's header.
    BehindFlash {
        /// The partition.
        partition: Partition,
        /// Bytes of flash, as the header has it.
        flash_len_bytes: u32,
    },
    /// The otadata partition is too small for two entries.
    OtadataTooSmall {
        /// The partition.
        partition: Partition,
    },
    /// No partition has an app that can be started.
    NoBootableApp,
    /// The flash fails.
    Flash(NorError),
}

/// Why the ESP-IDF bootloader does not start an app from a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ImageRefusal {
    /// There is no image, or a damaged one, or it does not fit.
    Image(ImageError),
    /// The image is for another chip.
    WrongChip {
        /// The number of the chip in the image.
        found: u16,
        /// The chip.
        chip: Chip,
    },
    /// The partition is larger than 16 MiB.
    PartitionTooLarge {
        /// The partition's region.
        region: Region,
    },
    /// The flash cannot be read.
    Flash(NorError),
}

/// Why nothing is known to run after a loader. What the loader itself refuses is shown on the
/// console.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoaderFailure {
    /// The app has a loader's record, but the board does not know its code.
    UnknownLoader {
        /// The digest of its code.
        digest: [u8; 32],
    },
    /// It starts an image that is no MCUboot that the board knows.
    UnknownBootloader {
        /// The SHA-256 of the image's bytes.
        digest: [u8; 32],
    },
    /// The image overwrites the ROM's memory, the loader or itself, or its entry point is not in
    /// loaded code.
    Load(LoadFailure),
    /// The flash fails.
    Flash(NorError),
}

impl From<NorError> for LoaderFailure {
    fn from(error: NorError) -> Self {
        Self::Flash(error)
    }
}

/// Why MCUboot starts nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum McubootFailure {
    /// It finds nothing to boot and stops for good, or crashes.
    Boot(McubootOutcome),
    /// It stops at an image whose load header is missing, wrong, or that of another chip's
    /// application. Espressif's port expects it after the image's header. The next reset ends the
    /// same way.
    LoadHeader {
        /// Where it is looked for.
        addr: FlashAddr,
        /// What is wrong with it.
        fault: LoadFault,
    },
    /// The flash fails, or a slot is past the flash size in the bootloader's header.
    Flash(NorError),
}

impl fmt::Display for BootFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rom(why) => write!(f, "ROM: {why}"),
            Self::EspIdf(why) => write!(f, "ESP-IDF bootloader: {why}"),
            Self::Loader(why) => write!(f, "loader: {why}"),
            Self::Mcuboot(why) => write!(f, "MCUboot: {why}"),
            Self::TargetHangs => f.write_str("the target application hangs, without a watchdog"),
        }
    }
}

impl fmt::Display for RomFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => write!(f, "{error}"),
            Self::WrongChip { found, chip } => wrong_chip(f, *found, *chip),
            Self::FlashMode { mode: Some(mode) } => {
                write!(f, "this board's flash cannot be read in mode {mode}")
            }
            Self::FlashMode { mode: None } => f.write_str("invalid flash mode"),
            Self::Load(why) => write!(f, "{why}"),
            Self::NotPrepared => {
                f.write_str("bootloader neither signed nor encrypted for this device's eFuses")
            }
            Self::UnknownBootloader { digest } => unknown(f, "bootloader", digest),
            Self::Flash(error) => write!(f, "flash: {error}"),
        }
    }
}

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMemory { addr } => write!(f, "loads to {addr:#x}, where there is no memory"),
            Self::Overwritten { addr } => {
                write!(f, "loads to {addr:#x}, over the ROM's memory or an earlier segment")
            }
            Self::Entry { addr } => {
                write!(f, "jumps to {addr:#x}, where nothing was loaded that can be executed")
            }
        }
    }
}

impl fmt::Display for LoaderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLoader { digest } => unknown(f, "loader", digest),
            Self::UnknownBootloader { digest } => unknown(f, "MCUboot", digest),
            Self::Load(LoadFailure::Overwritten { addr }) => write!(
                f,
                "loads to {addr:#x}, over the loader, the ROM's memory or an earlier segment"
            ),
            Self::Load(why) => write!(f, "{why}"),
            Self::Flash(error) => write!(f, "flash: {error}"),
        }
    }
}

impl fmt::Display for EspIdfFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PartitionTable(error) => write!(f, "{error}"),
            Self::BehindFlash { partition, flash_len_bytes } => write!(
                f,
                "partition {partition} exceeds the flash size {flash_len_bytes:#x} in the \
                 bootloader's header"
            ),
            Self::OtadataTooSmall { partition } => {
                write!(f, "ota_info partition {partition} is too small")
            }
            Self::NoBootableApp => f.write_str("No bootable app partitions in the partition table"),
            Self::Flash(error) => write!(f, "flash: {error}"),
        }
    }
}

impl fmt::Display for ImageRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => write!(f, "{error}"),
            Self::WrongChip { found, chip } => wrong_chip(f, *found, *chip),
            Self::PartitionTooLarge { region } => {
                write!(f, "partition size {:#x} invalid, larger than 16MB", region.len_bytes())
            }
            Self::Flash(error) => write!(f, "flash: {error}"),
        }
    }
}

impl fmt::Display for McubootFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(outcome) => write!(f, "{outcome}"),
            Self::LoadHeader { addr, fault } => write!(f, "{fault}, at {addr}. Aborting"),
            Self::Flash(error) => write!(f, "flash: {error}"),
        }
    }
}

fn unknown(f: &mut fmt::Formatter<'_>, what: &str, digest: &[u8; 32]) -> fmt::Result {
    let (first, _) = digest.split_at(4);
    write!(f, "unknown {what}, its SHA-256 begins with {}", Hex(first))
}

fn wrong_chip(f: &mut fmt::Formatter<'_>, found: u16, chip: Chip) -> fmt::Result {
    match Chip::from_image_chip_id(found) {
        Some(other) => write!(f, "image for {other} on an {chip}"),
        None => write!(f, "image for chip number {found} on an {chip}"),
    }
}

impl core::error::Error for BootFailure {}
