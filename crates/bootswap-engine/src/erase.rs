//! Which erase clears what has to be cleared in the least time, while bytes stream in.
//!
//! NOR flash erases sectors of 4 KiB and blocks of 32 or 64 KiB. A block costs about as much as three
//! sectors, so it pays to erase one where enough of its sectors have to go and none has to stay.
//!
//! What streams in is known up to the sector at hand and no further. A sector further on that is not
//! blank counts as one that will have to go; the only sign that it might not is that the sectors
//! before it held what they should already, and [`Bounds::combine`] tells of that. Where everything is
//! known beforehand, [`block`](crate::block) decides instead.
//!
//! Times decide which erase is used, not whether anything is correct; they are those of the W25Q32JV
//! (datasheet, "AC Electrical Characteristics"), typical. Other flashes differ by a factor, not in
//! the order.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};

use crate::FlashFailure;
use crate::medium::Medium;

/// Typical time of a sector erase in microseconds.
pub(crate) const SECTOR_ERASE_US: u32 = 45_000;
/// Typical time of a 32 KiB block erase in microseconds.
pub(crate) const BLOCK_32K_ERASE_US: u32 = 120_000;
/// Typical time of a 64 KiB block erase in microseconds.
pub(crate) const BLOCK_64K_ERASE_US: u32 = 150_000;
/// Typical time of a page program in microseconds.
pub(crate) const PAGE_PROGRAM_US: u32 = 400;

/// What may be erased around a sector that has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Whole sectors that may be erased.
    pub erasable: Region,
    /// Sectors among them that must not be.
    pub reserved: Option<Region>,
    /// First address behind what will be written from here on.
    pub horizon: FlashAddr,
    /// Whether a block may be erased because what lies behind the sector is in the way too.
    pub combine: bool,
}

impl Bounds {
    pub(crate) fn allows(&self, block: Region) -> bool {
        self.erasable.contains_region(block) && !self.reserved.is_some_and(|r| r.overlaps(block))
    }
}

/// The block that starts with the sector at `at` and pays to be erased, if one does; `must_go` says that
/// the sector itself has to be.
pub(crate) async fn block<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    must_go: bool,
    bounds: Bounds,
) -> Result<Option<Region>, FlashFailure<F::Error>> {
    let half = Region::clamped(at, BLOCK_32K_BYTES);
    let block = Region::clamped(at, BLOCK_64K_BYTES);
    if !bounds.combine || !at.is_aligned(BLOCK_32K_BYTES) || !bounds.allows(half) {
        return Ok(None);
    }
    let behind = half.from(at.saturating_add(SECTOR_BYTES));
    let first = u32::from(must_go) + in_the_way(medium, behind, bounds.horizon).await?;
    let first_us = half_cost_us(first);
    if at.is_aligned(BLOCK_64K_BYTES) && bounds.allows(block) {
        let second = block.from(half.end());
        let second_us = half_cost_us(in_the_way(medium, second, bounds.horizon).await?);
        if BLOCK_64K_ERASE_US < first_us + second_us {
            return Ok(Some(block));
        }
    }
    Ok((first_us == BLOCK_32K_ERASE_US).then_some(half))
}

/// What clearing so many sectors of a 32 KiB block costs at the least.
fn half_cost_us(sectors: u32) -> u32 {
    (sectors * SECTOR_ERASE_US).min(BLOCK_32K_ERASE_US)
}

/// Sectors of the region before the horizon that are not blank, counted up to where more makes no
/// difference.
async fn in_the_way<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    region: Region,
    horizon: FlashAddr,
) -> Result<u32, FlashFailure<F::Error>> {
    let mut count = 0;
    for sector in region.chunks(SECTOR_BYTES).take_while(|s| s.start() < horizon) {
        if !medium.is_blank(sector).await? {
            count += 1;
        }
        if half_cost_us(count) == BLOCK_32K_ERASE_US {
            break;
        }
    }
    Ok(count)
}
