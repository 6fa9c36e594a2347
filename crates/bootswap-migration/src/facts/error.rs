//! Why a device's facts could not be determined.

use std::fmt;

use esp_idf_format::image::{FlashSize, ImageError};
use esp_idf_format::otadata::OtaDataError;
use esp_idf_format::partition::PartitionTableError;
use esp_idf_format::{Chip, FixedText, ImageChip};
use flash_region::{FlashAddr, Region};

/// Why a device's facts could not be determined from its dump or from a migration.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FactsError {
    /// The dump's length is not a flash size.
    Length {
        /// Its bytes.
        len_bytes: usize,
    },
    /// The dump ends before the flash does.
    CutOff {
        /// Its bytes.
        len_bytes: usize,
        /// Flash size in the header of its bootloader.
        wanted: FlashSize,
    },
    /// There is no bootloader that the ROM would start.
    Bootloader {
        /// Where it should be.
        start: FlashAddr,
        /// What is wrong, with offsets from there.
        error: ImageError,
    },
    /// The bootloader is for another chip.
    Chip {
        /// Chip of the migration.
        wanted: Chip,
        /// Where the bootloader is.
        start: FlashAddr,
        /// Number of the chip in its header.
        found: u16,
    },
    /// The bootloader's header has a flash mode that the ROM does not know.
    FlashMode {
        /// Where the bootloader is.
        start: FlashAddr,
        /// The number of the mode.
        number: u8,
    },
    /// A partition ends beyond the flash size in the bootloader's header, for which an ESP-IDF
    /// bootloader starts nothing (`esp_partition_table_verify`, components/bootloader_support).
    BeyondHeader {
        /// Label of the partition.
        label: FixedText<16>,
        /// Where it is.
        region: Region,
        /// Flash size in the header of the bootloader.
        header: FlashSize,
    },
    /// There is no partition table that the bootloader would take.
    Table {
        /// The last address that was tried.
        addr: FlashAddr,
        /// What is wrong, with offsets from its start.
        error: PartitionTableError,
    },
    /// The migration names no partition table.
    NoTable,
    /// No partition of the table is for an app.
    NoAppPartition,
    /// No partition has the label.
    UnknownLabel {
        /// The label.
        label: String,
        /// Labels of the app partitions.
        apps: Vec<String>,
    },
    /// The partition with this label is not for an app.
    NotAnApp {
        /// The label.
        label: String,
        /// Labels of the app partitions.
        apps: Vec<String>,
    },
    /// The bootloader would start no app; this error is about the app that it tries first.
    App {
        /// Label of the partition.
        label: FixedText<16>,
        /// Where it starts.
        start: FlashAddr,
        /// What is wrong, with offsets from there.
        error: ImageError,
    },
    /// The app that the bootloader tries first is for another chip, and there is no other app.
    AppChip {
        /// Label of the partition.
        label: FixedText<16>,
        /// Where it starts.
        start: FlashAddr,
        /// Number of the chip in its header.
        found: u16,
    },
    /// The bootloader does not start this partition, whatever the old firmware's update does.
    NotStarted {
        /// Label of the partition.
        label: FixedText<16>,
        /// Label of the partition that it starts, if any.
        starts: Option<FixedText<16>>,
    },
    /// The old firmware's update cannot select that partition.
    Otadata {
        /// Label of the partition.
        label: FixedText<16>,
        /// What is wrong.
        error: OtaDataError,
    },
}

