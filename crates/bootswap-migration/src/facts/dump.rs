//! Reads facts from a dump of a device's flash.

use bootswap_plan::{previous_firmware, running_partition};
use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashSettings, FlashSize, ImageError, ImageInfo};
use esp_idf_format::otadata::{self, OtaData};
use esp_idf_format::partition::{Partition, PartitionTable};
use flash_region::{FlashAddr, Region};

use super::error::FactsError;
use super::found::{FoundFacts, find_app};
use super::table::{self, Tables};
use super::warning::{FactsWarning, table_warnings};
use crate::container;
use crate::owned::OwnedFacts;
use crate::sent::assumed_image_len_bytes;

/// Reads the facts from a device's whole flash, as an app finds them that runs from the partition
/// labelled `running`; without a label, from the partition that the ESP-IDF bootloader would start.
///
/// The partition table is read as the bootloader in the dump reads it, at `named` if an address is
/// given, else where it is found. No migrator is delivered: for a dump of a device that has not
/// received its migrator, use [`deliver`](super::deliver).
///
/// # Errors
///
/// A [`FactsError`].
pub fn read_flash(
    chip: Chip,
    flash: &[u8],
    named: Option<FlashAddr>,
    running: Option<&str>,
) -> Result<FoundFacts, FactsError> {
    let device = Device::read(chip, flash, named)?;
    let running = match running {
        Some(label) => find_app(&device.table, label)?,
        None => device.running()?,
    };
    Ok(device.facts(running))
}

/// A dump whose partition table could be read.
#[derive(Clone, Copy)]
pub(super) struct Device<'a> {
    chip: Chip,
    flash: &'a [u8],
    flash_len_bytes: u32,
    bootloader: ImageInfo,
    /// What is wrong with the bootloader's SHA-256, which the ROM ignores.
    stale: Option<ImageError>,
    tables: Tables,
    table: PartitionTable<'a>,
}

impl<'a> Device<'a> {
    /// Reads bootloader and partition table, the latter at `named` if an address is given.
    pub(super) fn read(
        chip: Chip,
        flash: &'a [u8],
        named: Option<FlashAddr>,
    ) -> Result<Self, FactsError> {
        let len_bytes = flash.len();
        let size = u32::try_from(len_bytes).ok().and_then(FlashSize::from_bytes);
        let bootloader = whole_bootloader(chip, flash);
        let built_for = bootloader.as_ref().ok().and_then(|(info, _)| info.header.flash_size());
        if let Some(wanted) = built_for.filter(|wanted| (wanted.bytes() as usize) > len_bytes) {
            return Err(FactsError::CutOff { len_bytes, wanted });
        }
        let flash_len_bytes = size.ok_or(FactsError::Length { len_bytes })?.bytes();
        let (bootloader, stale) = bootloader?;
        let tables = table::find(chip, flash, bootloader.total_len_bytes, named);
        let table = PartitionTable::parse_as_bootloader(bytes_from(flash, tables.addr))
            .map_err(|error| FactsError::Table { addr: tables.addr, error })?;
        let header = bootloader.header.readable_flash_size();
        let known = Region::clamped(FlashAddr::ZERO, header.bytes());
        if let Some(Partition { label, region, .. }) =
            table.iter().find(|partition| !known.contains_region(partition.region))
        {
            return Err(FactsError::BeyondHeader { label, region, header });
        }
        Ok(Self { chip, flash, flash_len_bytes, bootloader, stale, tables, table })
    }

