//! Which erase clears what has to be cleared in the least time.
//!
//! NOR flash erases sectors of 4 KiB and blocks of 32 or 64 KiB. A block costs about as much as three
//! sectors, so it pays to erase one where enough of its sectors have to go and none has to stay.
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
}

impl Bounds {
    pub(crate) fn allows(&self, block: Region) -> bool {
        self.erasable.contains_region(block) && !self.reserved.is_some_and(|r| r.overlaps(block))
    }
}

/// The erase to use for the sector at `at`, which has to go: the sector, or a block that starts with
/// it.
pub(crate) async fn choose<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    bounds: Bounds,
) -> Result<Region, FlashFailure<F::Error>> {
    let sector = Region::clamped(at, SECTOR_BYTES);
    let half = Region::clamped(at, BLOCK_32K_BYTES);
    let block = Region::clamped(at, BLOCK_64K_BYTES);
    if !at.is_aligned(BLOCK_32K_BYTES) || !bounds.allows(half) {
        return Ok(sector);
    }
    // The sector itself is known to be in the way, so is everything not blank behind it that will be
    // written.
    let first_us = half_cost_us(1 + in_the_way(medium, half.from(sector.end()), bounds.horizon).await?);
    if at.is_aligned(BLOCK_64K_BYTES) && bounds.allows(block) {
        let second = block.from(half.end());
        let second_us = half_cost_us(in_the_way(medium, second, bounds.horizon).await?);
        if BLOCK_64K_ERASE_US < first_us + second_us {
            return Ok(block);
        }
    }
    Ok(if first_us == BLOCK_32K_ERASE_US { half } else { sector })
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
