//! The system that will start the carrier, read from a dump of a device.

use esp_idf_format::Chip;
use esp_idf_format::image::{EspImageHeader, FlashSettings};
use esp_idf_format::partition::PartitionTable;
use flash_region::{FlashAddr, Region};

use super::{CarrierError, TargetBootloader};
use crate::facts::{FactsError, bytes_from, read_flash};

/// What a carrier must fit: the old bootloader's header, and otadata.
#[derive(Clone, Copy, Debug)]
pub struct OldSystem {
    chip: Chip,
    header: EspImageHeader,
    otadata: Option<Region>,
}

impl OldSystem {
    /// Reads it from a dump of the whole flash.
    ///
    /// # Errors
    ///
    /// A [`FactsError`].
    pub fn read(chip: Chip, dump: &[u8]) -> Result<Self, FactsError> {
        let found = read_flash(chip, dump, None, None)?;
        let bootloader = bytes_from(dump, chip.bootloader_addr());
        let header = EspImageHeader::parse(bootloader)
            .map_err(|error| FactsError::Bootloader { start: chip.bootloader_addr(), error })?;
        let addr = found.facts.table_addr;
        let table = PartitionTable::parse_as_bootloader(bytes_from(dump, addr))
            .map_err(|error| FactsError::Table { addr, error })?;
        let otadata = table.otadata().map(|partition| partition.region);
        Ok(Self { chip, header, otadata })
    }

    /// Address of its otadata.
    ///
    /// # Errors
    ///
    /// [`CarrierError::NoOtadata`] if the table has none: then no app partition can be selected.
    pub fn otadata(&self) -> Result<FlashAddr, CarrierError> {
        self.otadata.map(Region::start).ok_or(CarrierError::NoOtadata)
    }

    /// Checks that the target bootloader was built with the flash settings of the header at the
    /// bootloader's address. It reads its settings from there, and with a carrier that header
    /// remains the old bootloader's.
    ///
    /// # Errors
    ///
    /// [`CarrierError::FlashSettings`].
    pub fn check_flash_settings(&self, bootloader: &TargetBootloader) -> Result<(), CarrierError> {
        let [old, target] = [&self.header, bootloader.header()].map(FlashSettings::of);
        if old == target {
            return Ok(());
        }
        Err(CarrierError::FlashSettings { chip: self.chip, old, target })
    }
}
