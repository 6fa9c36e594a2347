//! What a serial console would show.

use core::fmt;

use esp_idf_format::Chip;
use esp_idf_format::image::ImageError;
use esp_idf_format::otadata::{BootSlot, OtaEntry, OtaEntryError, OtaState};
use esp_idf_format::partition::Partition;
use flash_region::{FlashAddr, Region};
use mcuboot_boot::BootEvent;
use nor_sim::{Modelled, Trip};

use crate::{
    AppExit, BootFailure, BootStage, ImageRefusal, LoaderEvent, ResetCause, RunningApp, TargetApp,
};

/// Something that happened. It prints as one line of a serial console.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DeviceEvent {
    /// Power came on.
    PowerOn,
    /// The device was reset.
    Reset(ResetCause),
    /// Power was lost.
    PowerLost {
        /// What was running.
        stage: BootStage,
        /// The operation at which it was lost, numbered over the life of the device.
        op: u64,
    },
    /// The ROM has loaded a bootloader.
    RomLoads {
        /// The chip.
        chip: Chip,
        /// From where.
        addr: FlashAddr,
        /// How many bytes.
        len_bytes: u32,
    },
    /// The ROM says that the bootloader's SHA-256 is wrong, and starts it nevertheless.
    RomDigestMismatch(ImageError),
    /// The ESP-IDF bootloader runs.
    EspIdfStarts {
        /// The flash size in its header.
        flash_len_bytes: u32,
        /// Whether it was built with rollback.
        rollback: bool,
    },
    /// It has read a partition.
    Partition {
        /// Its place in the table, from 0.
        index: usize,
        /// The partition.
        partition: Partition,
    },
    /// It has read an entry of otadata.
    Otadata {
        /// Which, 0 or 1.
        index: usize,
        /// The entry.
        entry: Result<OtaEntry, OtaEntryError>,
    },
    /// It has written an entry of otadata.
    OtadataWritten {
        /// Which, 0 or 1.
        index: usize,
        /// The state that the entry now has.
        state: OtaState,
    },
    /// An app cannot be started.
    NotBootable {
        /// Where the app would be.
        slot: BootSlot,
        /// Why not.
        why: ImageRefusal,
    },
    /// An app has been started.
    AppStarts(Box<RunningApp>),
    /// An app has touched the flash that it runs from.
    CodeTouched(Trip),
    /// An app has ended.
    AppEnds(AppExit),
    /// A loader reports.
    Loader(LoaderEvent),
    /// MCUboot runs.
    McubootStarts {
        /// The flash size in its header.
        flash_len_bytes: u32,
    },
    /// MCUboot reports.
    Mcuboot(BootEvent),
    /// The target application has been started.
    TargetStarts(TargetApp),
    /// The target application confirms itself.
    TargetConfirms {
        /// Whether its trailer is confirmed now.
        worked: bool,
    },
    /// The target application writes over those sectors.
    TargetOverwrites {
        /// Which.
        region: Region,
    },
    /// Nothing starts.
    Failed(BootFailure),
}

impl fmt::Display for DeviceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOn => f.write_str("rst: power on"),
            Self::Reset(cause) => write!(f, "rst: {cause}"),
            Self::PowerLost { stage, op } => {
                write!(f, "--- power lost at flash operation {op}, in {stage}")
            }
            Self::RomLoads { chip, addr, len_bytes } => {
                write!(f, "{chip} ROM: load:{addr},len:{len_bytes:#x}")
            }
            Self::RomDigestMismatch(error) => {
                write!(f, "ROM: SHA-256 comparison failed, attempting to boot anyway ({error})")
            }
            Self::EspIdfStarts { flash_len_bytes, rollback } => write!(
                f,
                "boot: ESP-IDF 2nd stage bootloader, SPI Flash Size : {}MB{}",
                flash_len_bytes >> 20,
                if *rollback { ", rollback enabled" } else { "" }
            ),
            Self::Partition { index, partition } => write!(
                f,
                "boot: {index:2} {:<16} {:<16} {:08x} {:08x}",
                partition.label,
                partition.usage().to_string(),
                partition.region.start().get(),
                partition.region.len_bytes()
            ),
            Self::Otadata { index, entry: Ok(entry) } => {
                write!(f, "boot: otadata[{index}]: sequence {:#x}, {}", entry.seq, entry.state)
            }
            Self::Otadata { index, entry: Err(error) } => {
                write!(f, "boot: otadata[{index}]: {error}")
            }
            Self::OtadataWritten { index, state } => {
                write!(f, "boot: otadata[{index}] is marked {state}")
            }
            Self::NotBootable { slot, why } => {
                f.write_str("boot: ")?;
                match slot {
                    BootSlot::Factory => f.write_str("Factory app partition")?,
                    BootSlot::Ota(index) => write!(f, "OTA app partition slot {index}")?,
                    BootSlot::Test => f.write_str("Factory test app partition")?,
                }
                write!(f, " is not bootable: {why}")
            }
            Self::AppStarts(app) => {
                let at = app.partition.region.start();
                write!(f, "boot: Loaded app from partition at offset {at}: {app}")
            }
            Self::CodeTouched(trip) => write!(f, "app: {trip}, which it runs from"),
            Self::AppEnds(AppExit::Reset) => f.write_str("app: resets"),
            Self::AppEnds(AppExit::Stay) => f.write_str("app: keeps running"),
            Self::AppEnds(AppExit::Crashed { why }) => {
                write!(f, "app: Guru Meditation Error: {why}")
            }
            Self::AppEnds(AppExit::PowerLost) => f.write_str("app: cut off"),
            Self::Loader(event) => event.fmt(f),
            Self::McubootStarts { flash_len_bytes } => write!(
                f,
                "[boot] *** Booting MCUboot ***, SPI Flash Size : {}MB",
                flash_len_bytes >> 20
            ),
            Self::Mcuboot(event) => write!(f, "[boot] {event}"),
            Self::TargetStarts(target) => write!(f, "[boot] {target}"),
            Self::TargetConfirms { worked: true } => f.write_str("target: confirmed"),
            Self::TargetConfirms { worked: false } => f.write_str("target: cannot be confirmed"),
            Self::TargetOverwrites { region } => write!(f, "target: overwrites {region}"),
            Self::Failed(why) => write!(f, "--- nothing starts: {why}"),
        }
    }
}

/// An event, with the boot and the time at which it happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Which boot of the device, from 1.
    pub boot: u32,
    /// Modelled time since the device was made.
    pub at: Modelled,
    /// What happened.
    pub event: DeviceEvent,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.at.busy_us.typ + self.at.read_us;
        write!(f, "{}| {:5}.{:03} {}", self.boot, us / 1_000_000, us / 1000 % 1000, self.event)
    }
}

/// Takes the lines of a serial console: `()` drops them, a `Vec<Line>` keeps them, a function gets
/// each of them.
pub trait Console {
    /// Takes one line.
    fn line(&mut self, line: Line);
}

impl Console for () {
    fn line(&mut self, _: Line) {}
}

impl Console for Vec<Line> {
    fn line(&mut self, line: Line) {
        self.push(line);
    }
}

impl<F: FnMut(Line)> Console for F {
    fn line(&mut self, line: Line) {
        self(line);
    }
}
