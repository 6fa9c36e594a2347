//! What is wrong with a section.

use core::fmt;

use crate::layout::{HEADER_LEN_BYTES, MAJOR_VERSION};
use crate::{MAX_HOSTNAME_LEN_BYTES, WifiError};

/// What is wrong with a section. Offsets are in bytes from the section's start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The image has none.
    NoSection,
    /// The image has more than one.
    TwoSections {
        /// Offset of the first in the image.
        first: usize,
        /// Offset of the second in the image.
        second: usize,
    },
    /// It ends too early.
    TooShort {
        /// Bytes there are.
        len_bytes: usize,
        /// Bytes needed.
        needed_bytes: usize,
    },
    /// It does not begin with the magic.
    NoMagic,
    /// The header is damaged.
    HeaderCrc {
        /// CRC at offset 32.
        stored: u32,
        /// CRC of the bytes before.
        computed: u32,
    },
    /// It is of another major version.
    Version {
        /// Major version at offset 16.
        major: u16,
        /// Minor version at offset 18.
        minor: u16,
    },
    /// The payload is longer than the section.
    PayloadLength {
        /// Bytes at offset 24.
        payload_len_bytes: usize,
        /// Bytes there are for it.
        room_bytes: usize,
    },
    /// There is nothing inside: the image is as it was built.
    Empty,
    /// The payload is damaged.
    PayloadCrc {
        /// CRC at offset 28.
        stored: u32,
        /// CRC of the payload.
        computed: u32,
    },
    /// A byte after the payload is not erased.
    Filling {
        /// Its offset.
        offset: usize,
        /// What was found there.
        found: u8,
    },
    /// The payload is not the CBOR that it should be.
    Cbor {
        /// Offset in the section at which that was noticed.
        offset: usize,
        /// What was found there.
        found: Malformed,
    },
    /// A field has an impossible value.
    Field {
        /// Its name, as in a migration file where there is one of that name.
        name: &'static str,
        /// Which one, from 0, of a list.
        index: Option<usize>,
        /// What is wrong with it.
        problem: FieldProblem,
    },
}

/// What was found in place of the CBOR that was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Malformed {
    /// The payload's end.
    End,
    /// More bytes after the CBOR.
    More,
    /// A value of another type.
    Type,
    /// A value of an unknown kind.
    Kind,
    /// A map without a key that has to be there.
    Missing,
    /// Something else: text that is not UTF-8, a number too large, an array without length.
    Other,
}

/// What is wrong with the value of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FieldProblem {
    /// The number is unknown to this program.
    Unknown {
        /// The number.
        found: u32,
    },
    /// The region ends past the last address.
    Region {
        /// Its first address.
        start: u32,
        /// Its length in bytes.
        len_bytes: u32,
    },
    /// There are more than there is room for.
    TooMany {
        /// The most there can be.
        most: usize,
    },
    /// The network is not possible.
    Wifi(WifiError),
    /// The host name is not valid.
    Hostname,
}

impl ConfigError {
    /// Whether bytes have changed since they were written, or are not all there.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::TooShort { .. }
                | Self::HeaderCrc { .. }
                | Self::PayloadLength { .. }
                | Self::PayloadCrc { .. }
                | Self::Filling { .. }
        )
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const AGAIN: &str = "pack the migrator again from a fresh firmware image";
        match self {
            Self::NoSection => f.write_str(
                "no configuration section in the image; use the firmware image of a migrator",
            ),
            Self::TwoSections { first, second } => write!(
                f,
                "two configuration sections in the image, at {first:#x} and {second:#x}; build the \
                 firmware with one"
            ),
            Self::TooShort { len_bytes, needed_bytes } => write!(
                f,
                "the configuration section has {len_bytes} bytes of the {needed_bytes} it takes; \
                 {AGAIN}"
            ),
            Self::NoMagic => f.write_str(
                "no configuration section: magic missing at offset 0; use the firmware image of a \
                 migrator",
            ),
            Self::HeaderCrc { stored, computed } => write!(
                f,
                "the configuration's header is damaged: CRC-32 at offset 32 is {stored:#010x}, \
                 that of its bytes {computed:#010x}; {AGAIN}"
            ),
            Self::Version { major, minor } => write!(
                f,
                "the configuration is of version {major}.{minor} (offset 16), this program reads \
                 {MAJOR_VERSION}.x; use a bootswap and a firmware image of the same release"
            ),
            Self::PayloadLength { payload_len_bytes, room_bytes } => write!(
                f,
                "the configuration's length at offset 24 is {payload_len_bytes} bytes, there are \
                 {room_bytes}; {AGAIN}"
            ),
            Self::Empty => f.write_str(
                "the configuration is empty, the image is as it was built; run `bootswap pack` and \
                 distribute what it writes",
            ),
            Self::PayloadCrc { stored, computed } => write!(
                f,
                "the configuration is damaged: CRC-32 at offset 28 is {stored:#010x}, that of the \
                 bytes from {HEADER_LEN_BYTES} on {computed:#010x}; {AGAIN}"
            ),
            Self::Filling { offset, found } => write!(
                f,
                "the configuration section is damaged: {found:#04x} at offset {offset}, where 0xff \
                 is expected; {AGAIN}"
            ),
            Self::Cbor { offset, found } => write!(
                f,
                "the configuration cannot be read: {found} at offset {offset}; use a bootswap and \
                 a firmware image of the same release"
            ),
            Self::Field { name, index, problem } => {
                write!(f, "the configuration's {name}")?;
                if let Some(index) = index {
                    write!(f, "[{index}]")?;
                }
                write!(f, ": {problem}; correct the migration and pack it again")
            }
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "the end of the data",
            Self::More => "extra data",
            Self::Type => "a value of the wrong type",
            Self::Kind => "a value of an unknown kind",
            Self::Missing => "a map that lacks a key",
            Self::Other => "an unusable value",
        })
    }
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { found } => write!(f, "{found} is not supported by this program"),
            Self::Region { start, len_bytes } => {
                write!(f, "{len_bytes:#x} bytes from {start:#x} end past the last address")
            }
            Self::TooMany { most } => write!(f, "there can be at most {most}"),
            Self::Wifi(error) => error.fmt(f),
            Self::Hostname => write!(
                f,
                "a host name is 1 to {MAX_HOSTNAME_LEN_BYTES} letters, digits and hyphens"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
