//! Which erases the engine uses if everything is full of old data, by the rule of
//! [`erase`](crate::erase).

use flash_region::{BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};

use super::count::Cost;
use crate::erase::{Erase, EraseBounds, HalfBlock, cheapest_erase};
use crate::step::Place;

/// A region made blank.
pub(super) fn clean(region: Region, erasable: Region) -> Cost {
    Erases::within(erasable, None).run(region, region.end()).cost
}

/// Erases while bytes stream in, as the engine's `erase.rs` does them.
pub(super) struct Erases {
    erasable: Region,
    reserved: Option<Region>,
    /// Everything before this address is cleared.
    cleared: FlashAddr,
    /// Erases so far.
    pub cost: Cost,
}

impl Erases {
    pub(super) const fn new(place: &Place) -> Self {
        Self::within(place.erasable, place.reserved)
    }

    const fn within(erasable: Region, reserved: Option<Region>) -> Self {
        Self { erasable, reserved, cleared: FlashAddr::ZERO, cost: Cost::NONE }
    }

    /// Clears every sector that the run touches.
    pub(super) fn run(mut self, run: Region, horizon: FlashAddr) -> Self {
        let Self { erasable, reserved, .. } = self;
        let bounds = EraseBounds { erasable, reserved, horizon, combine: true };
        let to_erase = |region: Region| {
            let end = horizon.min(region.end());
            Region::new(region.start(), end).map_or(0, sectors)
        };
        let run = run.align_out(SECTOR_BYTES).unwrap_or(run);
        for sector in run.chunks(SECTOR_BYTES) {
            if sector.start() >= self.cleared && bounds.allows(sector) {
                // The sector itself must be erased, wherever the horizon is.
                let first = |half: Region| 1 + to_erase(half.from(sector.end()));
                self.erase(sector.start(), erase_at(sector.start(), &bounds, first, to_erase));
            }
        }
        self
    }

    fn erase(&mut self, at: FlashAddr, erase: Erase) {
        self.cost.erase(erase);
        self.cleared = Region::clamped(at, erase.len_bytes()).end();
    }
}

/// Erases of a commit, as the engine's `block.rs` chooses them.
pub(super) fn commit_erases(to: &Place, unused: Option<Region>, unused_is_blank: bool) -> Cost {
    let unused = unused.filter(|_| unused_is_blank);
    let start = unused.map_or(to.erasable.start(), |u| u.start().min(to.erasable.start()));
    let reach = Region::new(start, to.erasable.end()).unwrap_or(to.erasable);
    let to_erase = |unit: Region| to.region.intersection(unit).map_or(0, sectors);
    let mut erases = Erases::within(reach, None);
    for block in reach.chunks(BLOCK_64K_BYTES) {
        let horizon = reach.end();
        let bounds = EraseBounds { erasable: block, reserved: None, horizon, combine: true };
        for sector in block.chunks(SECTOR_BYTES) {
            let erase = erase_at(sector.start(), &bounds, to_erase, to_erase);
            let is_needed = to_erase(Region::clamped(sector.start(), erase.len_bytes())) > 0;
            if is_needed && sector.start() >= erases.cleared {
                erases.erase(sector.start(), erase);
            }
        }
    }
    erases.cost
}

/// The erase to use at `at`; the two functions count the sectors to erase in each half of a block.
fn erase_at(
    at: FlashAddr,
    bounds: &EraseBounds,
    in_first: impl Fn(Region) -> u32,
    in_second: impl Fn(Region) -> u32,
) -> Erase {
    let Some((first, second)) = bounds.halves_at(at) else { return Erase::Sector4K };
    let second = second.map(|half| HalfBlock::with_erases(in_second(half)));
    cheapest_erase(HalfBlock::with_erases(in_first(first)), second)
}

/// Sectors that a region touches.
pub(super) fn sectors(region: Region) -> u32 {
    region.align_out(SECTOR_BYTES).unwrap_or(region).len_bytes() / SECTOR_BYTES
}
