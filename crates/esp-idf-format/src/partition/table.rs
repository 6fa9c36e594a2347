//! The checked view of a partition table in flash or in a file.

use md5::{Digest, Md5};

use flash_region::{FlashAddr, Region};

use super::entry::{RawEntry, Record};
use super::{
    BootRoles, ENTRY_LEN_BYTES, ENTRY_MAGIC, MD5_MAGIC, Partition, PartitionTableError,
    TABLE_LEN_BYTES, layout,
};
use crate::cursor::Reader;
use crate::otadata::BootSlot;

/// A partition table whose records have been checked once, so that reading it cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct PartitionTable<'a> {
    /// The records that the bootloader looks at.
    records: &'a [Record],
    /// Index of the MD5's record: normally the one after those.
    md5: Option<usize>,
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

    /// Reads a table with only the checks of the second-stage bootloader, to find out what an
    /// existing device does with its table.
    ///
    /// If entries follow the MD5, the bootloader counts the MD5's record as an entry and does not
    /// look at the last entry; neither does the view.
    ///
    /// # Errors
    ///
    /// [`PartitionTableError::BadMagic`], [`Md5`](PartitionTableError::Md5),
    /// [`SecondMd5`](PartitionTableError::SecondMd5),
    /// [`NoTerminator`](PartitionTableError::NoTerminator),
    /// [`Empty`](PartitionTableError::Empty),
    /// [`OutsideAddressSpace`](PartitionTableError::OutsideAddressSpace).
    pub fn parse_as_bootloader(bytes: &'a [u8]) -> Result<Self, PartitionTableError> {
        let bytes = bytes.get(..TABLE_LEN_BYTES as usize).unwrap_or(bytes);
        let (records, _) = bytes.as_chunks::<{ ENTRY_LEN_BYTES as usize }>();
        let mut digest = Md5::new();
        let mut md5 = None;
        let mut offset_bytes = 0;
        for (index, record) in records.iter().enumerate() {
            match *record {
                // The bootloader takes this for the end marker: magic, type and subtype erased,
                // whatever follows them.
                [0xff, 0xff, 0xff, 0xff, ..] if index == 0 => {
                    return Err(PartitionTableError::Empty);
                }
                [0xff, 0xff, 0xff, 0xff, ..] => {
                    let counted = index - usize::from(md5.is_some());
                    let records = records.get(..counted).unwrap_or(&[]);
                    return Ok(Self { records, md5 });
                }
                [first, second, ..] if [first, second] == MD5_MAGIC => {
                    if md5.is_some() {
                        return Err(PartitionTableError::SecondMd5 { offset_bytes });
                    }
                    check_md5(offset_bytes, record, &digest)?;
                    md5 = Some(index);
                }
                _ => check_entry(offset_bytes, record)?,
            }
            digest.update(record);
            offset_bytes += ENTRY_LEN_BYTES;
        }
        Err(PartitionTableError::NoTerminator { offset_bytes })
    }

    /// Checks what ESP-IDF's tools check and the bootloader does not: that there are entries,
    /// aligned and without overlap, with labels and roles that only one of them has, and none
    /// behind the MD5.
    ///
    /// # Errors
    ///
    /// The first of the [`objections`](Self::objections).
    pub fn check_layout(&self) -> Result<(), PartitionTableError> {
        self.objections().next().map_or(Ok(()), Err)
    }

    /// What ESP-IDF's tools object to in a table that the bootloader accepts. Devices run with such
    /// tables; each objection says what must not be relied on, and where.
    ///
    /// [`PartitionTableError::EntryBehindMd5`], [`Empty`](PartitionTableError::Empty),
    /// [`Misaligned`](PartitionTableError::Misaligned), [`Overlap`](PartitionTableError::Overlap),
    /// [`DuplicateLabel`](PartitionTableError::DuplicateLabel),
    /// [`DuplicateRole`](PartitionTableError::DuplicateRole),
    /// [`OtadataTooSmall`](PartitionTableError::OtadataTooSmall).
    pub fn objections(&self) -> impl Iterator<Item = PartitionTableError> + use<'a> {
        let behind = self.md5.filter(|at| *at < self.records.len()).map(|at| {
            let offset_bytes = (at as u32 + 1) * ENTRY_LEN_BYTES;
            PartitionTableError::EntryBehindMd5 { offset_bytes }
        });
        behind.into_iter().chain(layout::objections(self.with_offsets()))
    }

    /// Checks that every partition lies inside the flash, and that only entries for bootloader and
    /// partition table lie in their area. `table` is the address of the table.
    ///
    /// # Errors
    ///
    /// [`PartitionTableError::BehindFlash`], [`OverBootArea`](PartitionTableError::OverBootArea).
    pub fn check_fits(
        &self,
        table: FlashAddr,
        flash_len_bytes: u32,
    ) -> Result<(), PartitionTableError> {
        layout::check_fits(self.with_offsets(), table, flash_len_bytes)
    }

    /// The partitions in the order of the table.
    #[must_use]
    pub fn iter(&self) -> Partitions<'a> {
        Partitions { records: self.records.iter(), left: self.len() }
    }

    /// The partitions, each with the offset at which its entry begins.
    fn with_offsets(&self) -> impl Iterator<Item = (u32, Partition)> + Clone + use<'a> {
        let offsets = (0..).step_by(ENTRY_LEN_BYTES as usize);
        offsets.zip(self.records).filter_map(|(at, record)| Some((at, partition_of(record)?)))
    }

    /// How many partitions there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.md5 {
            Some(at) if at < self.records.len() => self.records.len() - 1,
            _ => self.records.len(),
        }
    }

    /// Whether there is no partition.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the table has an MD5 entry (which then was right).
    #[must_use]
    pub const fn has_md5(&self) -> bool {
        self.md5.is_some()
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
        self.roles().otadata()
    }

    /// The OTA slot of that index, from 0.
    #[must_use]
    pub fn ota(&self, index: u8) -> Option<Partition> {
        self.roles().slot(BootSlot::Ota(index))
    }

    /// The partition of the factory app.
    #[must_use]
    pub fn factory(&self) -> Option<Partition> {
        self.roles().slot(BootSlot::Factory)
    }

    /// The partition of the test app.
    #[must_use]
    pub fn test_app(&self) -> Option<Partition> {
        self.roles().slot(BootSlot::Test)
    }

    /// How many OTA slots there are, the number by which the bootloader divides the sequence of
    /// otadata; at most 16 in a table that passed [`check_layout`](Self::check_layout).
    #[must_use]
    pub fn ota_count(&self) -> u8 {
        self.roles().ota_count()
    }

    /// The partition that the bootloader uses for each role.
    #[must_use]
    pub fn roles(&self) -> BootRoles<Partitions<'a>> {
        BootRoles::of(self.iter())
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
pub struct Partitions<'a> {
    records: core::slice::Iter<'a, Record>,
    left: usize,
}

impl Iterator for Partitions<'_> {
    type Item = Partition;

    fn next(&mut self) -> Option<Partition> {
        let partition = self.records.by_ref().find_map(partition_of)?;
        self.left = self.left.saturating_sub(1);
        Some(partition)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Partitions<'_> {}

/// The partition of a record, unless that is the MD5's.
fn partition_of(record: &Record) -> Option<Partition> {
    let raw = RawEntry::read(record).filter(|raw| raw.magic != MD5_MAGIC)?;
    Some(raw.partition())
}

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
