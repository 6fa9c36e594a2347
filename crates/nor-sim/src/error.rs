//! Why the flash did not do what it was asked.

use core::fmt;

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};
use flash_region::{FlashAddr, Region};

use crate::Op;

/// Why the flash did not do what it was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NorError {
    /// There is no power. On a device no caller would be running any more.
    PowerLost,
    /// The processor crashed because of an operation on guarded flash. On a device no caller would
    /// be running any more.
    Crashed,
    /// Access past the end of the chip.
    OutOfBounds {
        /// First byte accessed.
        addr: FlashAddr,
        /// Bytes accessed.
        len_bytes: u32,
        /// Bytes that the chip holds.
        capacity_bytes: u32,
    },
    /// An erase, or an access through the driver, that does not start or end at its unit.
    Misaligned {
        /// The address that is not a multiple of the unit.
        addr: FlashAddr,
        /// The unit, in bytes.
        unit_bytes: u32,
    },
    /// A page program that crosses the end of its page; a chip would wrap around to the start of
    /// the page.
    PageCrossed {
        /// First byte programmed.
        addr: FlashAddr,
        /// Bytes programmed.
        len_bytes: u32,
    },
    /// The chip reported that the operation failed.
    Failed {
        /// The operation.
        op: Op,
    },
    /// The chip could not be read.
    ReadFailed {
        /// First byte read.
        addr: FlashAddr,
        /// Bytes read.
        len_bytes: u32,
    },
    /// The operation touches a region in which the test allows none.
    Refused {
        /// The operation.
        op: Op,
        /// The guarded region.
        region: Region,
    },
}

impl NorError {
    /// Whether the processor has stopped, so that on a device the caller would no longer be
    /// running.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::PowerLost | Self::Crashed)
    }

    /// Whether the arguments were wrong, so that the chip has not seen an operation at all.
    #[must_use]
    pub const fn is_misuse(self) -> bool {
        matches!(
            self,
            Self::OutOfBounds { .. } | Self::Misaligned { .. } | Self::PageCrossed { .. }
        )
    }
}

impl fmt::Display for NorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerLost => f.write_str("no power"),
            Self::Crashed => f.write_str("the processor crashed"),
            Self::OutOfBounds { addr, len_bytes, capacity_bytes } => {
                write!(f, "{len_bytes} B at {addr} are not inside a flash of {capacity_bytes:#x} B")
            }
            Self::Misaligned { addr, unit_bytes } => {
                write!(f, "{addr} is not a multiple of {unit_bytes:#x}")
            }
            Self::PageCrossed { addr, len_bytes } => {
                write!(f, "a program of {len_bytes} B at {addr} crosses the end of its page")
            }
            Self::Failed { op } => write!(f, "{op} failed"),
            Self::ReadFailed { addr, len_bytes } => {
                write!(f, "read of {len_bytes} B at {addr} failed")
            }
            Self::Refused { op, region } => write!(f, "{op} touches guarded flash at {region}"),
        }
    }
}

impl core::error::Error for NorError {}

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds { .. } => NorFlashErrorKind::OutOfBounds,
            Self::Misaligned { .. } | Self::PageCrossed { .. } => NorFlashErrorKind::NotAligned,
            _ => NorFlashErrorKind::Other,
        }
    }
}
