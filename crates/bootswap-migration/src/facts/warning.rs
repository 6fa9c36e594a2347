//! What is wrong with a device although it starts.

use std::fmt;

use esp_idf_format::image::ImageError;
use esp_idf_format::partition::{PartitionTable, PartitionTableError};
use flash_region::FlashAddr;

/// What is wrong with a device although it starts, so that it can be migrated all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FactsWarning {
    /// The SHA-256 behind the bootloader is not that of the bootloader.
    Digest {
        /// Where the bootloader is.
        start: FlashAddr,
        /// What is wrong, with offsets from there.
        error: ImageError,
    },
    /// The partition table has what ESP-IDF's tools refuse and its bootloader takes.
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
                 starts it all the same"
            ),
            Self::Table { addr, error } => write!(
                f,
                "the partition table at {addr} is not as ESP-IDF's tools make it: {error}; what \
                 that concerns is left alone"
            ),
        }
    }
}

/// What tools object to in a table at `addr`.
pub(super) fn table_warnings(
    addr: FlashAddr,
    table: &PartitionTable<'_>,
) -> impl Iterator<Item = FactsWarning> {
    table.objections().map(move |error| FactsWarning::Table { addr, error })
}
