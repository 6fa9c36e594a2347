//! Where the partition table of a dump lies.

use esp_idf_format::Chip;
use esp_idf_format::image::IMAGE_MAGIC;
use esp_idf_format::partition::{PartitionTable, TABLE_ADDR, TableNotFound, TableSearch};
use flash_region::FlashAddr;

use super::dump::bytes_from;

/// Where tables are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tables {
    /// The one in force; the usual place where there is none.
    pub addr: FlashAddr,
    /// Another one, that may be the one in force as well.
    pub other: Option<FlashAddr>,
}

/// Finds the table in a dump whose bootloader has `bootloader_len_bytes`: at `named`, else behind
/// the bootloader, by the rule of the migrator.
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
