//! Checks the bytes of a carrier as they pass.
//!
//! ```text
//!   0x0000 | app: loader, record |      what the old bootloader starts
//!   0x1000 | copy 1              |      what the loader starts: as the ROM would take it, and
//!          | copy 2              |      nowhere over the loader
//! ```
//!
//! One verifier is enough, since the three follow each other.

use core::fmt;

use bootswap_plan::{CarrierContent, Misfit};
use carrier_format::{
    COPIES_OFFSET_BYTES, LoaderMemory, LoaderRecord, Place, RECORD_MAGIC, RECORD_WORDS,
};
use esp_idf_format::Chip;
use esp_idf_format::image::{EspImageHeader, FlashSettings, ImageError, ImageInfo, ImageVerifier};
use esp_idf_format::memory::MemoryRange;
use flash_region::SECTOR_BYTES;

/// What is wrong with a carrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CarrierFault {
    /// It is not an app with a carrier's record for this chip.
    NotACarrier,
    /// The record has the copies elsewhere, or there are fewer than two.
    Layout,
    /// A copy is not a bootloader that the loader starts.
    Copy {
        /// Which, 1 or 2.
        number: u8,
        /// What is wrong with it.
        error: ImageError,
    },
    /// The second copy is not the first.
    CopiesDiffer,
    /// A segment of the target bootloader goes over the loader or out of what it can load.
    Segment {
        /// Where it goes.
        segment: MemoryRange,
        /// Where segments may go.
        room: MemoryRange,
    },
    /// It does not fit this device.
    Unfit(Misfit),
}

impl fmt::Display for CarrierFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACarrier => f.write_str("it is not a carrier for this chip"),
            Self::Layout => f.write_str("the carrier's record does not name the copies behind it"),
            Self::Copy { number, error } => {
                write!(f, "copy {number} of the bootloader in the carrier: {error}")
            }
            Self::CopiesDiffer => f.write_str("the two copies in the carrier differ"),
            Self::Segment { segment, room } => write!(
                f,
                "a segment of the bootloader in the carrier goes to {segment}; the loader loads \
                to {room}"
            ),
            Self::Unfit(_) => f.write_str("the carrier does not fit this device"),
        }
    }
}

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    App,
    First,
    Second,
}

/// The state of checking a carrier.
#[derive(Clone, Debug)]
pub(crate) struct CarrierScan {
    chip: Chip,
    part: Part,
    /// Bytes of the file so far.
    at: u32,
    verifier: ImageVerifier,
    record: RecordReader,
    found: Option<Found>,
}

/// What the app and the first copy said.
#[derive(Clone, Copy, Debug)]
struct Found {
    record: LoaderRecord,
    /// Where the second copy begins.
    second: u32,
    secure_version: u32,
    /// SHA-256 and header of the first copy.
    first: Option<([u8; 32], EspImageHeader)>,
}

impl CarrierScan {
    pub(crate) fn new(chip: Chip) -> Self {
        let (verifier, record) = (ImageVerifier::new(), RecordReader::default());
        Self { chip, part: Part::App, at: 0, verifier, record, found: None }
    }