impl FactsError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Length { .. } | Self::CutOff { .. } => {
                "read the whole flash, from address 0 to its end, for example with \
                 `esptool read-flash 0 ALL dump.bin`"
                    .to_owned()
            }
            Self::Bootloader { .. } | Self::FlashMode { .. } => {
                "read the flash again, from address 0; the dump of a device with flash encryption \
                 cannot be read, and such a device cannot be migrated"
                    .to_owned()
            }
            Self::BeyondHeader { .. } => {
                "the device does not start as the dump has it: correct the flash size in the \
                 bootloader's header as it was flashed, or read the flash again"
                    .to_owned()
            }
            Self::Chip { .. } => {
                "use the migration for the device's chip, or the dump of another device".to_owned()
            }
            Self::Table { .. } => "read the flash again, from address 0; if the devices' \
                CONFIG_PARTITION_TABLE_OFFSET is not ESP-IDF's default, set it as \
                `partition_table_offset`"
                .to_owned(),
            Self::NoTable => {
                "add `partitions = \"partitions.csv\"` to the migration, or read a device's flash \
                 and name the dump with --flash"
                    .to_owned()
            }
            Self::NoAppPartition => {
                "use the partition table of the devices as they are now, under ESP-IDF".to_owned()
            }
            Self::UnknownLabel { apps, .. } | Self::NotAnApp { apps, .. } => {
                format!("the app partitions are {}", apps.join(", "))
            }
            Self::App { .. } | Self::AppChip { .. } => {
                "name the partition that the migrator will run from with --running".to_owned()
            }
            Self::NotStarted { .. } | Self::Otadata { .. } => {
                "name a partition with --running that an update of the old firmware can start"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len_bytes } => {
                write!(f, "{len_bytes:#x} bytes are not a flash size, which is one of")?;
                FlashSize::ALL.iter().try_for_each(|size| write!(f, " {size}"))
            }
            Self::CutOff { len_bytes, wanted } => {
                if u32::try_from(*len_bytes).ok().and_then(FlashSize::from_bytes).is_none() {
                    write!(f, "{len_bytes:#x} bytes are not a flash size, the dump is cut off: ")?;
                } else {
                    write!(f, "the dump is cut off: it has {len_bytes:#x} bytes, and ")?;
                }
                write!(f, "the bootloader in it is built for {wanted}")
            }
            Self::Bootloader { start, error: error @ ImageError::Rom(_) } => {
                write!(f, "the ROM does not start the bootloader at {start}: {error}")
            }
            Self::FlashMode { start, number } => write!(
                f,
                "the ROM does not start the bootloader at {start}: it knows no flash mode {number} \
                 (offset 2)"
            ),
            Self::Bootloader { start, error } => {
                write!(f, "no complete bootloader at {start}: {error}")
            }
            Self::BeyondHeader { label, region, header } => write!(
                f,
                "the bootloader does not start this device: its header says {header} of flash, and \
                 the partition {label} at {region} ends beyond that"
            ),
            Self::Chip { wanted, start, found } => {
                write!(
                    f,
                    "the bootloader at {start} is for {}, the migration for {wanted}",
                    ImageChip(*found)
                )
            }
            Self::Table { addr, error } => {
                write!(
                    f,
                    "no valid partition table, at {addr} or wherever else it could be: \
                {error}"
                )
            }
            Self::NoTable => f.write_str(
                "the migration names no partition table, and there is no dump to read it from",
            ),
            Self::NoAppPartition => f.write_str("the partition table has no partition for an app"),
            Self::UnknownLabel { label, .. } => write!(f, "no partition is labelled {label:?}"),
            Self::NotAnApp { label, .. } => {
                write!(f, "the partition {label:?} holds data, so the migrator cannot run from it")
            }
            Self::App { label, start, error } => {
                write!(f, "no app to start, in {label} at {start}: {error}")
            }
            Self::AppChip { label, start, found } => {
                write!(
                    f,
                    "no app to start: the one in {label} at {start} is for {}",
                    ImageChip(*found)
                )
            }
            Self::NotStarted { label, starts } => {
                write!(f, "an update cannot install the migrator in {label}: ")?;
                match starts {
                    Some(starts) => write!(f, "the bootloader would start {starts}"),
                    None => f.write_str("the bootloader would start no app"),
                }
            }
            Self::Otadata { label, error } => {
                write!(f, "an update cannot install the migrator in {label}: {error}")
            }
        }
    }
}

impl std::error::Error for FactsError {}
