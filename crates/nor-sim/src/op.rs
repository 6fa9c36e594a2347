//! The two operations that change NOR flash, as values.

use core::fmt;

use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};

/// A unit that one erase operation sets to 0xff.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EraseUnit {
    /// A sector, command 0x20 of the W25Q32JV.
    Sector4K,
    /// The smaller block, command 0x52.
    Block32K,
    /// The larger block, command 0xd8.
    Block64K,
}

impl EraseUnit {
    /// Every unit, the largest first.
    pub const LARGEST_FIRST: [Self; 3] = [Self::Block64K, Self::Block32K, Self::Sector4K];

    /// Bytes that it covers. Its address must be a multiple of them.
    #[must_use]
    pub const fn len_bytes(self) -> u32 {
        match self {
            Self::Sector4K => SECTOR_BYTES,
            Self::Block32K => BLOCK_32K_BYTES,
            Self::Block64K => BLOCK_64K_BYTES,
        }
    }
}

impl fmt::Display for EraseUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB", self.len_bytes() / 1024)
    }
}

/// An operation that changes flash: what and where, without the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// A page program.
    Program {
        /// First byte programmed.
        addr: FlashAddr,
        /// How many; they stay inside one page.
        len_bytes: u32,
    },
    /// An erase of one unit.
    Erase {
        /// The unit.
        unit: EraseUnit,
        /// Its first byte.
        addr: FlashAddr,
    },
}

impl Op {
    /// A page program of `bytes` at `addr`.
    #[must_use]
    pub fn program(addr: FlashAddr, bytes: &[u8]) -> Self {
        Self::Program { addr, len_bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX) }
    }

    /// An erase of the unit that starts at `addr`.
    #[must_use]
    pub const fn erase(unit: EraseUnit, addr: FlashAddr) -> Self {
        Self::Erase { unit, addr }
    }

    /// First byte that it may change.
    #[must_use]
    pub const fn addr(self) -> FlashAddr {
        match self {
            Self::Program { addr, .. } | Self::Erase { addr, .. } => addr,
        }
    }

    /// Every byte that it may change.
    #[must_use]
    pub const fn region(self) -> Region {
        match self {
            Self::Program { addr, len_bytes } => Region::clamped(addr, len_bytes),
            Self::Erase { unit, addr } => Region::clamped(addr, unit.len_bytes()),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { addr, len_bytes } => write!(f, "program of {len_bytes} B at {addr}"),
            Self::Erase { unit, addr } => write!(f, "{unit} erase at {addr}"),
        }
    }
}
