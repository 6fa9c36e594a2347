//! The configuration packed into a migrator: one prebuilt firmware image serves every fleet,
//! because what differs between them is data in a section that the image reserves.
//!
//! ```text
//!   migration.toml -- bootswap pack --> | ESP image of the migrator                      |
//!                                       |  ... | section: header, CBOR, 0xff ... | ...   |
//!                                                    |
//!                              decode on the device  v  no allocation, borrowed
//!                                                  Config: Migration, networks, log level
//! ```
//!
//! The firmware holds a [`Section`] in its read-only data and [`decode`]s it. `bootswap pack` looks
//! for it with [`find_section`] in the image file and writes it with [`encode`], which needs no
//! allocation either. The bytes of the section are drawn in `section.rs`, the keys of the CBOR in
//! `wire.rs`.
//!
//! # Versions
//!
//! A section has a version `major.minor`. Within a major version, keys are only added, and only
//! keys that a reader may ignore. So a newer minor version can be read; its unknown keys are
//! ignored. Any other change (a new kind of contents, another meaning of a key) makes a new major
//! version, which older programs refuse with an error that says so.
#![no_std]
#![warn(clippy::indexing_slicing)]

mod config;
mod decode;
mod encode;
mod error;
mod layout;
mod log_level;
mod section;
mod wifi;
mod wire;

pub use config::{Config, MAX_HOSTNAME_LEN_BYTES, NetworkSettings, is_hostname};
pub use decode::{MAX_LABELS, MAX_NETWORKS, Storage, decode};
pub use encode::{EncodeError, encode};
pub use error::{ConfigError, FieldProblem, Malformed};
pub use layout::{
    HEADER_LEN_BYTES, MAJOR_VERSION, MINOR_VERSION, SECTION_ALIGN_BYTES, SECTION_LEN_BYTES,
    SECTION_MAGIC,
};
pub use log_level::{LogLevel, UnknownLogLevel};
pub use section::{Section, find_section};
pub use wifi::{MAX_PASSWORD_LEN_BYTES, MAX_SSID_LEN_BYTES, Wifi, WifiError};

#[cfg(test)]
mod tests;
