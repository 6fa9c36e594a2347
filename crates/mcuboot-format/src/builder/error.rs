//! Why an image cannot be made.

use core::fmt;

use crate::ImageHeader;
use crate::trailer::{Magic, TrailerError};

/// Why an image cannot be made, padded or confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SignError {
    /// The header length asked for is shorter than a header.
    HeaderLen {
        /// Bytes asked for.
        found: u16,
    },
    /// The payload is shorter than the header, for which it should have room at its start.
    PayloadTooShort {
        /// Bytes that it has.
        len_bytes: usize,
    },
    /// The payload should begin with zeros for the header, and does not.
    HeaderNotZero {
        /// Where, from the payload's start.
        offset: usize,
        /// What.
        found: u8,
    },
    /// The TLVs of an area take more than 65,535 bytes.
    AreaTooLong {
        /// Bytes that they take.
        len_bytes: usize,
    },
    /// The image does not fit before the trailer.
    TooLong {
        /// Bytes that it has.
        len_bytes: usize,
        /// Bytes that it may have.
        max_len_bytes: u32,
    },
    /// The trailer is not possible.
    Trailer(TrailerError),
    /// The image to be confirmed does not end in a good trailer.
    NotPadded {
        /// What its magic says.
        magic: Magic,
    },
    /// The key cannot sign.
    Key,
}

impl From<TrailerError> for SignError {
    fn from(error: TrailerError) -> Self {
        Self::Trailer(error)
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderLen { found } => {
                write!(f, "image header: {found} bytes, needs {}", ImageHeader::LEN_BYTES)
            }
            Self::PayloadTooShort { len_bytes } => {
                write!(
                    f,
                    "payload: {len_bytes} bytes, less than the header that it should start with"
                )
            }
            Self::HeaderNotZero { offset, found } => write!(
                f,
                "payload: byte at offset {offset:#x} is {found:#04x}, expected zeros for the header"
            ),
            Self::AreaTooLong { len_bytes } => {
                write!(f, "TLV area: {len_bytes} bytes, at most {}", u16::MAX)
            }
            Self::TooLong { len_bytes, max_len_bytes } => {
                write!(f, "image: {len_bytes:#x} bytes, the slot has room for {max_len_bytes:#x}")
            }
            Self::Trailer(error) => error.fmt(f),
            Self::NotPadded { magic } => {
                write!(
                    f,
                    "trailer: magic at the image's end is {magic}, so the image is not padded"
                )
            }
            Self::Key => f.write_str("key: cannot sign"),
        }
    }
}

impl core::error::Error for SignError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Trailer(error) => Some(error),
            _ => None,
        }
    }
}
