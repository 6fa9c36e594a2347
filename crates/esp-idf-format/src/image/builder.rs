//! Makes images, for simulated devices.

use alloc::vec::Vec;
use core::fmt;

use super::{
    DIGEST_LEN_BYTES, EspImageHeader, FlashFreq, FlashMode, FlashSize, ImageError,
    MAX_SEGMENT_LEN_BYTES, MAX_SEGMENTS, SegmentHeader, checksum_len_bytes, update_checksums,
};
use crate::Chip;
use crate::app_desc::AppDescription;
use crate::bootloader_desc::BootloaderDescription;

/// Makes an image of segments.
///
/// ```
/// # use esp_idf_format::{Chip, image};
/// # use esp_idf_format::image::{FlashSize, ImageBuilder};
/// let image = ImageBuilder::new(Chip::Esp32c3)
///     .flash_size(FlashSize::Mb8)
///     .entry_addr(0x4038_0000)
///     .segment(0x4038_0000, &[0x13; 64])
///     .build()?;
/// assert!(image::verify(&image).is_ok());
/// # Ok::<(), image::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    chip: Chip,
    header: EspImageHeader,
    flash_freq: Option<FlashFreq>,
    segments: Vec<(u32, Vec<u8>)>,
}

impl ImageBuilder {
    /// An image for `chip` without segments, with everything else as in [`EspImageHeader::new`].
    #[must_use]
    pub const fn new(chip: Chip) -> Self {
        let header = EspImageHeader::new(chip, 0, 0);
        Self { chip, header, flash_freq: None, segments: Vec::new() }
    }

    /// Sets the address at which execution begins.
    #[must_use]
    pub const fn entry_addr(mut self, entry_addr: u32) -> Self {
        self.header.entry_addr = entry_addr;
        self
    }

    /// Sets over how many wires the flash is read.
    #[must_use]
    pub const fn flash_mode(mut self, mode: FlashMode) -> Self {
        self.header.spi_mode = mode.raw();
        self
    }

    /// Sets the clock at which the flash is read.
    #[must_use]
    pub const fn flash_freq(mut self, freq: FlashFreq) -> Self {
        self.flash_freq = Some(freq);
        self
    }

    /// Sets the size of the flash.
    #[must_use]
    pub const fn flash_size(mut self, size: FlashSize) -> Self {
        self.header.spi_size = size.raw();
        self
    }

    /// Sets whether a SHA-256 is appended.
    #[must_use]
    pub const fn hash_appended(mut self, hash_appended: bool) -> Self {
        self.header.hash_appended = hash_appended;
        self
    }

    /// Adds a segment, its data padded with 0 to a multiple of 4 bytes.
    #[must_use]
    pub fn segment(self, load_addr: u32, data: &[u8]) -> Self {
        self.segment_of(load_addr, &[data])
    }

    /// Adds a segment that begins with the description of an app. It should be the first.
    #[must_use]
    pub fn app_segment(self, load_addr: u32, description: &AppDescription, data: &[u8]) -> Self {
        self.segment_of(load_addr, &[&description.to_bytes(), data])
    }

    /// Adds a segment that begins with the description of a bootloader. It should be the first.
    #[must_use]
    pub fn bootloader_segment(
        self,
        load_addr: u32,
        description: &BootloaderDescription,
        data: &[u8],
    ) -> Self {
        self.segment_of(load_addr, &[&description.to_bytes(), data])
    }

    fn segment_of(mut self, load_addr: u32, parts: &[&[u8]]) -> Self {
        let mut data = parts.concat();
        data.resize(data.len().next_multiple_of(4), 0);
        self.segments.push((load_addr, data));
        self
    }

    /// The image with checksum and, unless switched off, SHA-256.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn build(self) -> Result<Vec<u8>, BuildError> {
        let mut header = self.header;
        header.segment_count = match u8::try_from(self.segments.len()) {
            Ok(count @ 1..=MAX_SEGMENTS) => count,
            _ => return Err(BuildError::SegmentCount { found: self.segments.len() }),
        };
        if let Some(freq) = self.flash_freq {
            let chip = self.chip;
            header.spi_speed = freq.raw(chip).ok_or(BuildError::FlashFreq { chip, freq })?;
        }

        let mut image = Vec::from(header.to_bytes());
        let mut end_bytes = super::HEADER_LEN_BYTES;
        for (index, (load_addr, data)) in self.segments.iter().enumerate() {
            let len_bytes = match u32::try_from(data.len()) {
                Ok(len_bytes) if len_bytes < MAX_SEGMENT_LEN_BYTES => len_bytes,
                _ => return Err(BuildError::SegmentLength { index, found_bytes: data.len() }),
            };
            let segment = SegmentHeader { load_addr: *load_addr, len_bytes };
            image.extend(segment.to_bytes());
            image.extend(data);
            // No overflow: there are at most 16 segments, each below 16 MiB.
            end_bytes += super::SEGMENT_HEADER_LEN_BYTES + len_bytes;
        }
        let mut behind_bytes = checksum_len_bytes(end_bytes);
        if header.hash_appended {
            behind_bytes += DIGEST_LEN_BYTES;
        }
        image.resize(image.len() + behind_bytes as usize, 0);
        update_checksums(&mut image).map_err(BuildError::Image)?;
        Ok(image)
    }
}

/// Why no image can be made of these parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// No segment, or more than [`MAX_SEGMENTS`].
    SegmentCount {
        /// How many there are.
        found: usize,
    },
    /// A segment has [`MAX_SEGMENT_LEN_BYTES`] or more.
    SegmentLength {
        /// Which one, from 0.
        index: usize,
        /// Bytes that it has.
        found_bytes: usize,
    },
    /// The chip cannot read flash at that frequency.
    FlashFreq {
        /// The chip.
        chip: Chip,
        /// The frequency.
        freq: FlashFreq,
    },
    /// The image that was made does not verify, which is a defect of the builder.
    Image(ImageError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SegmentCount { found } => {
                write!(f, "{found} segments, an image has 1 to {MAX_SEGMENTS}")
            }
            Self::SegmentLength { index, found_bytes } => write!(
                f,
                "segment {index} has {found_bytes:#x} bytes, \
                 it must have less than {MAX_SEGMENT_LEN_BYTES:#x}"
            ),
            Self::FlashFreq { chip, freq } => write!(f, "{chip} does not read flash at {freq}"),
            Self::Image(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for BuildError {}
