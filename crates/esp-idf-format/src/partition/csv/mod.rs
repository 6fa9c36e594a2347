//! Partition tables in ESP-IDF's CSV form, as projects have them.
//!
//! ```text
//!   # Name,  Type, SubType, Offset,  Size, Flags
//!   boot,    bootloader, primary, N/A, N/A,              where the chip has it
//!   nvs,     data, nvs,     0x9000,  16K,
//!   otadata, data, ota,     ,        8K,                 offset: right after it, aligned
//!   app,     app,  ota_0,   ,        -0x200000           size: up to that address
//!   mine,    0x40, 0x01,    ,        1M,   encrypted     numbers where there are no names
//! ```
//!
//! The rules are those of `components/partition_table/gen_esp32part.py` in `espressif/esp-idf`, as
//! of ESP-IDF 6: names of types and subtypes in any case, names of partitions cut off after 16
//! bytes, and places of bootloader and partition table that do not come from the file. Two things
//! are different: `${VARIABLES}` of the environment are not read, and an NVS partition may be
//! smaller than 12 KiB, as in tables of older projects.
//!
//! Read without the crate `csv`, which needs `std`: this form has comments and no quotes, so little
//! more is needed than splitting at commas.

mod error;
mod line;
#[cfg(test)]
mod tests;
mod text;

use alloc::vec::Vec;

use flash_region::{FlashAddr, SECTOR_BYTES};

use super::{Partition, PartitionTableError, layout};
use line::Line;

pub use error::{CsvError, CsvField};

/// The places that a table in CSV does not give, because they are compiled into the bootloader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CsvPlaces {
    /// Where the table is, [`TABLE_ADDR`](super::TABLE_ADDR) unless the project changed
    /// `CONFIG_PARTITION_TABLE_OFFSET`.
    pub table: FlashAddr,
    /// Where the bootloader is, [`Chip::bootloader_addr`](crate::Chip::bootloader_addr).
    pub bootloader: FlashAddr,
}

/// Reads the entries of a table in CSV, in the order of the lines. [`emit`](super::emit) can write
/// what it returns, unless there are more entries than a table holds.
///
/// The file is UTF-8, with or without a byte order mark, or UTF-16 with one.
///
/// # Errors
///
/// [`CsvError`], with the line.
pub fn parse_csv(file: &[u8], places: CsvPlaces) -> Result<Vec<Partition>, CsvError> {
    let text = text::decode(file)?;
    let mut entries: Vec<Partition> = Vec::new();
    let mut lines = Vec::new();
    let mut next = places.table.saturating_add(SECTOR_BYTES);
    let mut before = None;
    for (line, text) in (1..).zip(text::lines(&text)) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let entry = Line::new(line, text).partition(next, places)?;
        if !entry.is_aligned() {
            let (start, align_bytes) = (entry.region.start(), entry.align_bytes());
            let offset_bytes = super::ENTRY_LEN_BYTES.saturating_mul(entries.len() as u32);
            let error = PartitionTableError::Misaligned { offset_bytes, start, align_bytes };
            return Err(CsvError::Table { line: Some(line), error });
        }
        // Bootloader and table lie before all others, wherever they are listed.
        if !entry.is_primary_boot_area() {
            let start = entry.region.start();
            if start < next {
                return Err(CsvError::Overlap { line, start, next, before });
            }
            next = entry.region.end();
            before = Some(line);
        }
        entries.push(entry);
        lines.push(line);
    }
    let offsets = (0..).step_by(super::ENTRY_LEN_BYTES as usize);
    let objection = layout::objections(offsets.zip(entries.iter().copied())).next();
    let Some(error) = objection else { return Ok(entries) };
    let at = error.offset_bytes().map(|at| (at / super::ENTRY_LEN_BYTES) as usize);
    let line = at.and_then(|index| lines.get(index).copied());
    Err(CsvError::Table { line, error })
}
