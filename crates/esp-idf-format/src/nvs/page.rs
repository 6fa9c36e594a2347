//! A page, and the entries in it.

use crate::crc::rom_crc32;
use crate::cursor::Reader;

/// Bytes of a page: a sector of flash.
pub const PAGE_LEN_BYTES: usize = 4096;
/// Entries that a page has room for (`Page::ENTRY_COUNT`).
const ENTRIES: usize = 126;
/// Bytes of an entry (`Page::ENTRY_SIZE`).
const ENTRY: usize = 32;
/// Where the bitmap of states is.
const BITMAP: usize = 32;
/// Where the entries are.
const FIRST: usize = 64;

/// States of pages that hold entries (`PageState`): being written, full, being moved away.
const LIVE_STATES: [u32; 3] = [0xffff_fffe, 0xffff_fffc, 0xffff_fff8];
/// State of an entry that is written and not erased (`EntryState::WRITTEN`).
const WRITTEN: u8 = 0b10;

/// Whether a sector is a page of NVS with something in it, whatever else lies around it.
#[must_use]
pub fn is_used_page(sector: &[u8]) -> bool {
    Page::parse(sector).is_some_and(|page| page.entries().next().is_some())
}

/// A page with a valid header.
#[derive(Clone, Copy)]
pub(super) struct Page<'a> {
    /// Sequence number; newer pages have higher ones.
    pub seq: u32,
    bytes: &'a [u8; PAGE_LEN_BYTES],
}

/// An entry with a right CRC.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Its place in the page.
    pub index: usize,
    pub namespace: u8,
    pub kind: u8,
    pub chunk: u8,
    key: &'a [u8],
    /// The last eight bytes.
    pub data: [u8; 8],
    /// The entries after it that belong to it.
    payload: &'a [u8],
}

impl<'a> Page<'a> {
    /// The page in these bytes; `None` for one that is blank, given up or damaged.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<PAGE_LEN_BYTES>()?;
        let mut fields = Reader::new(bytes);
        let (state, seq) = (fields.u32()?, fields.u32()?);
        let stored = Reader::new(bytes.get(28..)?).u32()?;
        let sound = LIVE_STATES.contains(&state) && rom_crc32(bytes.get(4..28)?) == stored;
        sound.then_some(Self { seq, bytes })
    }

    /// Every entry that is written, or `None` for one with a wrong CRC.
    pub(super) fn entries(self) -> impl Iterator<Item = Option<Entry<'a>>> {
        let mut next = 0;
        core::iter::from_fn(move || {
            while next < ENTRIES {
                let index = next;
                next += 1;
                if self.is_written(index) {
                    let entry = self.entry(index);
                    // The span of an entry that cannot be read is unknown, so the next entry is
                    // tried.
                    next = index + entry.map_or(1, |(_, span)| span);
                    return Some(entry.map(|(entry, _)| entry));
                }
            }
            None
        })
    }

    fn is_written(&self, index: usize) -> bool {
        let byte = self.bytes.get(BITMAP + index / 4).copied().unwrap_or(0);
        (byte >> (2 * (index % 4))) & 0b11 == WRITTEN
    }

    /// The entry at that place, and how many places it takes.
    fn entry(&self, index: usize) -> Option<(Entry<'a>, usize)> {
        let start = FIRST + index * ENTRY;
        let bytes = self.bytes.get(start..start + ENTRY)?;
        let mut fields = Reader::new(bytes);
        let [namespace, kind, span, chunk] = fields.array()?;
        let stored = fields.u32()?;
        let mut covered = [0; ENTRY - 4];
        let (head, tail) = covered.split_first_chunk_mut::<4>()?;
        *head = [namespace, kind, span, chunk];
        tail.copy_from_slice(bytes.get(8..)?);
        let span = usize::from(span);
        if rom_crc32(&covered) != stored || span == 0 || index + span > ENTRIES {
            return None;
        }
        let payload = self.bytes.get(start + ENTRY..start + span * ENTRY)?;
        let (key, data) = (bytes.get(8..24)?, *bytes.last_chunk()?);
        Some((Entry { index, namespace, kind, chunk, key, data, payload }, span))
    }
}

impl<'a> Entry<'a> {
    /// Whether its key is `name`.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let len = self.key.iter().position(|&byte| byte == 0).unwrap_or(self.key.len());
        self.key.get(..len) == Some(name.as_bytes())
    }

    /// The value after it; `None` if its CRC is wrong.
    pub(super) fn value(&self) -> Option<&'a [u8]> {
        let mut fields = Reader::new(&self.data);
        let (len, _, stored) = (fields.u16()?, fields.u16()?, fields.u32()?);
        let value = self.payload.get(..usize::from(len))?;
        (rom_crc32(value) == stored).then_some(value)
    }
}
