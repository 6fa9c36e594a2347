//! The section of an image that holds a configuration.
//!
//! ```text
//!    0  magic, 16 bytes          16  major u16     18  minor u16
//!   20  section length u32       24  payload length u32
//!   28  CRC-32 of the payload    32  CRC-32 of the 32 bytes before
//!   36  payload: CBOR            36 + payload length: 0xff up to the section's end
//! ```
//!
//! Numbers are little-endian, lengths in bytes. These 36 bytes are the same in every version, so
//! that any program can read the version of any section. In an image as it was built, the payload's
//! length is 0; `bootswap pack` keeps the section's length and writes all the rest.
//!
//! The header has its own CRC for two reasons. The magic alone may occur elsewhere in an image, in
//! the code that compares it. And damage can be told from another version.

use core::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use flash_region::{ERASED, is_blank};

use crate::ConfigError;
use crate::layout::{
    HEADER_LEN_BYTES, MAJOR_VERSION, MINOR_VERSION, SECTION_ALIGN_BYTES, SECTION_LEN_BYTES,
    SECTION_MAGIC,
};

/// Offset of the header's CRC, and number of bytes that it covers.
const HEADER_CRC: usize = 32;

/// The section in the firmware: a `static`, which the linker puts among the read-only data.
///
/// ```
/// use bootswap_config::{ConfigError, Section, Storage, decode};
///
/// static CONFIG: Section = Section::empty();
///
/// let mut storage = Storage::default();
/// assert_eq!(decode(CONFIG.bytes(), &mut storage).err(), Some(ConfigError::Empty));
/// ```
#[derive(Clone, Debug)]
#[repr(C, align(4))]
pub struct Section([u8; SECTION_LEN_BYTES]);

impl Section {
    /// A section without contents, as it is in an image before `bootswap pack`.
    #[must_use]
    pub const fn empty() -> Self {
        let header = empty_header();
        let mut bytes = [ERASED; SECTION_LEN_BYTES];
        let (head, _) = bytes.split_at_mut(HEADER_LEN_BYTES);
        head.copy_from_slice(&header);
        Self(bytes)
    }

    /// The section's bytes as they are in flash. `bootswap pack` changes them after compilation, so
    /// the address goes through [`core::hint::black_box`]: the compiler must not assume an empty
    /// section.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &core::hint::black_box(self).0
    }
}

const fn empty_header() -> [u8; HEADER_LEN_BYTES] {
    let mut header = [0; HEADER_LEN_BYTES];
    put(&mut header, 0, &SECTION_MAGIC);
    put(&mut header, 16, &MAJOR_VERSION.to_le_bytes());
    put(&mut header, 18, &MINOR_VERSION.to_le_bytes());
    put(&mut header, 20, &len_u32(SECTION_LEN_BYTES).to_le_bytes());
    let (covered, _) = header.split_at(HEADER_CRC);
    let crc = crc32(covered);
    put(&mut header, HEADER_CRC, &crc.to_le_bytes());
    header
}

const fn put(to: &mut [u8; HEADER_LEN_BYTES], offset: usize, from: &[u8]) {
    let (_, rest) = to.split_at_mut(offset);
    let (room, _) = rest.split_at_mut(from.len());
    room.copy_from_slice(from);
}

/// The CRC-32 of Ethernet and zip. Computed without a table, which would take 1 KiB of the
/// firmware; `const`, because [`Section::empty`] is.
pub(crate) const fn crc32(bytes: &[u8]) -> u32 {
    const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
    CRC.checksum(bytes)
}

/// A length in 32 bits; all lengths here are far below 2^32.
pub(crate) const fn len_u32(len: usize) -> u32 {
    if len > u32::MAX as usize { u32::MAX } else { len as u32 }
}

/// A header that is whole and of a version that can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub section_len_bytes: usize,
    pub payload_len_bytes: usize,
    pub payload_crc: u32,
}

