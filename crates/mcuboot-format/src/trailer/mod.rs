//! The trailer at the end of a slot, through which MCUboot and the application communicate.
//!
//! ```text
//!  status start                                                              slot end
//!  |  status  | [tlv and] swap size | swap info | copy done | image ok | pad | magic |
//!  |          |<---------------- one max_align each ---------------->|     | 16 B  |
//!  |<-steps-->|<----------------------------- fields ----------------------------->|
//!  |<----------------------------------- trailer ----------------------------------->|
//! ```
//!
//! - *status*: one write unit for each step of a swap, programmed as the step is done;
//! - *swap size*: bytes of the larger image of a swap in progress. Swap using offset keeps the
//!   sizes of both images' unprotected TLVs between it and swap info; overwrite keeps neither;
//! - *swap info*: which kind of swap is in progress, and for which image;
//! - *copy done*, *image ok*: one byte each, 0x01 when set;
//! - *magic*: whether the rest means anything.
//!
//! The drawing is that of `struct` "end-of-image" in boot/bootutil/src/bootutil_priv.h; the offsets
//! are those of boot/bootutil/src/bootutil_misc.h and bootutil_public.c. The fields of encrypted
//! images are left out: a bootloader with `MCUBOOT_ENC_IMAGES` has another layout.

mod layout;
mod state;

pub use layout::{FLAG_SET, MAGIC_LEN_BYTES, TrailerConfig, TrailerLayout, magic_bytes};
pub use state::{Flag, Magic, SwapInfo, SwapType, TrailerState, confirmed_trailer};

use core::fmt;

use flash_region::Region;

/// Why a trailer is not possible, or cannot be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TrailerError {
    /// `max_align` is not 8, 16 or 32.
    MaxAlign {
        /// What it is, in bytes.
        found: u32,
    },
    /// The write unit is not a power of two, or above `max_align`.
    WriteUnit {
        /// What it is, in bytes.
        found: u32,
        /// The largest that is allowed.
        max_align: u32,
    },
    /// The number of sectors is 0.
    NoSectors,
    /// The slot does not end a whole number of `max_align` from its start.
    SlotMisaligned {
        /// The slot meant.
        slot: Region,
        /// What its length must be a multiple of, in bytes.
        max_align: u32,
    },
    /// The trailer leaves no room for an image.
    SlotTooSmall {
        /// The slot meant.
        slot: Region,
        /// What the trailer takes, in bytes.
        trailer_len_bytes: u64,
    },
    /// The bytes handed over are fewer than the fields take.
    BufferTooShort {
        /// How many there are.
        len_bytes: usize,
        /// How many are needed.
        needed_bytes: u32,
    },
}

impl fmt::Display for TrailerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxAlign { found } => {
                write!(f, "trailer: max_align is {found}, expected 8, 16 or 32")
            }
            Self::WriteUnit { found, max_align } => write!(
                f,
                "trailer: write unit is {found} bytes, expected a power of two up to {max_align}"
            ),
            Self::NoSectors => write!(f, "trailer: max_sectors is 0"),
            Self::SlotMisaligned { slot, max_align } => {
                write!(f, "trailer: length of slot {slot} is not a multiple of {max_align}")
            }
            Self::SlotTooSmall { slot, trailer_len_bytes } => write!(
                f,
                "trailer: takes {trailer_len_bytes:#x} bytes, which leaves nothing of slot {slot}"
            ),
            Self::BufferTooShort { len_bytes, needed_bytes } => {
                write!(f, "trailer: {len_bytes:#x} bytes given, needs {needed_bytes:#x}")
            }
        }
    }
}

impl core::error::Error for TrailerError {}

#[cfg(test)]
mod tests;
