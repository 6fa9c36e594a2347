//! What is true of a device, found out from a dump of its flash or assumed from a migration.
//!
//! ```text
//!   dump:  bootloader header ──> chip, flash size and mode
//!          partition table ────> partitions
//!          otadata ────────────> the order in which the bootloader tries apps
//!          app images ─────────> which one runs, how long it is, which one was there before
//! ```
//!
//! What a dump cannot tell, since it is in the eFuses, is taken to be as on a device that can be
//! migrated: secure boot and flash encryption off. The migrator on the device looks for itself.

use std::fmt;

use bootswap_engine::{CONTAINER_ALIGN_BYTES, ContainerHeader};
use bootswap_plan::previous_firmware;
use esp_idf_format::image::{self, FlashSize, ImageError, ImageHeader, ImageInfo};
use esp_idf_format::otadata::{self, BootSlot, OtaData};
use esp_idf_format::partition::{Partition, PartitionTable, PartitionTableError, TABLE_ADDR};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region};

use crate::{OwnedFacts, OwnedMigration};

/// Bytes that the migrator's image is assumed to take where there is none to look at: what the one
/// with Wi-Fi and HTTP may take at most.
pub const ASSUMED_IMAGE_LEN_BYTES: u32 = 640 * 1024;

/// Flash size that is assumed where neither a dump nor the migration says one.
pub const ASSUMED_FLASH_SIZE: FlashSize = FlashSize::Mb4;

/// Facts, and how sure they are.
#[derive(Clone, Debug)]
pub struct Found {
    /// The facts.
    pub facts: OwnedFacts,
    /// Label of the partition that the migrator runs from.
    pub running: FixedText<16>,
    /// The app image in that partition; `None` where its length is assumed.
    pub image: Option<ImageInfo>,
}

/// Reads the facts out of a dump of a device's whole flash.
///
/// The migrator runs from the app partition labelled `running`; without a label, from where the
/// ESP-IDF bootloader would start an app.
///
/// # Errors
///
/// A [`FactsError`].
pub fn read_flash(chip: Chip, flash: &[u8], running: Option<&str>) -> Result<Found, FactsError> {
    let size = u32::try_from(flash.len()).ok().and_then(FlashSize::from_bytes);
    let flash_len_bytes = size.ok_or(FactsError::Length { len_bytes: flash.len() })?.bytes();
    let header = bootloader_header(chip, flash)?;
    let table = PartitionTable::parse(tail(flash, TABLE_ADDR))
        .map_err(|error| FactsError::Table { error })?;
    let device = Device { chip, flash, table };

    let running = match running {
        Some(label) => device.labelled(label)?,
        None => device.running()?,
    };
    let image = device.app_in(running).ok();
    let room_bytes = running.region.len_bytes();
    let running_len_bytes = match image {
        Some(image) => device.len_with_container(running, &image),
        None => ASSUMED_IMAGE_LEN_BYTES.min(room_bytes),
    };
    let partitions: Vec<Partition> = table.iter().collect();
    let facts = OwnedFacts {
        chip,
        flash_len_bytes,
        running: running.region,
        running_len_bytes,
        previous: previous_firmware(&partitions, running.region),
        partitions,
        bootloader_flash_len_bytes: header.flash_size().map(FlashSize::bytes),
        bootloader_flash_mode: header.flash_mode(),
        secure_boot: false,
        flash_encryption: false,
        staging_memory_len_bytes: 0,
    };
    Ok(Found { facts, running: running.label, image })
}

/// Facts about a device of which nothing is known but what the migration says: its table, its flash
/// size, and where the migrator runs (factory app or first app unless it says so).
///
/// # Errors
///
/// A [`FactsError`] where the migration names no table, or one without the app.
pub fn assumed(migration: &OwnedMigration) -> Result<Found, FactsError> {
    let table = named_table(migration)?;
    let running = match &migration.running {
        Some(label) => find_app(&table, label)?,
        None => table
            .factory()
            .or_else(|| table.iter().find(Partition::is_app))
            .ok_or(FactsError::NoAppPartition)?,
    };
    let len_bytes = ASSUMED_IMAGE_LEN_BYTES.saturating_add(container_len_bytes(migration));
    Ok(assumed_in(migration, &table, &running, len_bytes))
}

/// As [`assumed`], with the migrator's image at hand, of which the file has `len_bytes`: from the
/// partition that the migration names, or else from each that it could run from.
///
/// # Errors
///
/// As [`assumed`].
pub fn assumed_with_image(
    migration: &OwnedMigration,
    image: ImageInfo,
    len_bytes: u32,
) -> Result<Vec<Found>, FactsError> {
    let table = named_table(migration)?;
    let running: Vec<Partition> = match &migration.running {
        Some(label) => vec![find_app(&table, label)?],
        None => table.iter().filter(Partition::is_app).collect(),
    };
    if running.is_empty() {
        return Err(FactsError::NoAppPartition);
    }
    let found = running.iter().map(|running| Found {
        image: Some(image),
        ..assumed_in(migration, &table, running, len_bytes)
    });
    Ok(found.collect())
}

