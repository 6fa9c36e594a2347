//! What an ESP-IDF device keeps in flash: partition table, otadata, NVS, app and bootloader images.
//!
//! ```text
//!   0x0 or 0x1000     0x8000            0x9000 ...
//!   +------------+    +-----------+     +-----+---------+-----+---------+-------+-------+
//!   | bootloader |    | partition |     | nvs | otadata | phy | factory | ota_0 | ota_1 |
//!   |  (image)   |    |   table   |     |     |         |     | (image) |       |       |
//!   +------------+    +-----------+     +-----+---------+-----+---------+-------+-------+
//!      [image]         [partition]             [otadata]        [image], [app_desc]
//! ```
//!
//! Each module has a checked parser over `&[u8]` that never panics, and an emitter of the same
//! bytes. Nothing here touches flash or allocates; building whole images from parts is behind the
//! feature `alloc`.
//!
//! The formats are those of the ESP-IDF Programming Guide ("App Image Format", "Partition Tables",
//! "Over The Air Updates"); where the guide is silent, `components/bootloader_support` of
//! `espressif/esp-idf` decides, because it is what runs on the device.
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod app_desc;
pub mod bootloader_desc;
mod chip;
mod crc;
mod cursor;
pub mod image;
pub mod nvs;
pub mod otadata;
pub mod partition;
mod text;

pub use chip::{Chip, UnknownChip};
pub use text::FixedText;
