//! What an ESP-IDF device keeps in flash: partition table, otadata, NVS, app and bootloader images.
//!
//! ```
//! use esp_idf_format::otadata::OtaData;
//! use esp_idf_format::partition::{self, Label, Partition, PartitionTable, PartitionType, subtype};
//! use flash_region::{FlashAddr, Region};
//!
//! let partition = |label, kind, subtype, start, len_bytes| Partition {
//!     label: Label::new(label).unwrap_or_default(),
//!     kind,
//!     subtype,
//!     region: Region::clamped(FlashAddr(start), len_bytes),
//!     flags: 0,
//! };
//! let partitions = [
//!     partition("otadata", PartitionType::Data, subtype::OTADATA, 0xd000, 0x2000),
//!     partition("ota_0", PartitionType::App, subtype::OTA_0, 0x1_0000, 0x10_0000),
//!     partition("ota_1", PartitionType::App, subtype::OTA_0 + 1, 0x11_0000, 0x10_0000),
//! ];
//! let mut bytes = [0; partition::TABLE_LEN_BYTES as usize];
//! partition::emit(&partitions, &mut bytes)?;
//!
//! // The table of a device, checked once; reading it cannot fail afterwards.
//! let table = PartitionTable::parse(&bytes)?;
//! assert_eq!(table.find_addr(FlashAddr(0x11_0000)), table.ota(1));
//!
//! // Otadata is erased. What to write into which of its sectors so that ota_1 is started?
//! let otadata = OtaData::parse(&[0xff; 32], &[0xff; 32]);
//! let (sector, entry) = otadata.entry_for(1, table.ota_count())?;
//! assert_eq!((sector, entry.seq), (0, 2));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
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
//! `memory` says where a chip has RAM, and what of it the mask ROM uses.
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
pub mod memory;
pub mod nvs;
pub mod otadata;
pub mod partition;
mod text;

pub use chip::{Chip, ImageChip, UnknownChip};
pub use text::FixedText;

/// The example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
