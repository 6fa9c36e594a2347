//! Which erase to use, and how long flash operations take: one rule for the engine, which erases,
//! and for the cost, which counts.
//!
//! ```text
//!   multiple of 64 KiB            multiple of 32 KiB
//!   |s|s|s|s|s|s|s|s--- half ---| |s|s|s|s|s|s|s|s--- half ---|
//!   one erase of 64 KiB, or for each half one of 32 KiB, or one of 4 KiB for every sector
//! ```
//!
//! A block costs about as much as three sectors, so one block erase is cheaper if at least three of
//! its sectors must be erased and none of them must be kept. The times decide which erase is used,
//! not whether anything is correct; the times of other flash chips differ from these by a factor,
//! not in their order.
//!
//! The simulator's flash (`nor-sim`) has its own table from the same datasheet on purpose: it
//! judges what this rule costs, so it must not share the rule's numbers.

use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};

/// Duration of one flash operation, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpTime {
    /// Typical.
    pub typ_us: u32,
    /// Maximum.
    pub max_us: u32,
}

/// Erase of a 4 KiB sector: W25Q32JV datasheet, "AC Electrical Characteristics", tSE.
pub const ERASE_4K: OpTime = OpTime { typ_us: 45_000, max_us: 400_000 };
/// Erase of a 32 KiB block: same table, tBE1.
pub const ERASE_32K: OpTime = OpTime { typ_us: 120_000, max_us: 1_600_000 };
/// Erase of a 64 KiB block: same table, tBE2.
pub const ERASE_64K: OpTime = OpTime { typ_us: 150_000, max_us: 2_000_000 };
/// Program of a page: same table, tPP.
pub const PROGRAM_PAGE: OpTime = OpTime { typ_us: 400, max_us: 3_000 };

/// Bytes of an artifact that are written between two checkpoints of the engine's journal.
pub const CHECKPOINT_BYTES: u32 = 2 * SECTOR_BYTES;

/// An erase command of NOR flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Erase {
    /// Of a 4 KiB sector.
    Sector4K,
    /// Of a 32 KiB block.
    Block32K,
    /// Of a 64 KiB block.
    Block64K,
}

impl Erase {
    /// Bytes that it erases.
    #[must_use]
    pub const fn len_bytes(self) -> u32 {
        match self {
            Self::Sector4K => SECTOR_BYTES,
            Self::Block32K => BLOCK_32K_BYTES,
            Self::Block64K => BLOCK_64K_BYTES,
        }
    }
}

/// What must be done in a 32 KiB block that may be erased as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct HalfBlock {
    /// Sectors that must be erased.
    pub erases: u32,
    /// Pages that are already correct and must be programmed again if the block is erased.
    pub pages_again: u32,
}

impl HalfBlock {
    /// From this number of sectors on, a block erase is cheaper if no page must be programmed
    /// again, so there is no need to count further.
    pub const MANY_ERASES: u32 = ERASE_32K.typ_us.div_ceil(ERASE_4K.typ_us);

    /// A block in which no page would have to be programmed again.
    #[must_use]
    pub const fn with_erases(erases: u32) -> Self {
        Self { erases, pages_again: 0 }
    }

    /// Time to erase it sector by sector.
    const fn singly_us(self) -> u32 {
        self.erases * ERASE_4K.typ_us
    }

    /// Shortest time to erase it without a 64 KiB erase.
    const fn least_us(self) -> u32 {
        let singly_us = self.singly_us();
        if singly_us < ERASE_32K.typ_us { singly_us } else { ERASE_32K.typ_us }
    }

    const fn again_us(self) -> u32 {
        self.pages_again * PROGRAM_PAGE.typ_us
    }
}

/// The fastest erase at the start of `first`; `second` is the 32 KiB after it, if the two are a 64
/// KiB block that may be erased as a whole.
#[must_use]
pub const fn cheapest_erase(first: HalfBlock, second: Option<HalfBlock>) -> Erase {
    if let Some(second) = second {
        let block_us = ERASE_64K.typ_us + first.again_us() + second.again_us();
        if block_us < first.least_us() + second.least_us() {
            return Erase::Block64K;
        }
    }
    if ERASE_32K.typ_us + first.again_us() < first.singly_us() {
        Erase::Block32K
    } else {
        Erase::Sector4K
    }
}

