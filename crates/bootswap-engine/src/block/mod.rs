//! Chooses the flash operations for a block whose new contents are completely known.
//!
//! ```text
//!   sector:  | equal | equal | bits to clear | bits to set | nothing counts | in use |
//!            '------ look: 16 of them, then the erases that take the least time -----'
//! ```
//!
//! An erase of 32 or 64 KiB is used if it is faster than erasing the sectors that need it,
//! including the pages that must be programmed again because of it; it is not used if a sector is
//! in use.

use bootswap_plan::{Erase, HalfBlock, cheapest_erase};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{BLOCK_64K_BYTES, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES, is_blank};

use crate::FlashFailure;
use crate::erase::Bounds;
use crate::medium::{Medium, PAGE};

/// Sectors of a 64 KiB block, which is compared at once.
pub(crate) const SECTORS: usize = (BLOCK_64K_BYTES / SECTOR_BYTES) as usize;

/// Where the new bytes are staged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bytes<'m> {
    /// In flash, from the start of a sector.
    Flash(FlashAddr),
    /// In memory.
    Memory(&'m [u8]),
}

/// New bytes and their destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'m> {
    /// Where they are staged.
    pub from: Bytes<'m>,
    /// Their destination; starts at a sector.
    pub to: Region,
    /// Whole sectors that may be erased; contains `to`.
    pub erasable: Region,
    /// Whole sectors that are used for something else.
    pub reserved: Option<Region>,
    /// Whole sectors of `to` whose contents do not matter.
    pub gap: Option<Region>,
    /// A sector before `to` that may be erased while it is blank.
    pub unused: Option<Region>,
    /// Whether sectors for which the artifact has only 0xFF stay unchanged.
    pub keep_under_blank: bool,
}

/// What to do with one sector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sector {
    /// Neither written nor erased.
    Keep,
    /// Its contents do not matter: it may be erased along with others.
    Free,
    /// It is correct already; if it is erased along with others, this many pages are written again.
    Equal {
        /// Pages that are not blank.
        pages: u32,
    },
    /// Pages must be programmed, but no erase is needed.
    Clear,
    /// It must be erased.
    Erase,
}

impl Sector {
    /// Whether the sector is not correct yet.
    pub(crate) fn differs(self) -> bool {
        matches!(self, Self::Clear | Self::Erase)
    }
}

impl Wanted<'_> {
    /// All sectors that may be changed, by 64 KiB block.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Region> + use<> {
        let all = self.erasable;
        let reach = match self.unused {
            Some(unused) => Region::new(unused.start().min(all.start()), all.end()).unwrap_or(all),
            None => all,
        };
        reach.chunks(BLOCK_64K_BYTES)
    }

    /// Reads the new contents of `part`, which is in `to`; `out` has the same length.
    pub(crate) async fn bytes<F: NorFlash>(
        &self,
        medium: &mut Medium<'_, F>,
        part: Region,
        out: &mut [u8],
    ) -> Result<(), FlashFailure<F::Error>> {
        let offset = part.start().bytes_since(self.to.start());
        match self.from {
            Bytes::Flash(from) => medium.read(from.saturating_add(offset), out).await,
            Bytes::Memory(bytes) => {
                let waiting = bytes.iter().skip(offset as usize);
                out.iter_mut().zip(waiting).for_each(|(to, from)| *to = *from);
                Ok(())
            }
        }
    }

    /// Compares every sector of a block with its new contents.
    pub(crate) async fn look<F: NorFlash>(
        &self,
        medium: &mut Medium<'_, F>,
        block: Region,
    ) -> Result<[Sector; SECTORS], FlashFailure<F::Error>> {
        let mut states = [Sector::Keep; SECTORS];
        for (state, sector) in states.iter_mut().zip(block.chunks(SECTOR_BYTES)) {
            *state = match self.to.intersection(sector) {
                _ if self.reserved.is_some_and(|reserved| reserved.overlaps(sector)) => {
                    Sector::Keep
                }
                _ if self.gap.is_some_and(|gap| gap.contains_region(sector)) => Sector::Free,
                Some(part) => self.compare(medium, part).await?,
                None if self.erasable.contains_region(sector) => Sector::Free,
                // A blank sector before the bytes' destination can be erased without changing it.
                None if medium.is_blank(sector).await? => Sector::Free,
                None => Sector::Keep,
            };
        }
        Ok(states)
    }

    /// Compares the part of `to` that is in one sector.
    async fn compare<F: NorFlash>(
        &self,
        medium: &mut Medium<'_, F>,
        part: Region,
    ) -> Result<Sector, FlashFailure<F::Error>> {
        let (mut old, mut new) = ([0; PAGE], [0; PAGE]);
        let (mut pages, mut equal, mut clears) = (0, true, true);
        for page in part.chunks(PAGE_BYTES) {
            let len = page.len_bytes() as usize;
            let (Some(old), Some(new)) = (old.get_mut(..len), new.get_mut(..len)) else { continue };
            self.bytes(medium, page, new).await?;
            medium.read(page.start(), old).await?;
            let pairs = || old.iter().zip(new.iter());
            equal &= pairs().all(|(old, new)| old == new);
            clears &= pairs().all(|(old, new)| old & new == *new);
            pages += u32::from(!is_blank(new));
        }
        Ok(match (equal, clears) {
            _ if self.keep_under_blank && pages == 0 => Sector::Keep,
            (true, _) => Sector::Equal { pages },
            (false, true) => Sector::Clear,
            (false, false) => Sector::Erase,
        })
    }
}

/// The fastest erase to use at `addr`, if one is needed there. Without `combine`, sector by sector.
pub(crate) fn erase_at(
    states: &[Sector; SECTORS],
    block: Region,
    addr: FlashAddr,
    combine: bool,
) -> Option<Region> {
    let bounds = Bounds { erasable: block, reserved: None, horizon: block.end(), combine };
    let may_go = |half: &Region| sectors_of(states, block, *half).all(|s| s != Sector::Keep);
    let halves = bounds.halves_at(addr).filter(|(first, _)| may_go(first));
    let erase = halves.map_or(Erase::Sector4K, |(first, second)| {
        let second = second.filter(may_go).map(|half| half_block(states, block, half));
        cheapest_erase(half_block(states, block, first), second)
    });
    let unit = Region::clamped(addr, erase.len_bytes());
    let is_needed = |state| state == Sector::Erase;
    (erase != Erase::Sector4K || sectors_of(states, block, unit).any(is_needed)).then_some(unit)
}

/// What must be done in a 32 KiB block.
fn half_block(states: &[Sector; SECTORS], block: Region, half: Region) -> HalfBlock {
    sectors_of(states, block, half).fold(HalfBlock::default(), |sum, state| match state {
        Sector::Erase => HalfBlock { erases: sum.erases + 1, ..sum },
        Sector::Equal { pages } => HalfBlock { pages_again: sum.pages_again + pages, ..sum },
        Sector::Keep | Sector::Free | Sector::Clear => sum,
    })
}

/// States of the sectors of `part`, which is in `block`.
fn sectors_of(
    states: &[Sector; SECTORS],
    block: Region,
    part: Region,
) -> impl Iterator<Item = Sector> + '_ {
    block
        .chunks(SECTOR_BYTES)
        .zip(states)
        .filter(move |(s, _)| part.contains_region(*s))
        .map(|(_, s)| *s)
}

#[cfg(test)]
mod tests;
