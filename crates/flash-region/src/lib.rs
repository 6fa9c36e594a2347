//! Flash addresses and half-open regions: the two words in which every other crate says *where*.
//!
//! ```text
//!   0x110000                         0x210000
//!      |<------------ region ----------->|
//!   start, included                   end, not included
//! ```
//!
//! Both are plain values over `u32`: the flash of every ESP32 is addressed with at most 32 bits. An
//! end of exactly 2^32 is not representable and not needed, the largest chips hold 256 MiB.
#![no_std]
#![warn(clippy::indexing_slicing)]

mod addr;
mod region;

pub use addr::FlashAddr;
pub use region::{Chunks, Region};

/// Bytes of a page, the unit that NOR flash programs at once (W25Q32JV datasheet, "Page Program").
pub const PAGE_BYTES: u32 = 256;
/// Bytes of a sector, the smallest unit that NOR flash erases (W25Q32JV datasheet, "Sector Erase").
pub const SECTOR_BYTES: u32 = 4 * 1024;
/// Bytes of the smaller erase block (W25Q32JV datasheet, "32KB Block Erase").
pub const BLOCK_32K_BYTES: u32 = 32 * 1024;
/// Bytes of the larger erase block (W25Q32JV datasheet, "64KB Block Erase").
pub const BLOCK_64K_BYTES: u32 = 64 * 1024;
/// What a bit pattern of erased flash reads as.
pub const ERASED: u8 = 0xff;

/// Whether every byte reads as erased flash does.
#[must_use]
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == ERASED)
}
