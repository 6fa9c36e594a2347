//! The checked view of a partition table in flash or in a file.

use md5::{Digest, Md5};

use flash_region::{FlashAddr, Region};

use super::entry::{RawEntry, Record};
use super::{
    ENTRY_LEN_BYTES, ENTRY_MAGIC, MD5_MAGIC, Partition, PartitionTableError, TABLE_LEN_BYTES,
    layout,
};
use crate::cursor::Reader;

/// A partition table whose records have been checked once, so that reading it cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct PartitionTable<'a> {
    records: &'a [Record],
    has_md5: bool,
}

impl<'a> PartitionTable<'a> {
    /// Reads a table from its first byte, and checks it as strictly as ESP-IDF's tools do.
    ///
    /// `bytes` may continue after the table (a whole sector, a dump); at most
    /// [`TABLE_LEN_BYTES`] of them are looked at.
    ///
    /// # Errors
    ///
    /// Whatever [`parse_as_bootloader`](Self::parse_as_bootloader) and
    /// [`check_layout`](Self::check_layout) find wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PartitionTableError> {
        let table = Self::parse_as_bootloader(bytes)?;
        table.check_layout()?;
        Ok(table)
    }

    /// Reads a table with no more checks than the second-stage bootloader makes, to know what an
    /// existing device does with its table.
    ///
    /// Stricter than the bootloader in one case that no tool produces: entries after the MD5,
    /// which the bootloader counts wrongly.
    ///
    /// # Errors
    ///
    /// [`PartitionTableError::BadMagic`], [`Md5`](PartitionTableError::Md5),
    /// [`EntryBehindMd5`](PartitionTableError::EntryBehindMd5),
    /// [`NoTerminator`](PartitionTableError::NoTerminator),
    /// [`OutsideAddressSpace`](PartitionTableError::OutsideAddressSpace).
    pub fn parse_as_bootloader(bytes: &'a [u8]) -> Result<Self, PartitionTableError> {
        let bytes = bytes.get(..TABLE_LEN_BYTES as usize).unwrap_or(bytes);
        let (records, _) = bytes.as_chunks::<{ ENTRY_LEN_BYTES as usize }>();
        let mut md5 = Md5::new();
        let mut entries = 0;
        let mut has_md5 = false;
        let mut offset_bytes = 0;
        for record in records {
            match *record {
                // Type and subtype are looked at too: that is all the bootloader wants of the end.
                [0xff, 0xff, 0xff, 0xff, ..] => {
                    let records = records.get(..entries).unwrap_or(&[]);
                    return Ok(Self { records, has_md5 });
                }
                _ if has_md5 => return Err(PartitionTableError::EntryBehindMd5 { offset_bytes }),
                [first, second, ..] if [first, second] == MD5_MAGIC => {
                    check_md5(offset_bytes, record, &md5)?;
                    has_md5 = true;
                }
                _ => {
                    check_entry(offset_bytes, record)?;
                    md5.update(record);
                    entries += 1;
                }
            }
            offset_bytes += ENTRY_LEN_BYTES;
        }
        Err(PartitionTableError::NoTerminator { offset_bytes })
    }

    /// Checks what ESP-IDF's tools check and the bootloader does not: that there are entries,
    /// aligned and without overlap, with labels and roles that only one of them has.
    ///
    /// # Errors
    ///
    /// [`PartitionTableError::Empty`], [`Misaligned`](PartitionTableError::Misaligned),
    /// [`Overlap`](PartitionTableError::Overlap),
    /// [`DuplicateLabel`](PartitionTableError::DuplicateLabel),
    /// [`DuplicateRole`](PartitionTableError::DuplicateRole),
    /// [`OtadataTooSmall`](PartitionTableError::OtadataTooSmall).
    pub fn check_layout(&self) -> Result<(), PartitionTableError> {
        layout::check_layout(self.iter())
    }

    /// Checks that every partition lies inside the flash, and none but those that say so in the
    /// area of bootloader and partition table (the table being at
    /// [`TABLE_ADDR`](super::TABLE_ADDR)).
    ///
    /// # Errors
    ///
    /// [`PartitionTableError::BehindFlash`], [`OverBootArea`](PartitionTableError::OverBootArea).
    pub fn check_fits(&self, flash_len_bytes: u32) -> Result<(), PartitionTableError> {
        layout::check_fits(self.iter(), flash_len_bytes)
    }

    /// The partitions in the order of the table.
    #[must_use]
    pub fn iter(&self) -> Partitions<'a> {
        Partitions(self.records.iter())
    }

    /// How many partitions there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no partition.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether the table has an MD5 entry (which then was right).
    #[must_use]
    pub const fn has_md5(&self) -> bool {
        self.has_md5
    }

    /// The first partition of that label.
    #[must_use]
    pub fn find_label(&self, label: &str) -> Option<Partition> {
        self.iter().find(|partition| partition.label.text_bytes() == label.as_bytes())
    }

    /// The first partition that `addr` lies in.
    #[must_use]
    pub fn find_addr(&self, addr: FlashAddr) -> Option<Partition> {
        self.iter().find(|partition| partition.region.contains(addr))
    }

    /// The partition that says which OTA slot is started.
    #[must_use]
    pub fn otadata(&self) -> Option<Partition> {
        self.last(Partition::is_otadata)
    }

    /// The OTA slot of that index, from 0.
    #[must_use]
    pub fn ota(&self, index: u8) -> Option<Partition> {
        self.last(|partition| partition.ota_index() == Some(index))
    }

    /// The partition of the factory app.
    #[must_use]
    pub fn factory(&self) -> Option<Partition> {
        self.last(Partition::is_factory)
    }

    /// The partition of the test app.
    #[must_use]
    pub fn test_app(&self) -> Option<Partition> {
        self.last(Partition::is_test_app)
    }

    /// How many OTA slots there are, the number by which the bootloader divides the sequence of
    /// otadata; at most 16 in a table that passed [`check_layout`](Self::check_layout).
    #[must_use]
    pub fn ota_count(&self) -> u8 {
        let count = self.iter().filter(|partition| partition.ota_index().is_some()).count();
        u8::try_from(count).unwrap_or(u8::MAX)
    }

    /// The bootloader keeps the last entry of each role, should there be several.
    fn last(&self, wanted: impl Fn(&Partition) -> bool) -> Option<Partition> {
        self.iter().filter(wanted).last()
    }
}