impl Header {
    /// Reads the header at the start of `bytes`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let header = bytes.first_chunk::<HEADER_LEN_BYTES>().ok_or(ConfigError::TooShort {
            len_bytes: bytes.len(),
            needed_bytes: HEADER_LEN_BYTES,
        })?;
        if !header.starts_with(&SECTION_MAGIC) {
            return Err(ConfigError::NoMagic);
        }
        let (covered, stored) = header.split_at(HEADER_CRC);
        let (stored, computed) = (u32_at(stored, 0), crc32(covered));
        if stored != computed {
            return Err(ConfigError::HeaderCrc { stored, computed });
        }
        let [major, minor] = [16, 18].map(|offset| u16_at(header, offset));
        if major != MAJOR_VERSION {
            return Err(ConfigError::Version { major, minor });
        }
        let section_len_bytes = u32_at(header, 20) as usize;
        let payload_len_bytes = u32_at(header, 24) as usize;
        let room_bytes = section_len_bytes.saturating_sub(HEADER_LEN_BYTES);
        if payload_len_bytes > room_bytes {
            return Err(ConfigError::PayloadLength { payload_len_bytes, room_bytes });
        }
        Ok(Self { section_len_bytes, payload_len_bytes, payload_crc: u32_at(header, 28) })
    }

    /// The header's bytes.
    pub(crate) fn emit(&self) -> [u8; HEADER_LEN_BYTES] {
        let mut header = empty_header();
        put(&mut header, 20, &len_u32(self.section_len_bytes).to_le_bytes());
        put(&mut header, 24, &len_u32(self.payload_len_bytes).to_le_bytes());
        put(&mut header, 28, &self.payload_crc.to_le_bytes());
        let crc = crc32(header.split_at(HEADER_CRC).0);
        put(&mut header, HEADER_CRC, &crc.to_le_bytes());
        header
    }
}

/// The payload of the section at the start of `bytes`, if header, checksums and filling are right
/// and it is not empty.
pub(crate) fn payload(bytes: &[u8]) -> Result<&[u8], ConfigError> {
    let header = Header::parse(bytes)?;
    let needed_bytes = header.section_len_bytes;
    let section = bytes
        .get(..needed_bytes)
        .ok_or(ConfigError::TooShort { len_bytes: bytes.len(), needed_bytes })?;
    let body = section.get(HEADER_LEN_BYTES..).unwrap_or_default();
    let (payload, filling) = body.split_at_checked(header.payload_len_bytes).unwrap_or((body, &[]));
    let (stored, computed) = (header.payload_crc, crc32(payload));
    if stored != computed {
        return Err(ConfigError::PayloadCrc { stored, computed });
    }
    if !is_blank(filling) {
        let at = filling.iter().position(|&byte| byte != ERASED).unwrap_or(0);
        let offset = HEADER_LEN_BYTES + payload.len() + at;
        return Err(ConfigError::Filling { offset, found: filling.get(at).copied().unwrap_or(0) });
    }
    if payload.is_empty() { Err(ConfigError::Empty) } else { Ok(payload) }
}

/// Where the section lies in an image file.
///
/// The payload is not checked: a section is found whether it is empty or holds anything.
///
/// # Errors
///
/// [`ConfigError::NoSection`] if there is none, [`ConfigError::TwoSections`] if there is more than
/// one, and what is wrong with it if there is one that is damaged or of another version.
pub fn find_section(image: &[u8]) -> Result<Range<usize>, ConfigError> {
    let mut found: Option<Range<usize>> = None;
    let mut wrong = ConfigError::NoSection;
    for offset in (0..image.len()).step_by(SECTION_ALIGN_BYTES) {
        let rest = image.get(offset..).unwrap_or_default();
        let header = match Header::parse(rest) {
            Ok(header) => header,
            Err(ConfigError::NoMagic | ConfigError::TooShort { .. }) => continue,
            // The magic may be there by chance: the error counts only if there is no section.
            Err(error) => {
                wrong = error;
                continue;
            }
        };
        let len_bytes = rest.len();
        let needed_bytes = header.section_len_bytes;
        if needed_bytes > len_bytes {
            return Err(ConfigError::TooShort { len_bytes, needed_bytes });
        }
        if let Some(first) = found {
            return Err(ConfigError::TwoSections { first: first.start, second: offset });
        }
        found = Some(offset..offset + needed_bytes);
    }
    found.ok_or(wrong)
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