/// What may be erased around a sector that must be erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EraseBounds {
    /// Whole sectors that may be erased.
    pub erasable: Region,
    /// Sectors among them that must not be erased.
    pub reserved: Option<Region>,
    /// First address after what will be written from here on.
    pub horizon: FlashAddr,
    /// Whether blocks may be erased, not only single sectors.
    pub combine: bool,
}

impl EraseBounds {
    /// Whether all of `unit` may be erased.
    #[must_use]
    pub fn allows(&self, unit: Region) -> bool {
        self.erasable.contains_region(unit) && !self.reserved.is_some_and(|r| r.overlaps(unit))
    }

    /// The 32 KiB block that starts at `at`, if it may be erased as a whole; and the one after it,
    /// if the 64 KiB block of both may be.
    #[must_use]
    pub fn halves_at(&self, at: FlashAddr) -> Option<(Region, Option<Region>)> {
        let first = Region::clamped(at, BLOCK_32K_BYTES);
        if !self.combine || !at.is_aligned(BLOCK_32K_BYTES) || !self.allows(first) {
            return None;
        }
        let block = Region::clamped(at, BLOCK_64K_BYTES);
        let is_whole = at.is_aligned(BLOCK_64K_BYTES) && self.allows(block);
        Some((first, is_whole.then(|| block.from(first.end()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn half(erases: u32, pages_again: u32) -> HalfBlock {
        HalfBlock { erases, pages_again }
    }

    #[test]
    fn a_block_is_erased_where_that_takes_less_time() {
        use Erase::{Block32K, Block64K, Sector4K};
        for (first, second, wanted) in [
            (half(0, 0), None, Sector4K),
            (half(2, 0), None, Sector4K),
            (half(3, 0), None, Block32K),
            (half(8, 0), None, Block32K),
            // 120 ms and 37 pages are 134.8 ms, three sectors 135 ms.
            (half(3, 37), None, Block32K),
            (half(3, 38), None, Sector4K),
            (half(1, 0), Some(half(2, 0)), Sector4K),
            (half(2, 0), Some(half(2, 0)), Block64K),
            (half(8, 0), Some(half(0, 0)), Block32K),
            (half(0, 0), Some(half(8, 0)), Sector4K),
            (half(8, 0), Some(half(1, 0)), Block64K),
            (half(8, 16), Some(half(1, 22)), Block32K),
            (half(8, 0), Some(half(8, 0)), Block64K),
        ] {
            assert_eq!(cheapest_erase(first, second), wanted, "{first:?}, {second:?}");
        }
        let many = half(HalfBlock::MANY_ERASES, 0);
        assert_eq!(many.least_us(), half(8, 0).least_us());
    }

    #[test]
    fn a_block_is_erased_inside_of_its_bounds() {
        let region = |start, end| Region::new(FlashAddr(start), FlashAddr(end)).unwrap();
        let bounds = EraseBounds {
            erasable: region(0x1_0000, 0x3_0000),
            reserved: Some(region(0x2_c000, 0x2_d000)),
            horizon: FlashAddr(0x3_0000),
            combine: true,
        };
        let second = region(0x1_8000, 0x2_0000);
        let first = region(0x1_0000, 0x1_8000);
        assert_eq!(bounds.halves_at(FlashAddr(0x1_0000)), Some((first, Some(second))));
        assert_eq!(bounds.halves_at(FlashAddr(0x1_8000)), Some((second, None)));
        assert_eq!(bounds.halves_at(FlashAddr(0x1_1000)), None);
        // The next block is not blank.
        let third = region(0x2_0000, 0x2_8000);
        assert_eq!(bounds.halves_at(FlashAddr(0x2_0000)), Some((third, None)));
        assert_eq!(bounds.halves_at(FlashAddr(0x2_8000)), None);
        assert_eq!(bounds.halves_at(FlashAddr(0x3_0000)), None);
        let single = EraseBounds { combine: false, ..bounds };
        assert_eq!(single.halves_at(FlashAddr(0x1_0000)), None);
        assert!(single.allows(region(0x2_b000, 0x2_c000)));
        assert!(!single.allows(region(0x2_c000, 0x2_d000)));
        assert!(!single.allows(region(0x3_0000, 0x3_1000)));
    }
}
