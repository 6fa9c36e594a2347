//! Writing a partition table.

use md5::{Digest, Md5};

use flash_region::ERASED;

use super::{
    ENTRY_LEN_BYTES, MAX_ENTRIES_WITH_MD5, MD5_MAGIC, Partition, PartitionTableError,
    TABLE_LEN_BYTES, layout,
};
use crate::cursor::Writer;

/// Writes a table with MD5 entry into the first [`TABLE_LEN_BYTES`] bytes of `out`, the unused ones
/// as erased flash, and returns their number.
///
/// Entries are written in the order given, as ESP-IDF's own tool does. Only tables that
/// [`PartitionTable::parse`](super::PartitionTable::parse) accepts are written.
///
/// # Errors
///
/// [`PartitionTableError::BufferTooSmall`], [`TooManyEntries`](PartitionTableError::TooManyEntries)
/// (more than [`MAX_ENTRIES_WITH_MD5`]), or what
/// [`check_layout`](super::PartitionTable::check_layout) finds wrong. `out` is untouched then.
pub fn emit(entries: &[Partition], out: &mut [u8]) -> Result<usize, PartitionTableError> {
    let needed_bytes = TABLE_LEN_BYTES as usize;
    let found_bytes = out.len();
    let table = out
        .get_mut(..needed_bytes)
        .ok_or(PartitionTableError::BufferTooSmall { needed_bytes, found_bytes })?;
    if entries.len() > MAX_ENTRIES_WITH_MD5 {
        let (found, max) = (entries.len(), MAX_ENTRIES_WITH_MD5);
        return Err(PartitionTableError::TooManyEntries { found, max });
    }
    layout::check_layout(entries.iter().copied())?;

    table.fill(ERASED);
    let (records, _) = table.as_chunks_mut::<{ ENTRY_LEN_BYTES as usize }>();
    let mut records = records.iter_mut();
    let mut md5 = Md5::new();
    for (entry, record) in entries.iter().zip(&mut records) {
        *record = entry.to_bytes();
        md5.update(*record);
    }
    if let Some(record) = records.next() {
        let digest: [u8; 16] = md5.finalize().into();
        *record = Writer::filled_with(ERASED).put(&MD5_MAGIC).skip(14).put(&digest).finish();
    }
    Ok(needed_bytes)
}