impl<'a> IntoIterator for PartitionTable<'a> {
    type Item = Partition;
    type IntoIter = Partitions<'a>;

    fn into_iter(self) -> Partitions<'a> {
        self.iter()
    }
}

/// The partitions of a table, from [`PartitionTable::iter`].
#[derive(Clone, Debug)]
pub struct Partitions<'a>(core::slice::Iter<'a, Record>);

impl Iterator for Partitions<'_> {
    type Item = Partition;

    fn next(&mut self) -> Option<Partition> {
        let record = self.0.next()?;
        RawEntry::read(record).map(|raw| raw.partition())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Partitions<'_> {}

fn check_entry(offset_bytes: u32, record: &Record) -> Result<(), PartitionTableError> {
    let too_short = PartitionTableError::NoTerminator { offset_bytes };
    let raw = RawEntry::read(record).ok_or(too_short)?;
    if raw.magic != ENTRY_MAGIC {
        return Err(PartitionTableError::BadMagic { offset_bytes, found: raw.magic });
    }
    if Region::from_len(raw.start, raw.len_bytes).is_none() {
        let RawEntry { start, len_bytes, .. } = raw;
        return Err(PartitionTableError::OutsideAddressSpace { offset_bytes, start, len_bytes });
    }
    Ok(())
}

fn check_md5(offset_bytes: u32, record: &Record, md5: &Md5) -> Result<(), PartitionTableError> {
    let mut fields = Reader::new(record);
    let _magic_and_padding = fields.array::<16>();
    let stored = fields.array::<16>().unwrap_or_default();
    let computed: [u8; 16] = md5.clone().finalize().into();
    if stored == computed {
        Ok(())
    } else {
        Err(PartitionTableError::Md5 { offset_bytes, stored, computed })
    }
}
