//! Which erases the engine uses, with everything full of old data.
//!
//! Its rule: a 32 KiB block where at least three of its sectors have to go, a 64 KiB block where that
//! beats its halves, and neither where something inside has to stay.

use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};

use super::{Cost, ERASE_4K, ERASE_32K, ERASE_64K};
use crate::step::Place;

/// A region made blank.
pub(super) fn clean(region: Region, erasable: Region) -> Cost {
    let erases = Erases { erasable, reserved: None, cleared: FlashAddr::ZERO, cost: Cost::NONE };
    erases.run(region, region.end()).cost
}

/// Erases as `erase.rs` of the engine chooses them.
pub(super) struct Erases {
    erasable: Region,
    reserved: Option<Region>,
    /// Everything before is cleared.
    cleared: FlashAddr,
    /// Erases so far.
    pub cost: Cost,
}

impl Erases {
    pub(super) const fn new(place: &Place) -> Self {
        let Place { erasable, reserved, .. } = *place;
        Self { erasable, reserved, cleared: FlashAddr::ZERO, cost: Cost::NONE }
    }

    /// Clears every sector that the run touches.
    pub(super) fn run(mut self, run: Region, horizon: FlashAddr) -> Self {
        let run = run.align_out(SECTOR_BYTES).unwrap_or(run);
        for sector in run.chunks(SECTOR_BYTES) {
            if sector.start() >= self.cleared && self.allows(sector) {
                let unit = self.unit(sector, horizon);
                self.cost.erase(unit.len_bytes());
                self.cleared = unit.end();
            }
        }
        self
    }

    /// The sector, or a block that starts with it.
    fn unit(&self, sector: Region, horizon: FlashAddr) -> Region {
        let at = sector.start();
        let half = Region::clamped(at, BLOCK_32K_BYTES);
        let block = Region::clamped(at, BLOCK_64K_BYTES);
        if !at.is_aligned(BLOCK_32K_BYTES) || !self.allows(half) {
            return sector;
        }
        let in_the_way = |region: Region| {
            let end = horizon.min(region.end());
            Region::new(region.start(), end).map_or(0, sectors)
        };
        let first_us = half_us(1 + in_the_way(half.from(sector.end())));
        if at.is_aligned(BLOCK_64K_BYTES)
            && self.allows(block)
            && ERASE_64K.typ_us < first_us + half_us(in_the_way(block.from(half.end())))
        {
            return block;
        }
        if first_us == ERASE_32K.typ_us { half } else { sector }
    }

    fn allows(&self, unit: Region) -> bool {
        self.erasable.contains_region(unit) && !self.reserved.is_some_and(|r| r.overlaps(unit))
    }
}

/// Erases of a commit, as `commit.rs` of the engine chooses them.
pub(super) fn commit_erases(to: &Place, unused: Option<Region>, unused_is_blank: bool) -> Cost {
    let unused = unused.filter(|_| unused_is_blank);
    let start = unused.map_or(to.erasable.start(), |u| u.start().min(to.erasable.start()));
    let reach = Region::new(start, to.erasable.end()).unwrap_or(to.erasable);
    let in_the_way = |unit: Region| to.region.intersection(unit).map_or(0, sectors);
    let mut cost = Cost::NONE;
    for block in reach.chunks(BLOCK_64K_BYTES) {
        let mut rest = block;
        while !rest.is_empty() {
            let whole = |len_bytes: u32| {
                let unit = rest.prefix(len_bytes);
                unit.is_aligned(len_bytes) && !unit.is_empty()
            };
            let first_us = half_us(in_the_way(rest.prefix(BLOCK_32K_BYTES)));
            let both_us = |block: Region| -> u32 {
                block.chunks(BLOCK_32K_BYTES).map(|half| half_us(in_the_way(half))).sum()
            };
            let unit = if whole(BLOCK_64K_BYTES) && ERASE_64K.typ_us < both_us(rest) {
                BLOCK_64K_BYTES
            } else if whole(BLOCK_32K_BYTES) && first_us == ERASE_32K.typ_us {
                BLOCK_32K_BYTES
            } else {
                SECTOR_BYTES
            };
            let unit = rest.prefix(unit);
            if in_the_way(unit) > 0 {
                cost.erase(unit.len_bytes());
            }
            rest = rest.from(unit.end());
        }
    }
    cost
}

/// What clearing so many sectors of a 32 KiB block takes at the least, in microseconds.
const fn half_us(sectors: u32) -> u32 {
    let singly_us = sectors * ERASE_4K.typ_us;
    if singly_us < ERASE_32K.typ_us { singly_us } else { ERASE_32K.typ_us }
}

/// Sectors that a region touches.
pub(super) fn sectors(region: Region) -> u32 {
    region.align_out(SECTOR_BYTES).unwrap_or(region).len_bytes() / SECTOR_BYTES
}
