//! Flash addresses and half-open regions: the types for places in NOR flash.
//!
//! ```
//! use flash_region::{FlashAddr, Region, SECTOR_BYTES};
//!
//! let primary = Region::clamped(FlashAddr(0x1_0000), 0x10_0000);
//! let secondary = Region::clamped(FlashAddr(0x11_0000), 0x10_0000);
//! // Regions that only touch do not overlap.
//! assert!(!primary.overlaps(secondary));
//! assert_eq!(secondary.to_string(), "0x110000..0x210000");
//!
//! // An image of 5000 bytes at the start of a slot, in pieces that do not cross a sector boundary.
//! let image = secondary.prefix(5000);
//! assert!(image.chunks(SECTOR_BYTES).map(Region::len_bytes).eq([4096, 904]));
//! // The sectors that have to be erased for it.
//! assert_eq!(image.align_out(SECTOR_BYTES).map(Region::len_bytes), Some(0x2000));
//! ```
//!
//! ```text
//!   0x110000                         0x210000
//!      |<------------ region ----------->|
//!   start, included                   end, not included
//! ```
//!
//! Both are plain values over `u32`: the flash of every ESP32 is addressed with at most 32 bits. An
//! end of exactly 2^32 cannot be represented and is not needed, as the largest chips hold 256 MiB.
//!
//! The crate also has what nearly all code for flash needs: the sizes of pages, sectors and blocks,
//! the limits of a driver ([`check_access`]), [`is_blank`], and [`Hex`] for digests in messages.
#![no_std]
#![warn(clippy::indexing_slicing)]

mod access;
mod addr;
mod hex;
mod region;

pub use access::{AccessError, REACHABLE_BYTES, check_access};
pub use addr::FlashAddr;
pub use hex::Hex;
pub use region::{Chunks, Region};

/// Bytes of a page, the unit that NOR flash programs at once (W25Q32JV datasheet, "Page Program").
pub const PAGE_BYTES: u32 = 256;
/// Bytes of a sector, the smallest unit that NOR flash erases (W25Q32JV datasheet, "Sector Erase").
pub const SECTOR_BYTES: u32 = 4 * 1024;
/// Bytes of the smaller erase block (W25Q32JV datasheet, "32KB Block Erase").
pub const BLOCK_32K_BYTES: u32 = 32 * 1024;
/// Bytes of the larger erase block (W25Q32JV datasheet, "64KB Block Erase").
pub const BLOCK_64K_BYTES: u32 = 64 * 1024;
/// Value of every byte of erased flash (W25Q32JV datasheet, "Sector Erase").
pub const ERASED: u8 = 0xff;

/// Whether every byte reads as erased flash does.
#[must_use]
pub fn is_blank(bytes: &[u8]) -> bool {
    // A word at a time, because every sector of a flash is checked, in builds without optimization
    // too.
    let (words, rest) = bytes.as_chunks::<{ size_of::<usize>() }>();
    words.iter().all(|word| *word == [ERASED; size_of::<usize>()])
        && rest.iter().all(|&byte| byte == ERASED)
}

/// The example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