    /// The facts that an app finds that begins where this partition does.
    pub(super) fn facts(&self, running: Partition) -> FoundFacts {
        let Self { chip, flash_len_bytes, bootloader, stale, tables, table, .. } = *self;
        let partitions: Vec<Partition> = table.iter().collect();
        let found = running_partition(&partitions, running.region.start());
        let running = found.copied().unwrap_or(running);
        let image = self.app_in(running).ok();
        let room_bytes = running.region.len_bytes();
        let running_len_bytes = match image {
            Some(image) => {
                container::len_with_container(self.bytes(running.region), image.total_len_bytes)
            }
            None => assumed_image_len_bytes(chip).min(room_bytes),
        };
        let facts = OwnedFacts {
            chip,
            flash_len_bytes,
            table_addr: tables.addr,
            other_table_addr: tables.other,
            running: running.region,
            running_len_bytes,
            previous: previous_firmware(&partitions, running.region),
            partitions,
            bootloader_flash_len_bytes: bootloader.header.flash_size().map(FlashSize::bytes),
            bootloader_flash_mode: bootloader.header.flash_mode(),
            bootloader_settings: Some(FlashSettings::of(&bootloader.header)),
            secure_version: image.and_then(|image| Some(image.app_desc?.secure_version)),
            secure_boot: false,
            flash_encryption: false,
            staging_memory_len_bytes: 0,
        };
        let warnings = stale
            .map(|error| FactsWarning::Digest { start: chip.bootloader_addr(), error })
            .into_iter()
            .chain(table_warnings(tables.addr, &table))
            .collect();
        FoundFacts { facts, running: running.label, image, warnings }
    }

    pub(super) const fn chip(&self) -> Chip {
        self.chip
    }

    pub(super) const fn flash(&self) -> &'a [u8] {
        self.flash
    }

    pub(super) const fn table(&self) -> &PartitionTable<'a> {
        &self.table
    }

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

    pub(super) fn otadata(&self) -> Option<OtaData> {
        let region = self.table.otadata()?.region;
        let [first, second] = [0, 1].map(|index| self.bytes(otadata::sector(region, index)));
        Some(OtaData::parse(first, second))
    }

    /// The partition whose app the bootloader starts.
    pub(super) fn running(&self) -> Result<Partition, FactsError> {
        let mut first_error = None;
        for partition in self.table.roles().tried(self.otadata().as_ref()) {
            match self.app_in(partition) {
                Ok(_) => return Ok(partition),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or(FactsError::NoAppPartition))
    }
}

/// The bootloader in place. It must be complete, for `chip`, and one that the chip's ROM can load
/// and start; its SHA-256 may be wrong, which the ROM ignores.
fn whole_bootloader(
    chip: Chip,
    flash: &[u8],
) -> Result<(ImageInfo, Option<ImageError>), FactsError> {
    let start = chip.bootloader_addr();
    let bytes = bytes_from(flash, start);
    // First without the chip's rules: a bootloader for another chip breaks them, too.
    let (info, _) = image::verify_as_rom(bytes).map_err(|error| match other_chip(chip, flash) {
        Some((found, start)) => FactsError::Chip { wanted: chip, start, found },
        None => FactsError::Bootloader { start, error },
    })?;
    let header = info.header;
    if header.chip_id != chip.image_chip_id() {
        return Err(FactsError::Chip { wanted: chip, start, found: header.chip_id });
    }
    if header.flash_mode().is_none() {
        return Err(FactsError::FlashMode { start, number: header.spi_mode });
    }
    image::verify_for_rom(bytes, chip).map_err(|error| FactsError::Bootloader { start, error })
}

/// A complete bootloader at the address where the other kind of chip has it.
fn other_chip(chip: Chip, flash: &[u8]) -> Option<(u16, FlashAddr)> {
    let other = Chip::ALL.into_iter().find(|o| o.bootloader_addr() != chip.bootloader_addr())?;
    let (info, _) = image::verify_as_rom(bytes_from(flash, other.bootloader_addr())).ok()?;
    Some((info.header.chip_id, other.bootloader_addr()))
}

/// The part of the dump in `region`, cut off at the end of the dump.
#[must_use]
pub fn bytes(flash: &[u8], region: Region) -> &[u8] {
    let rest = bytes_from(flash, region.start());
    rest.get(..region.len_bytes() as usize).unwrap_or(rest)
}

/// The dump from `start` on.
#[must_use]
pub fn bytes_from(flash: &[u8], start: FlashAddr) -> &[u8] {
    flash.get(start.get() as usize..).unwrap_or_default()
}
