//! The fastest erase that clears a sector while bytes stream in.
//!
//! The rule, with its times, is the planner's ([`bootswap_plan::cheapest_erase`]); this module
//! applies it to the contents of flash.
//!
//! The incoming bytes are known only up to the current sector. A later sector that is not blank is
//! assumed to need an erase. The only sign that it might not is that the sectors before it were
//! correct already; [`Bounds::combine`] tells. If everything is known in advance,
//! [`block`](crate::block) decides instead.

use bootswap_plan::{Erase, HalfBlock, cheapest_erase};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::FlashFailure;
use crate::medium::Medium;

/// What may be erased around a sector that must be erased.
pub(crate) use bootswap_plan::EraseBounds as Bounds;

/// The block that starts with the sector at `at`, if erasing it as a whole is cheaper; `must_go`
/// says that the sector itself must be erased.
pub(crate) async fn block<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    must_go: bool,
    bounds: Bounds,
) -> Result<Option<Region>, FlashFailure<F::Error>> {
    let Some((first, second)) = bounds.halves_at(at) else { return Ok(None) };
    let behind = first.from(at.saturating_add(SECTOR_BYTES));
    let erases = u32::from(must_go) + to_erase(medium, behind, bounds.horizon).await?;
    let first = HalfBlock::with_erases(erases);
    let second = match second {
        Some(half) => {
            let erases = to_erase(medium, half, bounds.horizon).await?;
            Some(HalfBlock::with_erases(erases))
        }
        None => None,
    };
    let erase = cheapest_erase(first, second);
    Ok((erase != Erase::Sector4K).then(|| Region::clamped(at, erase.len_bytes())))
}

/// Sectors of the region before the horizon that are not blank, counted only as far as it matters.
async fn to_erase<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    region: Region,
    horizon: FlashAddr,
) -> Result<u32, FlashFailure<F::Error>> {
    let mut count = 0;
    for sector in region.chunks(SECTOR_BYTES).take_while(|s| s.start() < horizon) {
        if !medium.is_blank(sector).await? {
            count += 1;
        }
        if count >= HalfBlock::MANY_ERASES {
            break;
        }
    }
    Ok(count)
}
