//! What MCUboot keeps in flash: image header, TLVs, slot trailer, and the rules by which it accepts
//! them.
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use flash_region::{FlashAddr, Region, SECTOR_BYTES};
//! use mcuboot_format::builder::{SignOptions, sign};
//! use mcuboot_format::key::PrivateKey;
//! use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};
//! use mcuboot_format::{SlotLimits, SwapKind, ValidateError, validate};
//!
//! // Two slots of 1 MiB, of a bootloader that swaps using scratch.
//! let config = TrailerConfig::espressif(SwapKind::Scratch);
//! let primary = TrailerLayout::new(Region::clamped(FlashAddr(0x1_0000), 0x10_0000), config)?;
//! let secondary = TrailerLayout::new(Region::clamped(FlashAddr(0x11_0000), 0x10_0000), config)?;
//! let limits = SlotLimits::new(&primary, &secondary, SECTOR_BYTES);
//!
//! // An image as `imgtool sign` makes it, checked as MCUboot checks it.
//! let key = PrivateKey::ed25519([7; 32]);
//! let options = SignOptions::espressif(0x10_0000, SwapKind::Scratch);
//! let mut image = sign(b"code", &SignOptions { key: Some(&key), ..options })?;
//! let valid = validate(&image, limits, Some(&key.public_key()))?;
//! assert_eq!(valid.header.img_size, 4);
//!
//! // The same with one bit wrong.
//! image[33] ^= 1;
//! let refused = validate(&image, limits, Some(&key.public_key()));
//! assert!(matches!(refused, Err(ValidateError::HashMismatch { .. })));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! ```text
//! slot offset 0                                                            slot end
//! | header | payload | protected TLVs | TLVs |   erased   | status |  fields  | magic |
//! |<------- hashed and signed ------->|                   |<-------- trailer -------->|
//! ```
//!
//! Everything is a checked view or a plain value over bytes that the caller has read; nothing here
//! accesses flash. The references are bootutil in mcu-tools/mcuboot, whose paths are named wherever
//! a constant or a rule is from it, and imgtool, which writes what bootutil reads.
//!
//! Features: `alloc` adds `builder`, private keys, and `bootloader`, which reads what the file of a
//! bootloader says about itself; `rsa` adds private RSA keys. Signatures of all kinds are checked
//! without either.
//!
//! All numbers in the formats are little endian, as are all chips of the ESP32 family.
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod bootloader;
#[cfg(feature = "alloc")]
pub mod builder;
mod bytes;
mod downgrade;
pub mod espressif;
mod header;
pub mod key;
mod limits;
mod swap;
pub mod tlv;
pub mod trailer;
mod validate;
mod version;

pub use downgrade::{DowngradePrevention, ImageRank, UnknownDowngradePrevention};
pub use header::{HeaderError, IMAGE_MAGIC, ImageFlags, ImageHeader};
pub use limits::SlotLimits;
pub use swap::{SwapKind, UnknownSwapKind};
pub use validate::{
    Dependencies, ImageValidator, MAX_DEPENDENCIES, ValidImage, ValidateError, validate,
};
pub use version::{ImageVersion, VersionError, VersionPart};

/// The example of the README.
#[doc = include_str!("../README.md")]
#[cfg(all(doctest, feature = "alloc"))]
struct Readme;
