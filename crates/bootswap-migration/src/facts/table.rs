//! Finds the partition table of a dump.

use esp_idf_format::Chip;
use esp_idf_format::image::IMAGE_MAGIC;
use esp_idf_format::partition::{PartitionTable, TABLE_ADDR, TableNotFound, TableSearch};
use flash_region::FlashAddr;

use super::dump::bytes_from;

/// Addresses of partition tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tables {
    /// The table that the bootloader uses; the usual address if there is none.
    pub addr: FlashAddr,
    /// Another address whose table may be the one that the bootloader uses.
    pub other: Option<FlashAddr>,
}

/// Finds the table in a dump whose bootloader has `bootloader_len_bytes`: at `named`, else after
/// the bootloader, by the migrator's rule.
#[must_use]
pub fn find(
    chip: Chip,
    flash: &[u8],
    bootloader_len_bytes: u32,
    named: Option<FlashAddr>,
) -> Tables {
    let only = |addr| Tables { addr, other: None };
    let is_table =
        |addr: &FlashAddr| PartitionTable::parse_as_bootloader(bytes_from(flash, *addr)).is_ok();
    if let Some(named) = named.filter(is_table) {
        return only(named);
    }
    let mut search = TableSearch::new();
    let end = chip.bootloader_addr().saturating_add(bootloader_len_bytes);
    for place in TableSearch::places(end) {
        let is_app = |addr| bytes_from(flash, addr).first() == Some(&IMAGE_MAGIC);
        search.look(place, bytes_from(flash, place), is_app);
    }
    match search.found() {
        Ok(addr) => only(addr),
        Err(TableNotFound::Several { first, second }) => {
            Tables { addr: first, other: Some(second) }
        }
        Err(_) => only(named.unwrap_or(TABLE_ADDR)),
    }
}
