//! Why an image is refused.

use core::fmt;

use super::{MAX_SEGMENT_LEN_BYTES, MAX_SEGMENTS, RomFault};

/// What is wrong with an image. Offsets are bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ImageError {
    /// The first byte is not that of an image.
    BadMagic {
        /// Where it is, 0.
        offset_bytes: u32,
        /// What is there.
        found: u8,
    },
    /// No segment, or more than [`MAX_SEGMENTS`].
    SegmentCount {
        /// Where the count is.
        offset_bytes: u32,
        /// What it says.
        found: u8,
    },
    /// A segment's length is not a multiple of 4, or not below [`MAX_SEGMENT_LEN_BYTES`].
    SegmentLength {
        /// Where the length is.
        offset_bytes: u32,
        /// Which segment, from 0.
        index: u8,
        /// What it says.
        found: u32,
    },
    /// The image is longer than there is room for.
    TooLong {
        /// Bytes that it has at least.
        needed_bytes: u32,
        /// Bytes that it may have.
        max_bytes: u32,
    },
    /// The image is longer than the bytes given.
    Truncated {
        /// Bytes that are there.
        found_bytes: u32,
        /// Bytes that it has at least.
        needed_bytes: u32,
    },
    /// The checksum is not that of the segments.
    Checksum {
        /// Where it is.
        offset_bytes: u32,
        /// What is there.
        stored: u8,
        /// What would be right.
        computed: u8,
    },
    /// The SHA-256 is not that of the image.
    Digest {
        /// Where it is.
        offset_bytes: u32,
        /// The first four bytes that are there.
        stored: [u8; 4],
        /// The first four bytes that would be right.
        computed: [u8; 4],
    },
    /// A bootloader that the chip's ROM cannot load or start.
    Rom(RomFault),
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadMagic { offset_bytes, found } => write!(
                f,
                "not an ESP image: byte {found:#04x} instead of 0xe9 at offset {offset_bytes}"
            ),
            Self::SegmentCount { offset_bytes, found } => write!(
                f,
                "image has {found} segments at offset {offset_bytes}, not 1 to {MAX_SEGMENTS}"
            ),
            Self::SegmentLength { offset_bytes, index, found } => write!(
                f,
                "segment {index} of the image has length {found:#x} at offset {offset_bytes:#x}, \
                 not a multiple of 4 below {MAX_SEGMENT_LEN_BYTES:#x}"
            ),
            Self::TooLong { needed_bytes, max_bytes } => write!(
                f,
                "image has at least {needed_bytes:#x} bytes, there is room for {max_bytes:#x}"
            ),
            Self::Truncated { found_bytes, needed_bytes } => write!(
                f,
                "image ends at offset {found_bytes:#x}, it has at least {needed_bytes:#x} bytes"
            ),
            Self::Checksum { offset_bytes, stored, computed } => write!(
                f,
                "image's checksum at offset {offset_bytes:#x} is {stored:#04x}, \
                 its segments have {computed:#04x}"
            ),
            Self::Digest { offset_bytes, stored, computed } => write!(
                f,
                "image's SHA-256 at offset {offset_bytes:#x} begins with {:08x}, \
                 that of the image with {:08x}",
                u32::from_be_bytes(stored),
                u32::from_be_bytes(computed)
            ),
            Self::Rom(fault) => fault.fmt(f),
        }
    }
}

impl core::error::Error for ImageError {}
