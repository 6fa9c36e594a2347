//! Copies what lies in flash already to another place, with the fewest operations.
//!
//! # Power-fail safety
//!
//! What is copied stays where it was. A cut leaves the destination in any mixture of old, erased
//! and new; comparing the two again is all it takes to go on.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::block::{self, Sector, Wanted};
use crate::erase::Bounds;
use crate::medium::{Medium, SECTOR};
use crate::{Failure, Platform, writer};

/// Brings the destination to hold the bytes, and reads them back. Says whether anything had to be
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
                // An erase that fails is repeated where a sector turns out to need it.
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

/// Writes the part of the destination that lies in one sector.
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
