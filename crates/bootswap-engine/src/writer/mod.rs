//! Writes new contents to one sector with the fewest flash operations.
//!
//! ```text
//!            +--> equal ------------------------------------------> done
//!  compare --+--> bits to clear only --> program pages that differ --> compare
//!            +--> a bit to set       --> erase                     --> compare
//! ```
//!
//! The loop includes the read-back: it ends when flash reads as it should, and a program or erase
//! that failed, with or without an error, is repeated a few times before the sector counts as worn
//! out.
//!
//! # Power-fail safety
//!
//! A cut leaves the sector, or the block that was erased with it, in any mixture of old, erased and
//! new. The next run compares again and repairs it; the old contents are never needed again, or the
//! plan would not have used the sector.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES, is_blank};

use crate::Failure;
use crate::erase::{self, Bounds};
use crate::medium::{Medium, PAGE, len_bytes};

/// How often a sector is erased, and how often programmed, before it counts as worn out.
pub(crate) const ATTEMPTS: u32 = 3;

/// How a sector in flash compares with its new contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Comparison {
    /// It has them already.
    Equal,
    /// The marked pages (bit 0 is the first) have bits to clear and none to set.
    Clear {
        /// Pages to program.
        pages: u16,
    },
    /// At least one bit must be set, which needs an erase.
    Erase,
}

/// Makes the sector at `at` begin with `new`, which is at most a sector; what is after it is not
/// kept. Returns whether anything had to be done for it.
pub(crate) async fn put_sector<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    new: &[u8],
    bounds: Bounds,
) -> Result<bool, Failure<F::Error>> {
    let sector = Region::clamped(at, SECTOR_BYTES);
    let (mut erases, mut programs) = (0, 0);
    let mut last = None;
    loop {
        let (must_go, pages) = match compare(medium, at, new).await? {
            Comparison::Equal => return Ok(erases + programs > 0),
            Comparison::Clear { pages } => (false, pages),
            Comparison::Erase => (true, 0),
        };
        if !bounds.allows(sector) {
            return Err(Failure::InUse { region: sector });
        }
        // A block erase is possible the first time, even if the sector at its start does not need
        // it itself; a repetition is about this sector only.
        let block = match erases + programs {
            0 => erase::block(medium, at, must_go, bounds).await?,
            _ => None,
        };
        let outcome = match block {
            None if must_go && erases < ATTEMPTS => {
                erases += 1;
                medium.erase(sector).await
            }
            None if !must_go && programs < ATTEMPTS => {
                programs += 1;
                program(medium, at, new, pages).await
            }
            None => return Err(last.map_or(Failure::Stuck { sector: at }, Failure::Flash)),
            Some(block) => {
                erases += 1;
                medium.erase(block).await
            }
        };
        if let Err(failure) = outcome {
            last = Some(failure);
        }
    }
}

/// Compares flash from `at` on with `new`, at most a sector.
pub(crate) async fn compare<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    new: &[u8],
) -> Result<Comparison, Failure<F::Error>> {
    let mut old = [0; PAGE];
    let mut pages = 0;
    for (index, new) in new.chunks(PAGE).enumerate() {
        let page = at.saturating_add(PAGE_BYTES * len_index(index));
        medium.read(page, &mut old).await?;
        let mut differs = false;
        for (old, new) in old.iter().zip(new) {
            if old & new != *new {
                return Ok(Comparison::Erase);
            }
            differs |= old != new;
        }
        if differs {
            pages |= 1 << index;
        }
    }
    Ok(if pages == 0 { Comparison::Equal } else { Comparison::Clear { pages } })
}

/// Programs the marked pages.
async fn program<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    new: &[u8],
    pages: u16,
) -> Result<(), crate::FlashFailure<F::Error>> {
    let mut page = [flash_region::ERASED; PAGE];
    for (index, new) in new.chunks(PAGE).enumerate().filter(|(i, _)| pages & (1 << i) != 0) {
        let addr = at.saturating_add(PAGE_BYTES * len_index(index));
        if len_bytes(new) == PAGE_BYTES {
            medium.program(addr, new).await?;
        } else if !is_blank(new) {
            // Drivers need whole words; nothing is programmed after the end.
            page.fill(flash_region::ERASED);
            page.iter_mut().zip(new).for_each(|(to, from)| *to = *from);
            medium.program(addr, &page).await?;
        }
    }
    Ok(())
}

fn len_index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
