//! Facts out of a dump of a device's flash.

use bootswap_plan::previous_firmware;
use esp_idf_format::Chip;
use esp_idf_format::image::{self, FlashSize, ImageHeader, ImageInfo};
use esp_idf_format::otadata::{self, BootSlot, OtaData};
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR};
use flash_region::{FlashAddr, Region};

use super::error::FactsError;
use super::found::{FoundFacts, find_app};
use crate::container;
use crate::owned::OwnedFacts;
use crate::sent::assumed_image_len_bytes;

/// Reads the facts out of a device's whole flash, as an app finds them that runs from the partition
/// labelled `running`; without a label, from where the ESP-IDF bootloader would start an app.
///
/// Nothing is delivered: a dump of a device that is still to get its migrator goes to
/// [`deliver`](super::deliver).
///
/// # Errors
///
/// A [`FactsError`].
pub fn read_flash(
    chip: Chip,
    flash: &[u8],
    running: Option<&str>,
) -> Result<FoundFacts, FactsError> {
    let device = Device::read(chip, flash)?;
    let Device { header, flash_len_bytes, table, .. } = device;

    let running = match running {
        Some(label) => device.labelled(label)?,
        None => device.running()?,
    };
    let image = device.app_in(running).ok();
    let room_bytes = running.region.len_bytes();
    let running_len_bytes = match image {
        Some(image) => {
            container::len_with_container(device.bytes(running.region), image.total_len_bytes)
        }
        None => assumed_image_len_bytes(chip).min(room_bytes),
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
    Ok(FoundFacts { facts, running: running.label, image })
}

/// A dump of which the table could be read.
#[derive(Clone, Copy)]
pub(super) struct Device<'a> {
    chip: Chip,
    flash: &'a [u8],
    flash_len_bytes: u32,
    header: ImageHeader,
    table: PartitionTable<'a>,
}

impl<'a> Device<'a> {
    /// Reads bootloader header and partition table.
    pub(super) fn read(chip: Chip, flash: &'a [u8]) -> Result<Self, FactsError> {
        let len_bytes = flash.len();
        let size = u32::try_from(len_bytes).ok().and_then(FlashSize::from_bytes);
        let header = bootloader_header(chip, flash);
        let built_for = header.as_ref().ok().and_then(|header| header.flash_size());
        if let Some(wanted) = built_for.filter(|wanted| (wanted.bytes() as usize) > len_bytes) {
            return Err(FactsError::CutOff { len_bytes, wanted });
        }
        let flash_len_bytes = size.ok_or(FactsError::Length { len_bytes })?.bytes();
        let header = header?;
        let table = PartitionTable::parse(tail(flash, TABLE_ADDR))
            .map_err(|error| FactsError::Table { error })?;
        Ok(Self { chip, flash, flash_len_bytes, header, table })
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

    fn labelled(&self, label: &str) -> Result<Partition, FactsError> {
        find_app(&self.table, label)
    }

    pub(super) fn otadata(&self) -> Option<OtaData> {
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
    pub(super) fn running(&self) -> Result<Partition, FactsError> {
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

/// The part of the dump at `region`, cut off where the dump ends.
#[must_use]
pub fn bytes(flash: &[u8], region: Region) -> &[u8] {
    let rest = tail(flash, region.start());
    rest.get(..region.len_bytes() as usize).unwrap_or(rest)
}

fn tail(flash: &[u8], start: FlashAddr) -> &[u8] {
    flash.get(start.get() as usize..).unwrap_or_default()
}