fn named_table(migration: &OwnedMigration) -> Result<PartitionTable<'_>, FactsError> {
    let table = migration.partition_table.as_deref().ok_or(FactsError::NoTable)?;
    PartitionTable::parse(table).map_err(|error| FactsError::Table { error })
}

fn assumed_in(
    migration: &OwnedMigration,
    table: &PartitionTable<'_>,
    running: &Partition,
    len_bytes: u32,
) -> Found {
    let partitions: Vec<Partition> = table.iter().collect();
    let facts = OwnedFacts {
        chip: migration.chip,
        flash_len_bytes: migration.flash_len_bytes.unwrap_or(ASSUMED_FLASH_SIZE.bytes()),
        running: running.region,
        running_len_bytes: len_bytes.min(running.region.len_bytes()),
        previous: previous_firmware(&partitions, running.region),
        partitions,
        bootloader_flash_len_bytes: None,
        bootloader_flash_mode: None,
        secure_boot: false,
        flash_encryption: false,
        staging_memory_len_bytes: 0,
    };
    Found { facts, running: running.label, image: None }
}

/// Bytes that the migration's embedded artifacts add to the migrator's image, as far as they are at
/// hand.
fn container_len_bytes(migration: &OwnedMigration) -> u32 {
    let embedded = || migration.artifacts.iter().filter(|artifact| artifact.url.is_none());
    let count = embedded().count();
    if count == 0 {
        return 0;
    }
    let align = CONTAINER_ALIGN_BYTES as usize;
    let lens = embedded().filter_map(|artifact| artifact.bytes.as_ref().map(Vec::len));
    let bytes =
        lens.chain([ContainerHeader::directory_len(count)]).map(|len| len.next_multiple_of(align));
    u32::try_from(bytes.sum::<usize>()).unwrap_or(u32::MAX)
}

/// A dump of which the table could be read.
struct Device<'a> {
    chip: Chip,
    flash: &'a [u8],
    table: PartitionTable<'a>,
}

impl<'a> Device<'a> {
    fn bytes(&self, region: Region) -> &'a [u8] {
        bytes(self.flash, region)
    }

    /// The app image in a partition, if the bootloader would start it.
    fn app_in(&self, partition: Partition) -> Result<ImageInfo, FactsError> {
        let Partition { label, region, .. } = partition;
        let info = image::verify(self.bytes(region)).map_err(|error| FactsError::App {
            label,
            start: region.start(),
            error,
        })?;
        match info.header.chip_id {
            id if id == self.chip.image_chip_id() => Ok(info),
            found => Err(FactsError::AppChip { label, start: region.start(), found }),
        }
    }

    /// Bytes from the partition's start to the end of the image, or of the container behind it.
    fn len_with_container(&self, partition: Partition, image: &ImageInfo) -> u32 {
        let image_len_bytes = image.total_len_bytes;
        let container = || {
            let offset_bytes = image_len_bytes.checked_next_multiple_of(CONTAINER_ALIGN_BYTES)?;
            let behind = self.bytes(partition.region).get(offset_bytes as usize..)?;
            let end = offset_bytes.checked_add(ContainerHeader::parse(behind).ok()?.len_bytes)?;
            (end <= partition.region.len_bytes()).then_some(end)
        };
        container().unwrap_or(image_len_bytes)
    }

    fn labelled(&self, label: &str) -> Result<Partition, FactsError> {
        find_app(&self.table, label)
    }

    fn otadata(&self) -> Option<OtaData> {
        let region = self.table.otadata()?.region;
        let [first, second] = [0, 1].map(|index| self.bytes(otadata::sector(region, index)));
        Some(OtaData::parse(first, second))
    }

    fn slot(&self, slot: BootSlot) -> Option<Partition> {
        match slot {
            BootSlot::Factory => self.table.factory(),
            BootSlot::Ota(index) => self.table.ota(index),
            BootSlot::Test => self.table.test_app(),
        }
    }

    /// The partition that the bootloader starts an app from.
    fn running(&self) -> Result<Partition, FactsError> {
        let ota_count = self.table.ota_count();
        let selection = self.otadata().and_then(|data| data.select(ota_count));
        let mut first_error = None;
        for slot in otadata::boot_order(selection, ota_count) {
            let Some(partition) = self.slot(slot) else { continue };
            match self.app_in(partition) {
                Ok(_) => return Ok(partition),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or(FactsError::NoAppPartition))
    }
}

/// The header of the bootloader in place, which has to be whole and for `chip`.
fn bootloader_header(chip: Chip, flash: &[u8]) -> Result<ImageHeader, FactsError> {
    let start = chip.bootloader_addr();
    match image::verify(bytes(flash, chip.bootloader_region())) {
        Ok(info) if info.header.chip_id == chip.image_chip_id() => Ok(info.header),
        Ok(info) => Err(FactsError::Chip { wanted: chip, start, found: info.header.chip_id }),
        Err(error) => match other_chip(chip, flash) {
            Some((found, start)) => Err(FactsError::Chip { wanted: chip, start, found }),
            None => Err(FactsError::Bootloader { start, error }),
        },
    }
}

