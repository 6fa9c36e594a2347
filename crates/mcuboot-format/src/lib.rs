//! What MCUboot keeps in flash: image header, TLVs, slot trailer, and the rules by which it accepts them.
//!
//! ```text
//! slot offset 0                                                            slot end
//! | header | payload | protected TLVs | TLVs |   erased   | status |  fields  | magic |
//! |<------- hashed and signed ------->|                   |<-------- trailer -------->|
//! ```
//!
//! Everything is a checked view or a plain value over bytes that somebody else read; nothing here
//! touches flash. The reference is bootutil in mcu-tools/mcuboot, named by path wherever a constant or
//! a rule comes from it, and imgtool, which writes what bootutil reads.
//!
//! Features: `alloc` adds the `builder` and private keys, `rsa` adds RSA keys and signatures; ECDSA and
//! Ed25519 signatures are checked without either.
//!
//! All numbers in the formats are little endian, which is what every chip of the ESP32 family is.
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(feature = "alloc")]
pub mod builder;
mod bytes;
pub mod espressif;
mod header;
pub mod key;
mod limits;
mod swap;
pub mod tlv;
pub mod trailer;
mod validate;
mod version;

pub use header::{HeaderError, IMAGE_MAGIC, ImageFlags, ImageHeader};
pub use limits::SlotLimits;
pub use swap::{SwapKind, UnknownSwapKind};
pub use validate::{
    Dependencies, ImageValidator, MAX_DEPENDENCIES, ValidImage, ValidateError, validate,
};
pub use version::{ImageVersion, VersionError, VersionPart};
