//! The two operations that change NOR flash, as values.

use core::fmt;

use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};

use crate::NorError;

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

    /// Bytes that it covers, which its address must be a multiple of.
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

    /// Whether a chip of `capacity_bytes` can do it.
    ///
    /// # Errors
    ///
    /// [`NorError::OutOfBounds`], [`NorError::Misaligned`] for an erase that does not start at its
    /// unit, [`NorError::PageCrossed`] for a program that crosses the end of its page.
    pub fn check(self, capacity_bytes: u32) -> Result<(), NorError> {
        match self {
            Self::Program { addr, len_bytes } => {
                check_bounds(addr, len_bytes, capacity_bytes)?;
                if (addr.get() % PAGE_BYTES).saturating_add(len_bytes) > PAGE_BYTES {
                    return Err(NorError::PageCrossed { addr, len_bytes });
                }
            }
            Self::Erase { unit, addr } => {
                if !addr.is_aligned(unit.len_bytes()) {
                    return Err(NorError::Misaligned { addr, unit_bytes: unit.len_bytes() });
                }
                check_bounds(addr, unit.len_bytes(), capacity_bytes)?;
            }
        }
        Ok(())
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

/// Whether `len_bytes` from `addr` lie inside a chip of `capacity_bytes`.
pub(crate) fn check_bounds(
    addr: FlashAddr,
    len_bytes: u32,
    capacity_bytes: u32,
) -> Result<(), NorError> {
    match addr.checked_add(len_bytes) {
        Some(end) if end.get() <= capacity_bytes => Ok(()),
        _ => Err(NorError::OutOfBounds { addr, len_bytes, capacity_bytes }),
    }
}
