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
//! The loader starts a bootloader from the first of two copies that is whole; the mask ROM could
//! not start it from there. The copies lie after the loader's image and not inside it, so that a
//! damaged copy leaves the loader's own image valid.
//!
//! The loader (`firmware/loader`), the program that composes the files, and the simulator that
//! judges them share this format and nothing else.
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

/// Largest length of a loader's code and data, in bytes; a limit of this format.
pub const LOADER_MAX_BYTES: u32 = 2048;

/// Largest length of the loader's image in bytes, with header, checksum and digest: one sector
/// without its last 16 bytes, which are for the trial word.
pub const IMAGE_MAX_BYTES: u32 = TRIAL_OFFSET_BYTES;

/// Project name in the description of a carrier's app.
pub const PROJECT: &str = "bootswap-carrier";

/// Where the trial word lies, in bytes from the start of a carrier: in the last 16 bytes of the
/// first sector, which the app image leaves erased.
pub const TRIAL_OFFSET_BYTES: u32 = SECTOR_BYTES - 16;

/// Where the first copy lies, in bytes from the start of a carrier or from the bootloader's
/// address.
pub const COPIES_OFFSET_BYTES: u32 = SECTOR_BYTES;
