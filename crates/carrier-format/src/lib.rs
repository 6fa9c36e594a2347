//! A carrier, a first stage, and the record that tells the loader in them what to do.
//!
//! ```text
//!   carrier, in an app partition                   first stage, at the bootloader's place
//!   0x0000 | app image: loader with its record |   0x0000 | bootloader image: the same loader |
//!   0x0ff0 | trial word                        |   0x1000 | copy 1 of the bootloader          |
//!   0x1000 | copy 1 of the bootloader          |    ...
//!          | copy 2, in a sector of its own    |   anywhere else: copy 2
//! ```
//!
//! The loader starts the better of two copies of a bootloader that the mask ROM cannot start from
//! there. A copy lies behind the loader's image and not in it, so that one that is damaged does not
//! make the loader's own image a damaged one.
//!
//! The loader (`firmware/loader`), the program that composes the files, and the simulator that
//! judges them share this format, and nothing else.
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod memory;
mod record;
mod trial;

pub use memory::LoaderMemory;
pub use record::{
    LoaderRecord, Place, RECORD_LEN_BYTES, RECORD_MAGIC, RECORD_WORDS, RecordError, find,
};
pub use trial::{MAX_STARTS, Trial, TrialWord};

use flash_region::SECTOR_BYTES;

/// Bytes of code and data that a loader may have.
pub const LOADER_MAX_BYTES: u32 = 2048;

/// Bytes that the loader's image may have, header, checksum and digest included: one sector, the
/// trial word's line left out.
pub const IMAGE_MAX_BYTES: u32 = TRIAL_OFFSET_BYTES;

/// Where the trial word lies, from the first byte of a carrier: in the last line of the sector that
/// its app image leaves erased.
pub const TRIAL_OFFSET_BYTES: u32 = SECTOR_BYTES - 16;

/// Where the first copy lies, from the first byte of a carrier or of the bootloader's place.
pub const COPIES_OFFSET_BYTES: u32 = SECTOR_BYTES;
