//! Artifacts that are embedded in the migrator's own image, after its end.
//!
//! ```text
//!   | ESP image of the migrator | container                                            |
//!                               | header | entry, entry, .. | CRC-32 | bytes, bytes, .. |
//!
//!   header   0  magic "BSWAPPKG"   8  version u16   10  entries u16   12  length u32
//!   entry    0  name, 20 bytes, NUL-padded          20  offset u32    24  length u32
//!           28  0xffffffff                          32  SHA-256, 32 bytes
//! ```
//!
//! Numbers are little-endian; offset and length are in bytes, from the container's start; the CRC
//! covers header and entries. The ESP-IDF bootloader reads an app image up to its appended digest
//! and ignores what follows in the partition.

use core::fmt;

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::Region;
use heapless::Vec;

use crate::SourceError;
use crate::medium::Medium;

/// A container starts at a multiple of this offset in the migrator's image.
pub const CONTAINER_ALIGN_BYTES: u32 = 16;
/// Most artifacts in a container.
pub const MAX_CONTAINER_ENTRIES: usize = bootswap_plan::MAX_ARTIFACTS;
const MAGIC: [u8; 8] = *b"BSWAPPKG";
const VERSION: u16 = 1;
const HEADER: usize = 16;
const ENTRY: usize = 64;
const NAME: usize = 20;
const CRC: usize = 4;

/// One artifact in a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContainerEntry {
    /// Name, as in the migration; NUL-padded UTF-8.
    pub name: [u8; NAME],
    /// First byte, from the container's start.
    pub offset: u32,
    /// Length in bytes.
    pub len_bytes: u32,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// A container's directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContainerHeader {
    /// What is inside.
    pub entries: Vec<ContainerEntry, MAX_CONTAINER_ENTRIES>,
    /// Length of the whole container in bytes.
    pub len_bytes: u32,
}

/// What is wrong with a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ContainerError {
    /// There is no container here.
    NoMagic,
    /// It has a newer version of the format.
    Version {
        /// Version found.
        found: u16,
    },
    /// It names more artifacts than there can be.
    TooMany {
        /// Number found.
        found: usize,
    },
    /// It ends before its directory does.
    Truncated {
        /// Bytes needed.
        needed_bytes: usize,
    },
    /// The directory's CRC is wrong.
    Crc,
    /// An entry is outside of the container.
    OutOfBounds {
        /// Which entry, from 0.
        entry: usize,
    },
    /// A name is longer than the field of an entry, in bytes.
    NameTooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl ContainerEntry {
    /// An entry with this name.
    ///
    /// # Errors
    ///
    /// [`ContainerError::NameTooLong`] for names of more than 20 bytes.
    pub fn new(
        name: &str,
        offset: u32,
        len_bytes: u32,
        sha256: [u8; 32],
    ) -> Result<Self, ContainerError> {
        let mut padded = [0; NAME];
        let room =
            padded.get_mut(..name.len()).ok_or(ContainerError::NameTooLong { len: name.len() })?;
        room.copy_from_slice(name.as_bytes());
        Ok(Self { name: padded, offset, len_bytes, sha256 })
    }

    /// The name without its padding.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let len = self.name.iter().position(|&byte| byte == 0).unwrap_or(NAME);
        self.name.get(..len).unwrap_or(&self.name)
    }
}

impl ContainerHeader {
    /// Bytes of a directory with this many entries.
    #[must_use]
    pub const fn directory_len(entries: usize) -> usize {
        HEADER + entries * ENTRY + CRC
    }

    /// Reads a container's directory from its first bytes.
    ///
    /// # Errors
    ///
    /// A [`ContainerError`] for anything that is not a complete, valid directory.
    pub fn parse(bytes: &[u8]) -> Result<Self, ContainerError> {
        let head = match bytes.first_chunk::<HEADER>() {
            Some(head) => head,
            None if bytes.starts_with(&MAGIC) => {
                return Err(ContainerError::Truncated { needed_bytes: HEADER });
            }
            None => return Err(ContainerError::NoMagic),
        };
        let (count, len_bytes) = parse_head(head)?;
        let needed_bytes = Self::directory_len(count);
        let directory =
            bytes.get(..needed_bytes).ok_or(ContainerError::Truncated { needed_bytes })?;
        let (body, crc) = directory.split_at(needed_bytes - CRC);
        if u32_at(crc, 0) != Some(crate::crc::hash(body)) {
            return Err(ContainerError::Crc);
        }
        let mut header = Self { entries: Vec::new(), len_bytes };
        for (index, entry) in body.split_at(HEADER).1.as_chunks::<ENTRY>().0.iter().enumerate() {
            // There is room for as many entries as were counted.
            let _ = header.entries.push(checked_entry(entry, index, count, len_bytes)?);
        }
        Ok(header)
    }

