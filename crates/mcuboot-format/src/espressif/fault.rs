//! Why an application would not start.

use core::fmt;

use super::{LOAD_HEADER_MAGIC, LoadHeader, LoadSegment, MemoryRange};
use crate::HeaderError;

/// A segment of an application, by the memory that it is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SegmentName {
    /// Instruction RAM.
    Iram,
    /// Data RAM.
    Dram,
    /// Instructions that are kept in deep sleep.
    LpIram,
    /// Data that is kept in deep sleep.
    LpDram,
    /// Instructions that are run from flash.
    Irom,
    /// Constants that are read from flash.
    Drom,
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iram => "IRAM",
            Self::Dram => "DRAM",
            Self::LpIram => "LP IRAM",
            Self::LpDram => "LP DRAM",
            Self::Irom => "IROM",
            Self::Drom => "DROM",
        })
    }
}

/// Why Espressif's loader does not start an application, or starts one that cannot run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoadFault {
    /// There is no image.
    Image(HeaderError),
    /// The payload is shorter than a load header.
    Truncated {
        /// How many bytes it has.
        len_bytes: usize,
    },
    /// There is no load header: the payload does not start with [`LOAD_HEADER_MAGIC`].
    Magic {
        /// What it starts with.
        found: u32,
    },
    /// A segment is not for this chip: it begins or ends outside of the memory.
    Memory {
        /// Which.
        name: SegmentName,
        /// The segment.
        segment: LoadSegment,
        /// The chip's memory of that name.
        memory: MemoryRange,
    },
    /// The application starts outside of the chip's instruction RAM.
    EntryMemory {
        /// Where it starts.
        entry_addr: u32,
        /// The chip's instruction RAM.
        memory: MemoryRange,
    },
    /// A segment is copied over the bootloader that copies it.
    OverLoader {
        /// Which.
        name: SegmentName,
        /// The segment.
        segment: LoadSegment,
        /// What the bootloader uses there.
        taken: MemoryRange,
    },
    /// A segment reaches out of the image.
    Segment {
        /// Which.
        name: SegmentName,
        /// The segment.
        segment: LoadSegment,
        /// Where the payload ends, from the start of the image.
        payload_end_bytes: u32,
    },
    /// The application starts where nothing is copied to.
    Entry {
        /// Where it starts.
        entry_addr: u32,
        /// What is copied to instruction RAM.
        iram: LoadSegment,
    },
    /// A segment begins in the headers in front of it: the application was linked for a shorter
    /// MCUboot header than it was signed with.
    OverHeader {
        /// Which.
        name: SegmentName,
        /// The segment.
        segment: LoadSegment,
        /// Bytes of the MCUboot header.
        header_len_bytes: u16,
    },
    /// The application was linked for another MCUboot header than it was signed with.
    HeaderSize {
        /// Bytes of the header that it was signed with.
        signed_bytes: u16,
        /// Bytes of the header that it was linked for.
        linked_bytes: u32,
    },
}

impl LoadFault {
    /// Whether it looks as if the application was built for another chip.
    #[must_use]
    pub const fn is_of_another_chip(&self) -> bool {
        matches!(self, Self::Memory { .. } | Self::EntryMemory { .. })
    }
}

impl From<HeaderError> for LoadFault {
    fn from(error: HeaderError) -> Self {
        Self::Image(error)
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => write!(f, "{error}"),
            Self::Truncated { len_bytes } => write!(
                f,
                "load header: {len_bytes} bytes of payload, needs {}",
                LoadHeader::LEN_BYTES
            ),
            Self::Magic { found } => write!(
                f,
                "load header: magic at offset 0 is {found:#010x}, not {LOAD_HEADER_MAGIC:#010x}"
            ),
            Self::Memory { name, segment, memory } => write!(
                f,
                "load header: {name} segment of {:#x} bytes at {:#x} is not inside this chip's \
                 {name}, {memory}",
                segment.len_bytes, segment.dest_addr
            ),
            Self::EntryMemory { entry_addr, memory } => write!(
                f,
                "load header: entry {entry_addr:#x} at offset 4 is not in this chip's IRAM, \
                 {memory}"
            ),
            Self::OverLoader { name, segment, taken } => write!(
                f,
                "load header: {name} segment of {:#x} bytes at {:#x} is loaded over the \
                 bootloader, {taken}",
                segment.len_bytes, segment.dest_addr
            ),
            Self::Segment { name, segment, payload_end_bytes } => write!(
                f,
                "load header: {name} segment of {:#x} bytes at slot offset {:#x} ends past the \
                 payload's end {payload_end_bytes:#x}",
                segment.len_bytes, segment.offset_bytes
            ),
            Self::Entry { entry_addr, iram } => write!(
                f,
                "load header: entry {entry_addr:#x} at offset 4 is not in the IRAM segment, \
                 {:#x} bytes at {:#x}",
                iram.len_bytes, iram.dest_addr
            ),
            Self::OverHeader { name, segment, header_len_bytes } => write!(
                f,
                "load header: {name} segment begins at slot offset {:#x}, inside of the headers; \
                 the application was linked for a shorter MCUboot header than the \
                 {header_len_bytes:#x} bytes it was signed with",
                segment.offset_bytes
            ),
            Self::HeaderSize { signed_bytes, linked_bytes } => write!(
                f,
                "load header: the application was linked for an MCUboot header of \
                 {linked_bytes:#x} bytes and signed with one of {signed_bytes:#x}",
            ),
        }
    }
}

impl core::error::Error for LoadFault {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Image(error) => Some(error),
            _ => None,
        }
    }
}
