//! Why a partition table is refused.

use core::fmt;

use flash_region::{FlashAddr, Hex, Region};

use super::Label;

/// What is wrong with a partition table. Offsets are bytes from the start of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PartitionTableError {
    /// A record begins with neither of the magics nor the end marker.
    BadMagic {
        /// Where the record begins.
        offset_bytes: u32,
        /// Its first two bytes, in the order of flash.
        found: [u8; 2],
    },
    /// The digest is not that of the entries before it.
    Md5 {
        /// Where the record of the digest begins.
        offset_bytes: u32,
        /// The digest that is there.
        stored: [u8; 16],
        /// The digest that would be right.
        computed: [u8; 16],
    },
    /// A record follows the digest, so the digest does not cover it. The bootloader then counts the
    /// digest as an entry, and ignores the last entry.
    EntryBehindMd5 {
        /// Where the record begins.
        offset_bytes: u32,
    },
    /// There is a second digest, which the bootloader does not accept.
    SecondMd5 {
        /// Where its record begins.
        offset_bytes: u32,
    },
    /// The table has no end marker.
    NoTerminator {
        /// Where it was last looked for.
        offset_bytes: u32,
    },
    /// The table has no entry at all, like an erased sector.
    Empty,
    /// A partition ends past the last address that 32 bits can express.
    OutsideAddressSpace {
        /// Where the entry begins.
        offset_bytes: u32,
        /// First address of the partition.
        start: FlashAddr,
        /// Length of the partition.
        len_bytes: u32,
    },
    /// The start of a partition is not aligned as its type requires.
    Misaligned {
        /// Where the entry begins.
        offset_bytes: u32,
        /// First address of the partition.
        start: FlashAddr,
        /// What the address has to be a multiple of.
        align_bytes: u32,
    },
    /// Two partitions share flash.
    Overlap {
        /// Where the later entry begins.
        offset_bytes: u32,
        /// Where the earlier one begins.
        other_offset_bytes: u32,
        /// The region of the later one.
        region: Region,
        /// The region of the earlier one.
        other: Region,
    },
    /// Two partitions have the same label.
    DuplicateLabel {
        /// Where the later entry begins.
        offset_bytes: u32,
        /// Where the earlier one begins.
        other_offset_bytes: u32,
        /// The label.
        label: Label,
    },
    /// Two partitions are the same OTA slot, or both factory app, test app or otadata.
    DuplicateRole {
        /// Where the later entry begins.
        offset_bytes: u32,
        /// Where the earlier one begins.
        other_offset_bytes: u32,
    },
    /// The otadata partition is too small for its two entries, and the bootloader would not start.
    OtadataTooSmall {
        /// Where the entry begins.
        offset_bytes: u32,
        /// Length of the partition.
        len_bytes: u32,
    },
    /// A partition ends past the end of flash.
    BehindFlash {
        /// Where the entry begins.
        offset_bytes: u32,
        /// The partition.
        region: Region,
        /// Bytes of flash.
        flash_len_bytes: u32,
    },
    /// A partition overlaps the bootloader's area or the partition table.
    OverBootArea {
        /// Where the entry begins.
        offset_bytes: u32,
        /// The partition.
        region: Region,
    },
    /// More entries than a table can hold.
    TooManyEntries {
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// The buffer cannot take a whole table.
    BufferTooSmall {
        /// Bytes of a table.
        needed_bytes: usize,
        /// Bytes of the buffer.
        found_bytes: usize,
    },
}