    /// Writes the directory to the start of `out` and returns its length.
    ///
    /// # Errors
    ///
    /// [`ContainerError::Truncated`] if `out` is too short.
    pub fn emit(&self, out: &mut [u8]) -> Result<usize, ContainerError> {
        let needed_bytes = Self::directory_len(self.entries.len());
        let out = out.get_mut(..needed_bytes).ok_or(ContainerError::Truncated { needed_bytes })?;
        let (body, crc) = out.split_at_mut(needed_bytes - CRC);
        let (head, entries) = body.split_at_mut(HEADER);
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        let fields = [
            &MAGIC[..],
            &VERSION.to_le_bytes(),
            &count.to_le_bytes(),
            &self.len_bytes.to_le_bytes(),
        ];
        put(head, &fields);
        for (slot, entry) in entries.as_chunks_mut::<ENTRY>().0.iter_mut().zip(&self.entries) {
            let (offset, len_bytes) = (entry.offset.to_le_bytes(), entry.len_bytes.to_le_bytes());
            put(slot, &[&entry.name, &offset, &len_bytes, &[0xff; 4], &entry.sha256]);
        }
        put(crc, &[&crate::crc::hash(body).to_le_bytes()]);
        Ok(needed_bytes)
    }

    /// The entry with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ContainerEntry> {
        self.entries.iter().find(|entry| entry.name() == name.as_bytes())
    }
}

/// Writes fields one after the other.
fn put(out: &mut [u8], fields: &[&[u8]]) {
    let bytes = fields.iter().flat_map(|field| field.iter());
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

/// Reads the number of entries, and the length of the container.
fn parse_head(head: &[u8; HEADER]) -> Result<(usize, u32), ContainerError> {
    if !head.starts_with(&MAGIC) {
        return Err(ContainerError::NoMagic);
    }
    let found = u16_at(head, 8).unwrap_or(0);
    if found != VERSION {
        return Err(ContainerError::Version { found });
    }
    let found = usize::from(u16_at(head, 10).unwrap_or(0));
    if found > MAX_CONTAINER_ENTRIES {
        return Err(ContainerError::TooMany { found });
    }
    Ok((found, u32_at(head, 12).unwrap_or(0)))
}

/// Reads an entry, which must be between the directory and the container's end.
fn checked_entry(
    bytes: &[u8; ENTRY],
    index: usize,
    count: usize,
    len_bytes: u32,
) -> Result<ContainerEntry, ContainerError> {
    let outside = ContainerError::OutOfBounds { entry: index };
    let entry = parse_entry(bytes).ok_or(outside)?;
    let end = entry.offset.checked_add(entry.len_bytes);
    let behind =
        usize::try_from(entry.offset).is_ok_and(|o| o >= ContainerHeader::directory_len(count));
    if behind && end.is_some_and(|end| end <= len_bytes) { Ok(entry) } else { Err(outside) }
}

fn parse_entry(bytes: &[u8; ENTRY]) -> Option<ContainerEntry> {
    let name = *bytes.first_chunk::<NAME>()?;
    let sha256 = *bytes.last_chunk::<32>()?;
    Some(ContainerEntry { name, offset: u32_at(bytes, 20)?, len_bytes: u32_at(bytes, 24)?, sha256 })
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Where the bytes of the artifact `name` are, according to the container's directory.
///
/// The directory is read entry by entry; it is used only after its CRC was checked.
pub(crate) async fn locate<F: NorFlash, E>(
    medium: &mut Medium<'_, F>,
    container: Region,
    name: &str,
) -> Result<Region, SourceError<E>> {
    let bad = |_| SourceError::BadContainer;
    let mut head = [0; HEADER];
    medium.read(container.start(), &mut head).await.map_err(|_| SourceError::Broken)?;
    let (count, len_bytes) = parse_head(&head).map_err(bad)?;
    let inside = container.prefix(len_bytes);
    let mut crc = crate::crc::digest();
    crc.update(&head);
    let (mut at, mut found) = (container.start().saturating_add(len_bytes_of(HEADER)), None);
    for index in 0..count {
        let mut bytes = [0; ENTRY];
        medium.read(at, &mut bytes).await.map_err(|_| SourceError::Broken)?;
        crc.update(&bytes);
        at = at.saturating_add(len_bytes_of(ENTRY));
        let entry = checked_entry(&bytes, index, count, len_bytes).map_err(bad)?;
        if found.is_none() && entry.name() == name.as_bytes() {
            found = Some(entry);
        }
    }
    let mut stored = [0; 4];
    medium.read(at, &mut stored).await.map_err(|_| SourceError::Broken)?;
    if crc.finalize() != u32::from_le_bytes(stored) {
        return Err(SourceError::BadContainer);
    }
    let entry = found.ok_or(SourceError::NotEmbedded)?;
    let bytes = Region::from_len(container.start().saturating_add(entry.offset), entry.len_bytes);
    bytes.filter(|bytes| inside.contains_region(*bytes)).ok_or(SourceError::BadContainer)
}

fn len_bytes_of(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A source for migrations whose artifacts are all embedded: it has no network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offline;

impl crate::Source for Offline {
    async fn fetch<K: crate::Sink>(
        &mut self,
        _request: &crate::Request<'_>,
        _sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        Err(SourceError::NotEmbedded)
    }
}

impl fmt::Display for ContainerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMagic => {
                f.write_str("no container of embedded artifacts: magic missing at offset 0")
            }
            Self::Version { found } => {
                write!(
                    f,
                    "container version {found} at offset 8, but this program supports {VERSION}; \
                    use a newer one"
                )
            }
            Self::TooMany { found } => {
                write!(
                    f,
                    "{found} entries at offset 10, but a container has at most \
                {MAX_CONTAINER_ENTRIES}"
                )
            }
            Self::Truncated { needed_bytes } => {
                write!(f, "the directory needs {needed_bytes} bytes, but there are fewer")
            }
            Self::Crc => {
                f.write_str("the directory's CRC-32 does not match; pack the migrator again")
            }
            Self::OutOfBounds { entry } => write!(f, "entry {entry} lies outside of its container"),
            Self::NameTooLong { len } => write!(f, "a name of {len} bytes; at most {NAME} fit"),
        }
    }
}

