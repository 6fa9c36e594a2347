//! The parts of an image, each with the address it is loaded to or mapped at.

use super::{EspImageHeader, HEADER_LEN_BYTES, ImageError, MAX_SEGMENT_LEN_BYTES};
use crate::cursor::{Reader, Writer};

/// Bytes of a segment's header (`sizeof(esp_image_segment_header_t)`).
pub const SEGMENT_HEADER_LEN_BYTES: u32 = 8;

/// The header of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SegmentHeader {
    /// Where the data goes in memory, or where the cache maps it. Below 0x10000000: nowhere, the
    /// segment is padding.
    pub load_addr: u32,
    /// Bytes of data, a multiple of 4.
    pub len_bytes: u32,
}

impl SegmentHeader {
    /// Reads the header from the first bytes of a segment, which is at `offset_bytes` and has
    /// number `index` in its image.
    ///
    /// # Errors
    ///
    /// [`ImageError::Truncated`], [`ImageError::SegmentLength`].
    pub fn parse(bytes: &[u8], offset_bytes: u32, index: u8) -> Result<Self, ImageError> {
        let mut fields = Reader::new(bytes);
        let (Some(load_addr), Some(len_bytes)) = (fields.u32(), fields.u32()) else {
            let found_bytes =
                offset_bytes.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
            let needed_bytes = offset_bytes.saturating_add(SEGMENT_HEADER_LEN_BYTES);
            return Err(ImageError::Truncated { found_bytes, needed_bytes });
        };
        if !len_bytes.is_multiple_of(4) || len_bytes >= MAX_SEGMENT_LEN_BYTES {
            let offset_bytes = offset_bytes.saturating_add(4);
            return Err(ImageError::SegmentLength { offset_bytes, index, found: len_bytes });
        }
        Ok(Self { load_addr, len_bytes })
    }

    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SEGMENT_HEADER_LEN_BYTES as usize] {
        Writer::filled_with(0)
            .put(&self.load_addr.to_le_bytes())
            .put(&self.len_bytes.to_le_bytes())
            .finish()
    }
}

/// A segment of an image in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Where in the image the data begins.
    pub data_offset_bytes: u32,
    /// Where the data goes.
    pub header: SegmentHeader,
    /// The data.
    pub data: &'a [u8],
}

/// The segments of a whole image, one after the other. It checks nothing after them.
///
/// # Errors
///
/// Those of [`EspImageHeader::parse`].
pub fn segments(image: &[u8]) -> Result<Segments<'_>, ImageError> {
    let header = EspImageHeader::parse(image)?;
    Ok(Segments {
        image,
        offset_bytes: HEADER_LEN_BYTES,
        index: 0,
        segment_count: header.segment_count,
    })
}

/// The segments of an image, from [`segments`]. It ends at the first that is invalid or incomplete.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    image: &'a [u8],
    offset_bytes: u32,
    index: u8,
    segment_count: u8,
}

impl<'a> Segments<'a> {
    /// Where in the image the next segment begins; at the end, where the padding begins.
    #[must_use]
    pub const fn offset_bytes(&self) -> u32 {
        self.offset_bytes
    }

    fn read(&mut self) -> Result<Segment<'a>, ImageError> {
        let rest = self.image.get(self.offset_bytes as usize..).unwrap_or(&[]);
        let header = SegmentHeader::parse(rest, self.offset_bytes, self.index)?;
        // At most 16 segments, each below 16 MiB: none of these sums overflows.
        let data_offset_bytes = self.offset_bytes.saturating_add(SEGMENT_HEADER_LEN_BYTES);
        let end_bytes = data_offset_bytes.saturating_add(header.len_bytes);
        let data = self.image.get(data_offset_bytes as usize..end_bytes as usize).ok_or(
            ImageError::Truncated {
                found_bytes: u32::try_from(self.image.len()).unwrap_or(u32::MAX),
                needed_bytes: end_bytes,
            },
        )?;
        self.offset_bytes = end_bytes;
        self.index += 1;
        Ok(Segment { data_offset_bytes, header, data })
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.segment_count {
            return None;
        }
        let segment = self.read();
        if segment.is_err() {
            self.index = self.segment_count;
        }
        Some(segment)
    }
}
