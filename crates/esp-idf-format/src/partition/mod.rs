//! The partition table: which part of flash is for what.
//!
//! ```text
//!          0    2    3    4         8         12                       28       32
//!   0x000  | aa50 | kind | sub | offset  | length  | label, 16 bytes         | flags  |   entry
//!   0x020  | aa50 | ...                                                               |   entry
//!     :
//!          | ebeb ff ff ff ff ff ff ff ff ff ff ff ff ff ff | MD5 of all entries above |  once
//!          | ff ff ff ff ...                                                           |  end
//!   0xc00
//! ```
//!
//! Numbers are little-endian. Offset and length are bytes from the start of flash. The MD5 entry is
//! absent in tables made before ESP-IDF 3.1 or with `CONFIG_PARTITION_TABLE_MD5` off.
//!
//! [`PartitionTable`] is the checked view of a table, [`Partition`] the value of one entry and
//! [`emit`] the way back; `parse_csv` (feature `alloc`) reads the CSV form that projects have.
//! Sources: ESP-IDF Programming Guide, "Partition Tables";
//! `components/bootloader_support/src/flash_partitions.c` and
//! `components/partition_table/gen_esp32part.py` in `espressif/esp-idf`.

#[cfg(feature = "alloc")]
mod csv;
mod emit;
mod entry;
mod error;
mod kind;
mod layout;
mod roles;
mod search;
mod table;
#[cfg(test)]
mod tests;

use flash_region::FlashAddr;

use crate::FixedText;

#[cfg(feature = "alloc")]
pub use csv::{CsvError, CsvField, CsvPlaces, parse_csv};
pub use emit::emit;
pub use entry::{Partition, flags};
pub use error::PartitionTableError;
pub use kind::{PartitionType, subtype};
pub use roles::BootRoles;
pub use search::{TableNotFound, TableSearch};
pub use table::{PartitionTable, Partitions};

/// Where the table is, unless a project changed `CONFIG_PARTITION_TABLE_OFFSET`.
pub const TABLE_ADDR: FlashAddr = FlashAddr(0x8000);

/// Bytes of the table with its padding; the rest of its sector is left to a signature
/// (`ESP_PARTITION_TABLE_MAX_LEN`).
pub const TABLE_LEN_BYTES: u32 = 0xc00;

/// Bytes of one entry (`sizeof(esp_partition_info_t)`).
pub const ENTRY_LEN_BYTES: u32 = 32;

/// The most partitions that any table can have: one record is the end marker.
pub const MAX_ENTRIES: usize = (TABLE_LEN_BYTES / ENTRY_LEN_BYTES) as usize - 1;

/// The most partitions that a table with an MD5 entry, as [`emit`] writes it, can have.
pub const MAX_ENTRIES_WITH_MD5: usize = MAX_ENTRIES - 1;

/// Alignment of partitions that hold an app: the unit in which the chip's cache maps flash.
pub const APP_ALIGN_BYTES: u32 = 0x1_0000;

/// Alignment of all other partitions: the erase unit.
pub const DATA_ALIGN_BYTES: u32 = flash_region::SECTOR_BYTES;

/// Bytes that the bootloader reads of otadata: one sector for each of its two entries.
pub const OTADATA_LEN_BYTES: u32 = 2 * flash_region::SECTOR_BYTES;

/// The most OTA slots, one for each of their subtypes (`ESP_PARTITION_SUBTYPE_APP_OTA_MAX`).
pub const MAX_OTA_SLOTS: u8 = subtype::OTA_15 - subtype::OTA_0 + 1;

/// Bytes of a partition's name.
pub const LABEL_LEN_BYTES: usize = 16;

/// The name of a partition.
pub type Label = FixedText<LABEL_LEN_BYTES>;

/// First bytes of the record of a partition, `ESP_PARTITION_MAGIC` as it lies in flash.
pub const ENTRY_MAGIC: [u8; 2] = [0xaa, 0x50];
/// First bytes of the record with the digest, `ESP_PARTITION_MAGIC_MD5`.
const MD5_MAGIC: [u8; 2] = [0xeb, 0xeb];