impl core::error::Error for ContainerError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX_DIRECTORY: usize = ContainerHeader::directory_len(MAX_CONTAINER_ENTRIES);

    fn header() -> impl Strategy<Value = ContainerHeader> {
        let entry = ("[a-z]{1,20}", 0..1000u32, 0..1000u32, any::<[u8; 32]>());
        proptest::collection::vec(entry, 0..=MAX_CONTAINER_ENTRIES).prop_map(|entries| {
            let directory = u32::try_from(ContainerHeader::directory_len(entries.len())).unwrap();
            let entries = entries.into_iter().map(|(name, offset, len_bytes, sha256)| {
                ContainerEntry::new(&name, directory + offset, len_bytes, sha256).unwrap()
            });
            ContainerHeader { entries: entries.collect(), len_bytes: directory + 2000 }
        })
    }

    proptest! {
        #[test]
        fn parses_what_it_emits(header in header()) {
            let mut bytes = [0; MAX_DIRECTORY];
            let len = header.emit(&mut bytes).unwrap();
            prop_assert_eq!(ContainerHeader::parse(&bytes[..len]), Ok(header.clone()));
            prop_assert!(ContainerHeader::parse(&bytes[..len - 1]).is_err());
        }

        #[test]
        fn survives_anything(bytes in proptest::collection::vec(any::<u8>(), 0..700)) {
            let _ = ContainerHeader::parse(&bytes);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let entry = ContainerEntry::new("app", 1000, 24, [7; 32]).unwrap();
        let header = ContainerHeader { entries: [entry].into_iter().collect(), len_bytes: 1024 };
        let mut good = [0; MAX_DIRECTORY];
        let len = header.emit(&mut good).unwrap();
        let damaged = |offset: usize, value: u8| {
            let mut bytes = good;
            bytes[offset] = value;
            ContainerHeader::parse(&bytes[..len])
        };
        assert_eq!(damaged(0, b'X'), Err(ContainerError::NoMagic));
        assert_eq!(damaged(8, 9), Err(ContainerError::Version { found: 9 }));
        assert_eq!(damaged(10, 9), Err(ContainerError::TooMany { found: 9 }));
        assert_eq!(damaged(40, 9), Err(ContainerError::Crc));
        let outside = ContainerHeader { len_bytes: 1023, ..header };
        outside.emit(&mut good).unwrap();
        assert_eq!(ContainerHeader::parse(&good), Err(ContainerError::OutOfBounds { entry: 0 }));
        assert_eq!(
            ContainerEntry::new("a name of more than twenty bytes", 0, 0, [0; 32]),
            Err(ContainerError::NameTooLong { len: 32 })
        );
    }
}