/// A whole bootloader at the place where chips of the other kind have it.
fn other_chip(chip: Chip, flash: &[u8]) -> Option<(u16, FlashAddr)> {
    let other = Chip::ALL.into_iter().find(|o| o.bootloader_addr() != chip.bootloader_addr())?;
    let info = image::verify(bytes(flash, other.bootloader_region())).ok()?;
    Some((info.header.chip_id, other.bootloader_addr()))
}

fn find_app(table: &PartitionTable<'_>, label: &str) -> Result<Partition, FactsError> {
    let apps = || table.iter().filter(Partition::is_app).map(|p| p.label.to_string()).collect();
    match table.find_label(label) {
        None => Err(FactsError::UnknownLabel { label: label.to_owned(), apps: apps() }),
        Some(partition) if !partition.is_app() => {
            Err(FactsError::NotAnApp { label: label.to_owned(), apps: apps() })
        }
        Some(partition) => Ok(partition),
    }
}

/// The part of the dump at `region`, cut off where the dump ends.
#[must_use]
pub fn bytes(flash: &[u8], region: Region) -> &[u8] {
    let rest = tail(flash, region.start());
    rest.get(..region.len_bytes() as usize).unwrap_or(rest)
}

fn tail(flash: &[u8], start: FlashAddr) -> &[u8] {
    flash.get(start.get() as usize..).unwrap_or_default()
}

/// Why a dump, or a migration without one, tells no facts.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FactsError {
    /// The dump's length is that of no flash.
    Length {
        /// Its bytes.
        len_bytes: usize,
    },
    /// There is no whole bootloader.
    Bootloader {
        /// Where it should be.
        start: FlashAddr,
        /// What is wrong, with offsets from there.
        error: ImageError,
    },
    /// The bootloader is another chip's.
    Chip {
        /// Chip of the migration.
        wanted: Chip,
        /// Where the bootloader is.
        start: FlashAddr,
        /// Number of the chip in its header.
        found: u16,
    },
    /// There is no partition table, or not a sound one.
    Table {
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
    /// The partition of that label is not for an app.
    NotAnApp {
        /// The label.
        label: String,
        /// Labels of the app partitions.
        apps: Vec<String>,
    },
    /// The bootloader would start no app; this is what is wrong with the one that it tries first.
    App {
        /// Label of the partition.
        label: FixedText<16>,
        /// Where it starts.
        start: FlashAddr,
        /// What is wrong, with offsets from there.
        error: ImageError,
    },
    /// The app that the bootloader tries first is another chip's, and there is no other.
    AppChip {
        /// Label of the partition.
        label: FixedText<16>,
        /// Where it starts.
        start: FlashAddr,
        /// Number of the chip in its header.
        found: u16,
    },
}

impl FactsError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Length { .. } => {
                "read the whole flash, from address 0 to its end, for example with \
                                    `esptool read-flash 0 ALL dump.bin`"
                    .to_owned()
            }
            Self::Bootloader { .. } => {
                "read the flash again, from address 0; a device with flash encryption \
                                        gives a dump that cannot be read, and cannot be migrated"
                    .to_owned()
            }
            Self::Chip { .. } => {
                "use the migration for the device's chip, or the dump of another device".to_owned()
            }
            Self::Table { .. } => {
                format!(
                    "the table is expected at {TABLE_ADDR}, where ESP-IDF has it unless told otherwise"
                )
            }
            Self::NoTable => {
                "add `partitions = \"partitions.csv\"` to the migration, or read a device's flash \
                              and name it with --flash"
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
        }
    }
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len_bytes } => {
                write!(f, "{len_bytes:#x} bytes are no whole flash, which has")?;
                FlashSize::ALL.iter().try_for_each(|size| write!(f, " {size}"))
            }
            Self::Bootloader { start, error } => {
                write!(f, "no whole bootloader at {start}: {error}")
            }
            Self::Chip { wanted, start, found } => {
                write!(
                    f,
                    "the bootloader at {start} is for {}, the migration for {wanted}",
                    ChipId(*found)
                )
            }
            Self::Table { error } => write!(f, "no sound partition table: {error}"),
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
                    "no app to start, the one in {label} at {start} is for {}",
                    ChipId(*found)
                )
            }
        }
    }
}

impl std::error::Error for FactsError {}

/// A chip by the number in image headers, in words.
#[derive(Clone, Copy, Debug)]
pub struct ChipId(pub u16);

impl fmt::Display for ChipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Chip::from_image_chip_id(self.0) {
            Some(chip) => chip.fmt(f),
            None => write!(f, "an unknown chip (id {})", self.0),
        }
    }
}

#[cfg(test)]
mod tests;
