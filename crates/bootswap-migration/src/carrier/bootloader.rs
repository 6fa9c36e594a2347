//! The target bootloader, which a carrier or first stage contains or starts.

use carrier_format::LoaderMemory;
use esp_idf_format::Chip;
use esp_idf_format::image::{self, EspImageHeader, ImageError, segments};
use flash_region::{Region, is_blank};
use mcuboot_format::bootloader::{BootloaderFile, System};

use super::CarrierError;

/// A bootloader that the loader can start: complete, accepted by the chip's mask ROM, and not over
/// the loader in memory.
#[derive(Clone, Debug)]
pub struct TargetBootloader {
    bytes: Vec<u8>,
    header: EspImageHeader,
    primary: Option<(Region, u32)>,
}

impl TargetBootloader {
    /// Checks the file of a target bootloader.
    ///
    /// # Errors
    ///
    /// A [`CarrierError`] that says what is wrong in it, and where.
    pub fn new(mut file: Vec<u8>, chip: Chip) -> Result<Self, CarrierError> {
        let memory = LoaderMemory::of(chip).ok_or(CarrierError::NoLoader { chip })?;
        let info = image::verify(&file).map_err(CarrierError::Image)?;
        let header = info.header;
        if header.chip_id != chip.image_chip_id() {
            return Err(CarrierError::Chip { wanted: chip, found: header.chip_id });
        }
        if info.app_desc.is_some() {
            return Err(CarrierError::AnApp);
        }
        if !header.hash_appended {
            return Err(CarrierError::NoDigest);
        }
        let read = BootloaderFile::read(&file).map_err(CarrierError::Image)?;
        if read.system.is_some_and(|found| found.value == System::EspIdf) {
            return Err(CarrierError::EspIdf);
        }
        let (image, behind) = file.split_at(info.total_len_bytes as usize);
        if !is_blank(behind) && behind.iter().any(|byte| *byte != 0) {
            return Err(CarrierError::Behind { offset_bytes: info.total_len_bytes });
        }
        image::verify_for_rom(image, chip).map_err(|error| match error {
            ImageError::Rom(fault) => CarrierError::Rom(fault),
            error => CarrierError::Image(error),
        })?;
        for segment in segments(image).map_err(CarrierError::Image)? {
            let segment = segment.map_err(CarrierError::Image)?;
            let (load_addr, len_bytes) = (segment.header.load_addr, segment.header.len_bytes);
            if !memory.holds(load_addr, len_bytes) {
                return Err(CarrierError::Segment {
                    offset_bytes: segment.data_offset_bytes,
                    load_addr,
                    len_bytes,
                    memory,
                });
            }
        }
        let build = read.build.as_ref();
        let map = build.and_then(|build| build.map.as_ref()).map(|found| &found.value);
        let slots = map.filter(|map| map.names_slots()).and_then(|map| map.slots);
        let max_align = build.and_then(|build| build.max_align.as_ref()).map(|found| found.value);
        let primary = slots.map(|(primary, _)| primary).zip(max_align);
        file.truncate(info.total_len_bytes as usize);
        Ok(Self { bytes: file, header, primary })
    }

    /// Its image, without anything after it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &EspImageHeader {
        &self.header
    }

    /// Bytes of the image. They are below 16 MiB, because each of its few segments is in the chip's
    /// memory.
    pub(super) fn len_bytes(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// The primary slot and the trailer alignment that it was compiled with, if the file shows
    /// them.
    #[must_use]
    pub const fn primary(&self) -> Option<(Region, u32)> {
        self.primary
    }
}
