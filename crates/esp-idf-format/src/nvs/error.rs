//! Why a value cannot be read.

use core::fmt;

/// Why NVS has no such value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NvsError {
    /// No page has a valid header: nothing was ever stored, or this is not NVS.
    NoPages,
    /// There are entries, and none of them can be read: they are encrypted, or all damaged.
    Unreadable {
        /// How many there are.
        entries: u32,
    },
    /// There is no such namespace.
    NoNamespace,
    /// There is no binary value of that key in the namespace.
    NoKey,
    /// The value is damaged or incomplete.
    Damaged,
    /// The value is longer than expected.
    TooLong {
        /// Its bytes.
        len_bytes: u32,
        /// Bytes there is room for.
        room_bytes: usize,
    },
}

impl fmt::Display for NvsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPages => f.write_str("NVS is empty: no page has a valid header"),
            Self::Unreadable { entries } => write!(
                f,
                "none of the {entries} entries in NVS has the right CRC: it is encrypted, or \
                 damaged"
            ),
            Self::NoNamespace => f.write_str("there is no such namespace in NVS"),
            Self::NoKey => f.write_str("there is no such binary value in NVS"),
            Self::Damaged => f.write_str("the value in NVS is damaged"),
            Self::TooLong { len_bytes, room_bytes } => {
                write!(f, "the value in NVS has {len_bytes} bytes, expected at most {room_bytes}")
            }
        }
    }
}

impl core::error::Error for NvsError {}
