//! The prebuilt loader.

use carrier_format::{LoaderMemory, LoaderRecord, RECORD_LEN_BYTES, find};
use esp_idf_format::Chip;
use esp_idf_format::image::{self, segments};

use super::CarrierError;

/// The loader for a chip, as `cargo xtask firmware` builds it.
#[derive(Clone, Debug)]
pub struct LoaderImage {
    pub(super) chip: Chip,
    pub(super) load_addr: u32,
    pub(super) entry_addr: u32,
    code: Vec<u8>,
    record_at: usize,
}

impl LoaderImage {
    /// Checks the image of a loader, whose record may be blank or filled.
    ///
    /// # Errors
    ///
    /// A [`CarrierError`] if it is not a loader, or is for another chip.
    pub fn new(file: &[u8], chip: Chip) -> Result<Self, CarrierError> {
        let memory = LoaderMemory::of(chip).ok_or(CarrierError::NoLoader { chip })?;
        let info = image::verify(file).map_err(CarrierError::LoaderImage)?;
        let found = info.header.chip_id;
        if found != chip.image_chip_id() {
            return Err(CarrierError::LoaderChip { wanted: chip, found });
        }
        let mut segments = segments(file).map_err(CarrierError::LoaderImage)?;
        let (Some(Ok(segment)), None) = (segments.next(), segments.next()) else {
            return Err(CarrierError::NotALoader);
        };
        let is_in_place = segment.header.load_addr == memory.load_addr
            && segment.header.len_bytes <= LoaderMemory::RESERVED_BYTES;
        if !is_in_place {
            return Err(CarrierError::NotALoader);
        }
        let (record_at, record) = find(segment.data).map_err(CarrierError::Record)?;
        if record.chip_id != found {
            return Err(CarrierError::LoaderChip { wanted: chip, found: record.chip_id });
        }
        Ok(Self {
            chip,
            load_addr: memory.load_addr,
            entry_addr: info.header.entry_addr,
            code: segment.data.to_owned(),
            record_at,
        })
    }

    /// Its code with this record filled in.
    pub(super) fn code_with(&self, record: &LoaderRecord) -> Vec<u8> {
        let mut code = self.code.clone();
        if let Some(place) = code.get_mut(self.record_at..self.record_at + RECORD_LEN_BYTES) {
            place.copy_from_slice(&record.to_bytes());
        }
        code
    }
}