    /// Scans the next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), CarrierFault> {
        while !bytes.is_empty() {
            let end = match (self.part, &self.found) {
                (Part::App, _) => COPIES_OFFSET_BYTES,
                (Part::First, Some(found)) => found.second,
                (Part::First | Part::Second, _) => u32::MAX,
            };
            if self.at >= end {
                self.advance()?;
                continue;
            }
            let (piece, rest) = bytes.split_at(bytes.len().min((end - self.at) as usize));
            self.verifier.push(piece).map_err(|error| self.fault(error))?;
            if self.part == Part::App {
                self.record.push(piece);
            }
            self.at = self.at.saturating_add(crate::medium::len_bytes(piece));
            bytes = rest;
        }
        Ok(())
    }

    /// The header that is complete since there were `before` of them, and how many there are now:
    /// that of the app, then that of the target bootloader.
    pub(crate) fn header(&self, before: u8) -> (Option<EspImageHeader>, u8) {
        let number = match self.part {
            Part::App => 1,
            Part::First => 2,
            Part::Second => return (None, before),
        };
        let header = self.verifier.header().filter(|_| number > before);
        (header.copied(), if header.is_some() { number } else { before })
    }

    /// Whether no more bytes are needed.
    pub(crate) fn is_complete(&self) -> bool {
        self.part == Part::Second && self.verifier.is_complete()
    }

    /// Bytes of the whole file, as soon as they are known.
    pub(crate) fn total_len_bytes(&self) -> Option<u32> {
        let Found { record, second, .. } = self.found?;
        second.checked_add(record.copy_len_bytes)
    }

    /// Ends the scan: what the carrier says about itself.
    pub(crate) fn finish(mut self) -> Result<CarrierContent, CarrierFault> {
        let info = self.copy()?;
        let Some(Found { record, secure_version, first: Some((digest, header)), .. }) = self.found
        else {
            return Err(CarrierFault::Layout);
        };
        if info.digest != Some(digest) {
            return Err(CarrierFault::CopiesDiffer);
        }
        let settings = FlashSettings::of(&header);
        CarrierContent::new(record.chip_id, secure_version, &record, settings)
            .ok_or(CarrierFault::NotACarrier)
    }

    const fn fault(&self, error: ImageError) -> CarrierFault {
        match self.part {
            Part::App => CarrierFault::NotACarrier,
            Part::First => CarrierFault::Copy { number: 1, error },
            Part::Second => CarrierFault::Copy { number: 2, error },
        }
    }

    /// Goes on to the next part.
    fn advance(&mut self) -> Result<(), CarrierFault> {
        if self.part == Part::App {
            self.found = Some(self.app()?);
            self.part = Part::First;
        } else {
            let info = self.copy()?;
            if let (Some(found), Some(digest)) = (&mut self.found, info.digest) {
                found.first = Some((digest, info.header));
            }
            self.part = Part::Second;
        }
        let len_bytes = self.found.map_or(0, |found| found.record.copy_len_bytes);
        self.verifier = ImageVerifier::for_rom(self.chip, len_bytes);
        Ok(())
    }

    /// What the app says.
    fn app(&mut self) -> Result<Found, CarrierFault> {
        let info =
            core::mem::take(&mut self.verifier).finish().map_err(|error| self.fault(error))?;
        let chip_id = self.chip.image_chip_id();
        let (Some(record), Some(description)) = (self.record.record(), info.app_desc) else {
            return Err(CarrierFault::NotACarrier);
        };
        let is_ours = record.chip_id == chip_id
            && info.header.chip_id == chip_id
            && record.place == Some(Place::Carrier);
        if !is_ours {
            return Err(CarrierFault::NotACarrier);
        }
        let second = COPIES_OFFSET_BYTES
            .checked_add(record.copy_len_bytes)
            .and_then(|end| end.checked_next_multiple_of(SECTOR_BYTES));
        match (record.copies, second) {
            ([Some(COPIES_OFFSET_BYTES), Some(named)], Some(second)) if named == second => {
                let secure_version = description.secure_version;
                Ok(Found { record, second, secure_version, first: None })
            }
            _ => Err(CarrierFault::Layout),
        }
    }

    /// What a copy says that is complete.
    fn copy(&mut self) -> Result<ImageInfo, CarrierFault> {
        let len_bytes = self.found.map_or(0, |found| found.record.copy_len_bytes);
        let memory = LoaderMemory::of(self.chip).ok_or(CarrierFault::NotACarrier)?;
        let holds = |segment: &MemoryRange| {
            memory.holds(segment.start_addr, segment.end_addr - segment.start_addr)
        };
        let lost = self.verifier.rom_load().and_then(|load| load.segments().find(|s| !holds(s)));
        if let Some(segment) = lost {
            return Err(CarrierFault::Segment { segment, room: memory.segments });
        }
        let info =
            core::mem::take(&mut self.verifier).finish().map_err(|error| self.fault(error))?;
        // The loader takes only what has a SHA-256, and as many bytes as the record says.
        if info.digest.is_none() || info.total_len_bytes != len_bytes {
            return Err(CarrierFault::Layout);
        }
        Ok(info)
    }
}

/// Finds the record in an app that passes, at a multiple of 4.
#[derive(Clone, Copy, Debug)]
struct RecordReader {
    word: [u8; 4],
    /// Bytes of the word so far.
    filled: usize,
    words: [u32; RECORD_WORDS],
    count: usize,
}

impl Default for RecordReader {
    fn default() -> Self {
        Self { word: [0; 4], filled: 0, words: [0; RECORD_WORDS], count: 0 }
    }
}

impl RecordReader {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.word.get_mut(self.filled) {
                *place = *byte;
            }
            self.filled = (self.filled + 1) % self.word.len();
            if self.filled == 0 {
                self.take(u32::from_le_bytes(self.word));
            }
        }
    }

    fn take(&mut self, word: u32) {
        if RECORD_MAGIC.get(self.count).is_some_and(|magic| *magic != word) {
            self.count = 0;
            if RECORD_MAGIC.first() != Some(&word) {
                return;
            }
        }
        if let Some(place) = self.words.get_mut(self.count) {
            *place = word;
            self.count += 1;
        }
    }

    /// The record, if all of it has passed.
    fn record(&self) -> Option<LoaderRecord> {
        let words = (self.count == RECORD_WORDS).then_some(&self.words)?;
        LoaderRecord::of_words(words).ok()
    }
}

#[cfg(test)]
mod tests;
