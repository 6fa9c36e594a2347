//! Copies what is already in flash to another region, with the fewest operations.
//!
//! # Power-fail safety
//!
//! The source stays unchanged. A cut leaves the destination in any mixture of old, erased and new;
//! the next run only needs to compare the two again.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::block::{self, Sector, Wanted};
use crate::erase::Bounds;
use crate::medium::{Medium, SECTOR};
use crate::{Failure, Platform, writer};

/// Makes the destination equal to the bytes, and reads it back. Returns whether anything had to be
/// done.
pub(crate) async fn copy<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    buffer: &mut [u8; SECTOR],
    wanted: &Wanted<'_>,
) -> Result<bool, Failure<F::Error>> {
    let mut changed = false;
    for block in wanted.blocks() {
        let states = wanted.look(medium, block).await?;
        let mut erased_to = block.start();
        for (sector, state) in block.chunks(SECTOR_BYTES).zip(states) {
            let at = sector.start();
            if at >= erased_to
                && let Some(unit) = block::erase_at(&states, block, at, true)
            {
                // An erase that failed is repeated when a sector turns out to need it.
                let _ = medium.erase(unit).await;
                changed = true;
                erased_to = unit.end();
            }
            let to_write = match state {
                Sector::Keep | Sector::Free => false,
                Sector::Equal { .. } => at < erased_to,
                Sector::Clear | Sector::Erase => true,
            };
            if let Some(part) = wanted.to.intersection(sector).filter(|_| to_write) {
                changed |= put(medium, buffer, wanted, part).await?;
            }
            platform.alive();
        }
    }
    Ok(changed)
}

/// Writes the part of the destination that is in one sector.
async fn put<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    buffer: &mut [u8; SECTOR],
    wanted: &Wanted<'_>,
    part: Region,
) -> Result<bool, Failure<F::Error>> {
    let Some(bytes) = buffer.get_mut(..part.len_bytes() as usize) else { return Ok(false) };
    wanted.bytes(medium, part, bytes).await?;
    let (erasable, reserved) = (wanted.erasable, wanted.reserved);
    let bounds = Bounds { erasable, reserved, horizon: FlashAddr::ZERO, combine: false };
    writer::put_sector(medium, part.start(), bytes, bounds).await
}