impl PartitionTableError {
    /// Where the record begins that the error is about; `None` if it is about the whole table.
    #[must_use]
    pub const fn offset_bytes(&self) -> Option<u32> {
        match *self {
            Self::BadMagic { offset_bytes, .. }
            | Self::Md5 { offset_bytes, .. }
            | Self::EntryBehindMd5 { offset_bytes }
            | Self::SecondMd5 { offset_bytes }
            | Self::NoTerminator { offset_bytes }
            | Self::OutsideAddressSpace { offset_bytes, .. }
            | Self::Misaligned { offset_bytes, .. }
            | Self::Overlap { offset_bytes, .. }
            | Self::DuplicateLabel { offset_bytes, .. }
            | Self::DuplicateRole { offset_bytes, .. }
            | Self::OtadataTooSmall { offset_bytes, .. }
            | Self::BehindFlash { offset_bytes, .. }
            | Self::OverBootArea { offset_bytes, .. } => Some(offset_bytes),
            Self::Empty | Self::TooManyEntries { .. } | Self::BufferTooSmall { .. } => None,
        }
    }
}

impl fmt::Display for PartitionTableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadMagic { offset_bytes, found: [first, second] } => write!(
                f,
                "no partition table entry at offset {offset_bytes:#x}: \
                 begins with {first:02x} {second:02x}, not aa 50"
            ),
            Self::Md5 { offset_bytes, stored, computed } => write!(
                f,
                "partition table's MD5 at offset {offset_bytes:#x} is {}, entries have {}",
                Hex(&stored),
                Hex(&computed)
            ),
            Self::EntryBehindMd5 { offset_bytes } => {
                write!(
                    f,
                    "partition table continues after its MD5, at offset {offset_bytes:#x}; the \
                     bootloader leaves the last entry out"
                )
            }
            Self::SecondMd5 { offset_bytes } => {
                write!(f, "partition table has a second MD5, at offset {offset_bytes:#x}")
            }
            Self::NoTerminator { offset_bytes } => {
                write!(f, "partition table has no end marker up to offset {offset_bytes:#x}")
            }
            Self::Empty => f.write_str("partition table has no entry (erased flash?)"),
            Self::OutsideAddressSpace { offset_bytes, start, len_bytes } => write!(
                f,
                "partition at table offset {offset_bytes:#x} begins at {start} and has \
                 {len_bytes:#x} bytes, more than can be addressed"
            ),
            Self::Misaligned { offset_bytes, start, align_bytes } => write!(
                f,
                "partition at table offset {offset_bytes:#x} begins at {start}, \
                 not at a multiple of {align_bytes:#x}"
            ),
            Self::Overlap { offset_bytes, other_offset_bytes, region, other } => write!(
                f,
                "partition at table offset {offset_bytes:#x} ({region}) overlaps the one at \
                 {other_offset_bytes:#x} ({other})"
            ),
            Self::DuplicateLabel { offset_bytes, other_offset_bytes, label } => write!(
                f,
                "partitions at table offsets {other_offset_bytes:#x} and {offset_bytes:#x} \
                 both have the label {label:?}"
            ),
            Self::DuplicateRole { offset_bytes, other_offset_bytes } => write!(
                f,
                "partitions at table offsets {other_offset_bytes:#x} and {offset_bytes:#x} \
                 have the same type and subtype, of which there may be only one"
            ),
            Self::OtadataTooSmall { offset_bytes, len_bytes } => write!(
                f,
                "otadata at table offset {offset_bytes:#x} has {len_bytes:#x} bytes, \
                 its two entries need {:#x}",
                super::OTADATA_LEN_BYTES
            ),
            Self::BehindFlash { offset_bytes, region, flash_len_bytes } => write!(
                f,
                "partition at table offset {offset_bytes:#x} ({region}) ends past the flash of \
                 {flash_len_bytes:#x} bytes"
            ),
            Self::OverBootArea { offset_bytes, region } => write!(
                f,
                "partition at table offset {offset_bytes:#x} ({region}) takes flash of the \
                 bootloader or of the partition table"
            ),
            Self::TooManyEntries { found, max } => {
                write!(f, "{found} partitions, a partition table holds {max}")
            }
            Self::BufferTooSmall { needed_bytes, found_bytes } => {
                write!(f, "buffer of {found_bytes} bytes, a partition table takes {needed_bytes}")
            }
        }
    }
}

impl core::error::Error for PartitionTableError {}
