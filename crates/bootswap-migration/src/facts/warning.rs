//! What is wrong with a device although it boots.

use std::fmt;

use esp_idf_format::image::ImageError;
use esp_idf_format::partition::{PartitionTable, PartitionTableError};
use flash_region::FlashAddr;

/// What is wrong with a device although it boots, so it can be migrated nevertheless.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FactsWarning {
    /// The SHA-256 after the bootloader is not that of the bootloader.
    Digest {
        /// Where the bootloader is.
        start: FlashAddr,
        /// What is wrong, with offsets from there.
        error: ImageError,
    },
    /// The partition table has something that ESP-IDF's tools refuse and its bootloader accepts.
    Table {
        /// Where the table is.
        addr: FlashAddr,
        /// What is wrong, with offsets from there.
        error: PartitionTableError,
    },
}

impl fmt::Display for FactsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { start, error } => write!(
                f,
                "the bootloader at {start} was changed after it was built: {error}; the chip \
                starts it nevertheless"
            ),
            Self::Table { addr, error } => write!(
                f,
                "the partition table at {addr} is not as ESP-IDF's tools make it: {error}; the \
                partitions concerned are left alone"
            ),
        }
    }
}

/// What ESP-IDF's tools would refuse in a table at `addr`.
pub(super) fn table_warnings(
    addr: FlashAddr,
    table: &PartitionTable<'_>,
) -> impl Iterator<Item = FactsWarning> {
    table.objections().map(move |error| FactsWarning::Table { addr, error })
}
