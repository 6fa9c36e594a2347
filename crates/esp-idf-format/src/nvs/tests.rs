//! Partitions as they are after losses of power and damage. Those that ESP-IDF's own generator
//! makes are in the conformance tests.

#![allow(clippy::unwrap_used)]

extern crate std;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::crc::rom_crc32;

const ACTIVE: u32 = 0xffff_fffe;
const FREEING: u32 = 0xffff_fff8;

/// A page that entries are written into.
struct Writer {
    bytes: Vec<u8>,
    next: usize,
}

impl Writer {
    fn new(seq: u32, state: u32) -> Self {
        let mut bytes = vec![0xff; PAGE_LEN_BYTES];
        bytes[..4].copy_from_slice(&state.to_le_bytes());
        bytes[4..8].copy_from_slice(&seq.to_le_bytes());
        bytes[8] = 0xfe;
        let crc = rom_crc32(&bytes[4..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        Self { bytes, next: 0 }
    }

    /// Writes an entry with the bytes after it, and returns its index.
    fn entry(
        &mut self,
        [ns, kind, chunk]: [u8; 3],
        key: &str,
        data: [u8; 8],
        more: &[u8],
    ) -> usize {
        let span = 1 + more.len().div_ceil(32);
        let mut entry = [0; 32];
        entry[..4].copy_from_slice(&[ns, kind, u8::try_from(span).unwrap(), chunk]);
        entry[8..8 + key.len()].copy_from_slice(key.as_bytes());
        entry[24..].copy_from_slice(&data);
        let crc = rom_crc32(&[&entry[..4], &entry[8..]].concat());
        entry[4..8].copy_from_slice(&crc.to_le_bytes());
        let (index, at) = (self.next, 64 + 32 * self.next);
        self.bytes[at..at + 32].copy_from_slice(&entry);
        self.bytes[at + 32..at + 32 + more.len()].copy_from_slice(more);
        for written in index..index + span {
            self.bytes[32 + written / 4] &= !(1 << (2 * (written % 4)));
        }
        self.next += span;
        index
    }

    fn namespace(mut self, name: &str, number: u8) -> Self {
        self.entry([0, 0x01, 0xff], name, [number, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[]);
        self
    }

    fn bytes(mut self, head: [u8; 3], key: &str, value: &[u8]) -> Self {
        let mut data = [0xff; 8];
        data[..2].copy_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        data[4..].copy_from_slice(&rom_crc32(value).to_le_bytes());
        self.entry(head, key, data, value);
        self
    }

    fn chunk(self, key: &str, number: u8, value: &[u8]) -> Self {
        self.bytes([1, 0x42, number], key, value)
    }

    fn index(mut self, key: &str, len: u32, chunks: u8, first: u8) -> Self {
        let mut data = [0xff; 8];
        data[..4].copy_from_slice(&len.to_le_bytes());
        data[4..6].copy_from_slice(&[chunks, first]);
        self.entry([1, 0x48, 0xff], key, data, &[]);
        self
    }

    /// Marks the entry as erased.
    fn erase(mut self, index: usize) -> Self {
        self.bytes[32 + index / 4] &= !(0b11 << (2 * (index % 4)));
        self
    }
}

fn partition(pages: Vec<Writer>) -> Vec<u8> {
    let mut bytes: Vec<u8> = pages.into_iter().flat_map(|page| page.bytes).collect();
    bytes.extend([0xff; PAGE_LEN_BYTES]);
    bytes
}

fn look(partition: &[u8]) -> Result<Vec<u8>, NvsError> {
    find(partition, &mut Lookup::<65>::new("wifi", "pass")).map(<[u8]>::to_vec)
}

fn page(seq: u32) -> Writer {
    Writer::new(seq, ACTIVE).namespace("other", 7).namespace("wifi", 1)
}

#[test]
fn values_of_both_formats_are_found() {
    let old = page(0).bytes([7, 0x41, 0xff], "pass", b"of another").bytes(
        [1, 0x41, 0xff],
        "pass",
        b"in one entry",
    );
    assert_eq!(look(&partition(vec![old])), Ok(b"in one entry".to_vec()));
    let new = page(0).chunk("pass", 0, b"in a ").chunk("pass", 1, b"few").index("pass", 8, 2, 0);
    assert_eq!(look(&partition(vec![new])), Ok(b"in a few".to_vec()));
    let empty = page(0).index("pass", 0, 0, 0);
    assert_eq!(look(&partition(vec![empty])), Ok(Vec::new()));
}

#[test]
fn chunks_and_namespace_may_lie_in_any_page() {
    let pages = || {
        [
            Writer::new(9, ACTIVE).index("pass", 6, 2, 0x80),
            Writer::new(3, ACTIVE).chunk("pass", 0x81, b"def"),
            page(1).chunk("pass", 0x80, b"abc"),
        ]
    };
    assert_eq!(look(&partition(pages().into())), Ok(b"abcdef".to_vec()));
    let mut turned: Vec<_> = pages().into();
    turned.reverse();
    assert_eq!(look(&partition(turned)), Ok(b"abcdef".to_vec()));
}

#[test]
fn the_newest_value_counts() {
    let versions = |state| {
        let old = Writer::new(4, state).namespace("wifi", 1);
        let old = old.chunk("pass", 0, b"old").index("pass", 3, 1, 0);
        let new = Writer::new(5, ACTIVE).chunk("pass", 0x80, b"new").index("pass", 3, 1, 0x80);
        partition(vec![new, old])
    };
    assert_eq!(look(&versions(ACTIVE)), Ok(b"new".to_vec()));
    // Power was lost while the older page was moved away.
    assert_eq!(look(&versions(FREEING)), Ok(b"new".to_vec()));
    // In one page, the later one.
    let both =
        page(0).bytes([1, 0x41, 0xff], "pass", b"old").bytes([1, 0x41, 0xff], "pass", b"new");
    assert_eq!(look(&partition(vec![both])), Ok(b"new".to_vec()));
    let erased = page(0).bytes([1, 0x41, 0xff], "pass", b"old");
    let last = erased.next;
    let erased = erased.bytes([1, 0x41, 0xff], "pass", b"new").erase(last).erase(last + 1);
    assert_eq!(look(&partition(vec![erased])), Ok(b"old".to_vec()));
}

#[test]
fn an_older_value_is_found_if_the_newer_one_is_incomplete() {
    let old = || page(0).chunk("pass", 0, b"old").index("pass", 3, 1, 0);
    let missing = old().index("pass", 3, 1, 0x80);
    assert_eq!(look(&partition(vec![missing])), Ok(b"old".to_vec()));
    let short = old().chunk("pass", 0x80, b"ne").index("pass", 3, 1, 0x80);
    assert_eq!(look(&partition(vec![short])), Ok(b"old".to_vec()));
    let mut damaged = old();
    let at = 64 + 32 * (damaged.next + 1);
    damaged = damaged.chunk("pass", 0x80, b"new").index("pass", 3, 1, 0x80);
    damaged.bytes[at] ^= 0x20;
    assert_eq!(look(&partition(vec![damaged])), Ok(b"old".to_vec()));
    // Without an older one.
    let alone = page(0).index("pass", 3, 1, 0);
    assert_eq!(look(&partition(vec![alone])), Err(NvsError::Damaged));
    // With more indices than anybody would look at.
    let many = (0..10).fold(page(0), |page, n| page.index("pass", 3, 1, n));
    assert_eq!(look(&partition(vec![many])), Err(NvsError::Damaged));
    let chunks = page(0).index("pass", 3, 200, 0);
    assert_eq!(look(&partition(vec![chunks])), Err(NvsError::Damaged));
}

#[test]
fn errors_name_what_is_missing() {
    assert_eq!(look(&[]), Err(NvsError::NoPages));
    assert_eq!(look(&partition(vec![])), Err(NvsError::NoPages));
    assert_eq!(look(&partition(vec![Writer::new(0, 0)])), Err(NvsError::NoPages));
    assert_eq!(look(&partition(vec![Writer::new(0, ACTIVE)])), Err(NvsError::NoNamespace));
    assert_eq!(look(&partition(vec![page(0)])), Err(NvsError::NoKey));
    let number = {
        let mut page = page(0);
        page.entry([1, 0x01, 0xff], "pass", [1; 8], &[]);
        page
    };
    assert_eq!(look(&partition(vec![number])), Err(NvsError::NoKey));
    let long = NvsError::TooLong { len_bytes: 66, room_bytes: 65 };
    let v1 = page(0).bytes([1, 0x41, 0xff], "pass", &[1; 66]);
    assert_eq!(look(&partition(vec![v1])), Err(long));
    let v2 = page(0).chunk("pass", 0, &[1; 66]).index("pass", 66, 1, 0);
    assert_eq!(look(&partition(vec![v2])), Err(long));
}

#[test]
fn damaged_parts_are_skipped() {
    let whole = || partition(vec![page(0).bytes([1, 0x41, 0xff], "pass", b"value")]);
    // The header of the page.
    let mut bytes = whole();
    bytes[5] ^= 1;
    assert_eq!(look(&bytes), Err(NvsError::NoPages));
    // The entry of another namespace.
    let mut bytes = whole();
    bytes[64 + 8] ^= 1;
    assert_eq!(look(&bytes), Ok(b"value".to_vec()));
    // The entry of the namespace, of the value, and the value.
    for (at, error) in [
        (64 + 32 + 8, NvsError::NoNamespace),
        (64 + 64 + 8, NvsError::NoKey),
        (64 + 96, NvsError::Damaged),
    ] {
        let mut bytes = whole();
        bytes[at] ^= 1;
        assert_eq!(look(&bytes), Err(error), "{at}");
    }
    // All of them, as if they were encrypted.
    let mut bytes = whole();
    bytes[64..4096].iter_mut().for_each(|byte| *byte ^= 0x5a);
    let error = look(&bytes).unwrap_err();
    assert_eq!(error, NvsError::Unreadable { entries: 4 });
    assert!(error.to_string().contains("encrypted"));
}

/// A span that reaches out of the page.
#[test]
fn no_entry_reaches_out_of_its_page() {
    let mut page = page(0);
    page.next = 125;
    let at = 64 + 32 * 125;
    page.entry([1, 0x41, 0xff], "pass", [0xff; 8], &[]);
    page.bytes[at + 2] = 3;
    let entry = page.bytes[at..at + 32].to_vec();
    let crc = rom_crc32(&[&entry[..4], &entry[8..]].concat());
    page.bytes[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(look(&partition(vec![page])), Err(NvsError::NoKey));
}

proptest! {
    #[test]
    fn any_change_gives_the_value_or_an_error(
        changes in proptest::collection::vec((0..8192usize, any::<u8>()), 0..40),
    ) {
        let value = b"some value";
        let page = page(0).chunk("pass", 0, value).index("pass", 10, 1, 0);
        let mut bytes = partition(vec![page]);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        // Whatever is found is the value: everything is under a CRC.
        if let Ok(found) = look(&bytes) {
            prop_assert_eq!(found, value);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert!(look(&bytes).is_err());
    }
}
