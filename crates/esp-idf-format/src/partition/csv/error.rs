//! Why a table in CSV is refused.

use alloc::string::String;
use core::fmt;

use flash_region::FlashAddr;

use crate::partition::PartitionTableError;

/// A field of a line, by its place in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CsvField {
    /// The label.
    Name = 0,
    /// The type.
    Type = 1,
    /// The subtype.
    SubType = 2,
    /// First address.
    Offset = 3,
    /// Length.
    Size = 4,
    /// Flags.
    Flags = 5,
}

impl CsvField {
    /// What the field may have.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Name => "a name without NUL",
            Self::Type => "app, data, bootloader, partition_table or 0 to 254",
            Self::SubType => "a subtype of that type or 0 to 255",
            Self::Offset => "an address as 0x10000 or 64K, or nothing",
            Self::Size => "bytes as 0x1000, 4K or 1M, or minus the address of the end",
            Self::Flags => "encrypted and readonly, with a colon between them",
        }
    }
}

impl fmt::Display for CsvField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Type => "type",
            Self::SubType => "subtype",
            Self::Offset => "offset",
            Self::Size => "size",
            Self::Flags => "flags",
        })
    }
}

/// What is wrong with a table in CSV. Lines are counted from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CsvError {
    /// The file is text in another encoding, or not text.
    Encoding {
        /// What it is.
        found: &'static str,
    },
    /// A line is not UTF-8.
    NotUtf8 {
        /// The line.
        line: u32,
    },
    /// A field that must not be empty is empty.
    MissingField {
        /// The line.
        line: u32,
        /// The field.
        field: CsvField,
    },
    /// A field has an impossible value.
    BadField {
        /// The line.
        line: u32,
        /// The field.
        field: CsvField,
        /// What it says.
        found: String,
    },
    /// A partition begins before the end of what the lines before it describe.
    Overlap {
        /// The line.
        line: u32,
        /// Where the partition begins.
        start: FlashAddr,
        /// The first address that is free.
        next: FlashAddr,
        /// The line of the partition that ends there; `None` if that is the partition table.
        before: Option<u32>,
    },
    /// The entries cannot be a table.
    Table {
        /// The line; `None` if the error is about the whole table.
        line: Option<u32>,
        /// What is wrong.
        error: PartitionTableError,
    },
}

impl CsvError {
    /// The line that the error is about, if it is about one.
    #[must_use]
    pub const fn line(&self) -> Option<u32> {
        match *self {
            Self::Encoding { .. } => None,
            Self::NotUtf8 { line }
            | Self::MissingField { line, .. }
            | Self::BadField { line, .. }
            | Self::Overlap { line, .. } => Some(line),
            Self::Table { line, .. } => line,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Encoding { .. } | Self::NotUtf8 { .. } => {
                "save the table as UTF-8, or name a binary table, which begins with the bytes aa 50"
            }
            Self::MissingField { .. } => {
                "a line is: name, type, subtype, offset, size, flags; only offset and flags may be \
                 empty, and the subtype of data"
            }
            Self::BadField { found, .. } if found.contains('$') => {
                "write the value itself: variables of the environment are not read here"
            }
            Self::BadField { field: CsvField::SubType, .. } => {
                "write the subtype's number: names that a project adds to ESP-IDF's are not known \
                 here"
            }
            Self::BadField { .. } => "correct the field",
            Self::Overlap { before: None, .. } => {
                "correct the offset; or set `partition_table_offset`, where the devices' table is \
                 not at 0x8000"
            }
            Self::Overlap { .. } => {
                "correct the offset, or leave it empty to let the partition follow the one before"
            }
            Self::Table { .. } => {
                "correct the line; if devices have this table all the same, name the binary table \
                 that was read from one"
            }
        }
    }
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding { found } => write!(f, "partition table is {found}, not UTF-8"),
            Self::NotUtf8 { line } => {
                write!(f, "partition table, line {line}: a byte that is not UTF-8")
            }
            Self::MissingField { line, field } => {
                write!(f, "partition table, line {line}: {field} is empty")
            }
            Self::BadField { line, field, found } => {
                let wanted = field.wanted();
                write!(f, "partition table, line {line}: {field} is {found:?}, not {wanted}")
            }
            Self::Overlap { line, start, next, before: Some(before) } => write!(
                f,
                "partition table, line {line}: begins at {start}, before the end of line {before} \
                 at {next}"
            ),
            Self::Overlap { line, start, next, before: None } => write!(
                f,
                "partition table, line {line}: begins at {start}, before the end of the partition \
                 table itself at {next}"
            ),
            Self::Table { line: Some(line), error } => {
                write!(f, "partition table, line {line}: {error}")
            }
            Self::Table { line: None, error } => error.fmt(f),
        }
    }
}

impl core::error::Error for CsvError {}
