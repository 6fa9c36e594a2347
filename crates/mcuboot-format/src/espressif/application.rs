//! Checks an application's load header while its bytes pass.

use esp_idf_format::Chip;

use super::{LoadFault, LoadHeader};
use crate::ImageHeader;

/// Checks an application's load header while the bytes of its image pass, and keeps it. For a whole
/// image there is [`check`](super::check).
#[derive(Clone, Debug)]
pub struct LoadHeaderReader {
    chip: Chip,
    passed_bytes: u32,
    image: [u8; ImageHeader::LEN_BYTES],
    load: [u8; LoadHeader::LEN_BYTES],
    header: Option<LoadHeader>,
}

impl LoadHeaderReader {
    /// A reader for an application of that chip, before its first byte.
    #[must_use]
    pub const fn new(chip: Chip) -> Self {
        Self {
            chip,
            passed_bytes: 0,
            image: [0; ImageHeader::LEN_BYTES],
            load: [0; LoadHeader::LEN_BYTES],
            header: None,
        }
    }

    /// Takes the next bytes of the image.
    ///
    /// # Errors
    ///
    /// A [`LoadFault`] as soon as the load header has passed and is found wrong.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LoadFault> {
        if self.header.is_some() {
            return Ok(());
        }
        let at = self.passed_bytes;
        keep(&mut self.image, 0, bytes, at);
        self.passed_bytes = at.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if (self.passed_bytes as usize) < self.image.len() {
            return Ok(());
        }
        let image = ImageHeader::parse(&self.image)?;
        let start = u32::from(image.hdr_size);
        // If `hdr_size` is less than 32, the load header begins in bytes that were kept before.
        keep(&mut self.load, start, &self.image, 0);
        keep(&mut self.load, start, bytes, at);
        let end = start.saturating_add(LoadHeader::LEN_BYTES as u32);
        if self.passed_bytes < end {
            return Ok(());
        }
        let load = LoadHeader::parse(&self.load)?;
        load.check(self.chip, &image)?;
        self.header = Some(load);
        Ok(())
    }

    /// The load header, once it has passed.
    #[must_use]
    pub const fn header(&self) -> Option<&LoadHeader> {
        self.header.as_ref()
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// A [`LoadFault`] if the image ends before its load header does.
    pub fn finish(self) -> Result<LoadHeader, LoadFault> {
        if let Some(header) = self.header {
            return Ok(header);
        }
        let image = self.image.get(..self.passed_bytes as usize).unwrap_or(&self.image);
        let start = ImageHeader::parse(image)?.hdr_size;
        let payload_bytes = self.passed_bytes.saturating_sub(u32::from(start)) as usize;
        LoadHeader::parse(self.load.get(..payload_bytes).unwrap_or(&self.load))
    }
}

/// Copies the part of `field` that `bytes` have. The field is at offset `start` of a file, the
/// bytes are at offset `at`.
fn keep(field: &mut [u8], start: u32, bytes: &[u8], at: u32) {
    let skip = start.saturating_sub(at) as usize;
    let done = at.saturating_sub(start) as usize;
    let to = field.iter_mut().skip(done);
    to.zip(bytes.iter().skip(skip)).for_each(|(to, from)| *to = *from);
}
