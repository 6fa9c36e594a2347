//! The commit: overwrites what the ROM boots from, in the shortest time that the flash allows.
//!
//! ```text
//!   look   which sectors differ, which erases clear them in the least time     nothing written yet
//!   --- commit window opens ------------------------------------------------------------------
//!   erase  the largest erases that fit
//!   write  every page that is not blank
//!   --- commit window closes -----------------------------------------------------------------
//!   read   back, byte by byte and by the digest; what differs is written again, sector by sector,
//!          which opens the window once more
//! ```
//!
//! # Power-fail safety
//!
//! This is the only place where a loss of power leaves a device that does not boot: none of the
//! chips' ROMs has a second bootloader to fall back to. Everything was verified before. The window
//! contains only erases, programs and the reads that these need. No error of the flash ends it,
//! since the bytes are still staged where they were verified, and a device that is reset in between
//! would not boot.

use bootswap_plan::Artifact;
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES, is_blank};
use sha2::{Digest, Sha256};

use crate::block::{self, SECTORS, Sector, Wanted};
use crate::medium::{Medium, PAGE, SECTOR};
use crate::scan::head;
use crate::{Event, Failure, FlashFailure, Platform};

/// Rounds of writing and reading back before the flash counts as broken. This is far more than
/// repairable flash needs; there is a limit only so that the failure can be reported.
const MAX_ROUNDS: u32 = 64;

/// One artifact that the commit writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit<'a> {
    /// What it is.
    pub artifact: &'a Artifact<'a>,
    /// The start of its SHA-256, if the migration does not name it.
    pub digest: Option<[u8; 4]>,
    /// The part that is staged for the commit, and its destination.
    pub wanted: Wanted<'a>,
    /// Where the rest of it is already; empty if there is none.
    pub rest: Region,
    /// Start and end of the padding in the file; the contents of flash do not matter there.
    pub padding: Option<(u32, u32)>,
    /// Sectors that differ, according to the comparison before the window.
    pub sectors: u32,
}

/// Result of the comparison before the window, for the first block in which something differs.
#[derive(Clone, Copy, Debug)]
struct Look {
    block: Region,
    states: [Sector; SECTORS],
}

/// Writes all of the artifacts to their destinations and reads them back.
///
/// # Errors
///
/// Before the window: errors of the flash or of the platform; nothing was changed then. From its
/// first erase on, only [`Failure::Commit`].
pub(crate) async fn commit<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    buffer: &mut [u8; SECTOR],
    commits: &mut [Commit<'_>],
) -> Result<(), Failure<F::Error>> {
    let mut first = None;
    for Commit { wanted, sectors, .. } in commits.iter_mut() {
        for block in wanted.blocks() {
            let states = wanted.look(medium, block).await?;
            let differ = states.iter().map(|state| u32::from(state.differs())).sum::<u32>();
            if first.is_none() && differ > 0 {
                first = Some(Look { block, states });
            }
            *sectors += differ;
        }
    }
    let Some(first) = first else {
        platform.event(&Event::Holds);
        return Ok(());
    };
    platform.before_commit().await.map_err(Failure::Veto)?;
    for Commit { wanted, sectors, .. } in commits.iter().filter(|commit| commit.sectors > 0) {
        platform.event(&Event::Committing { region: wanted.to, sectors: *sectors });
    }

    let mut round = 0;
    loop {
        for Commit { wanted, .. } in commits.iter() {
            write(medium, buffer, wanted, (round == 0).then_some(&first)).await;
        }
        let Some(at) = wrong(medium, buffer, commits).await else {
            platform.event(&Event::Committed);
            return Ok(());
        };
        if round == MAX_ROUNDS {
            return Err(Failure::Commit { at });
        }
        round += 1;
        platform.event(&Event::Repairing { round });
        platform.alive();
    }
}

/// One pass over a destination. In the first pass, erases are combined according to the comparison
/// before the window; a repair goes sector by sector. An error does not stop it: reading back shows
/// what it left.
async fn write<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    buffer: &mut [u8; SECTOR],
    wanted: &Wanted<'_>,
    first: Option<&Look>,
) {
    for block in wanted.blocks() {
        let states = match first.filter(|look| look.block == block) {
            Some(look) => look.states,
            None => match wanted.look(medium, block).await {
                Ok(states) => states,
                Err(_) => continue,
            },
        };
        let (mut erased_to, mut erased) = (block.start(), false);
        for (sector, state) in block.chunks(SECTOR_BYTES).zip(states) {
            let at = sector.start();
            if at >= erased_to
                && let Some(unit) = block::erase_at(&states, block, at, first.is_some())
            {
                erased = medium.erase(unit).await.is_ok();
                erased_to = unit.end();
            }
            let blank = erased && at < erased_to;
            let to_write = state.differs() || (blank && matches!(state, Sector::Equal { .. }));
            if let Some(part) = wanted.to.intersection(sector).filter(|_| to_write) {
                write_sector(medium, buffer, wanted, part, blank).await;
            }
        }
    }
}

/// Programs the new contents of one sector; `blank` says that it was just erased.
async fn write_sector<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    buffer: &mut [u8; SECTOR],
    wanted: &Wanted<'_>,
    part: Region,
    blank: bool,
) {
    let Some(bytes) = buffer.get_mut(..part.len_bytes() as usize) else { return };
    if wanted.bytes(medium, part, bytes).await.is_err() {
        return;
    }
    for (page, new) in part.chunks(PAGE_BYTES).zip(bytes.chunks(PAGE)) {
        if is_blank(new) {
            continue;
        }
        let mut old = [ERASED; PAGE];
        if !blank && medium.read(page.start(), &mut old).await.is_err() {
            continue;
        }
        let clears = old.iter().zip(new).all(|(old, new)| old & new == *new);
        if clears && old.iter().zip(new).any(|(old, new)| old != new) {
            // Drivers need whole words; what is after the part stays unchanged.
            old.iter_mut().zip(new).for_each(|(old, new)| *old = *new);
            let _ = medium.program(page.start(), &old).await;
        }
    }
}

/// The first address at which something is wrong, even if it only cannot be read.
async fn wrong<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    buffer: &mut [u8; SECTOR],
    commits: &[Commit<'_>],
) -> Option<FlashAddr> {
    for commit in commits {
        let wanted = &commit.wanted;
        for block in wanted.blocks() {
            let Ok(states) = wanted.look(medium, block).await else { return Some(block.start()) };
            let mut pairs = block.chunks(SECTOR_BYTES).zip(states);
            if let Some((sector, _)) = pairs.find(|(_, state)| state.differs()) {
                return Some(sector.start());
            }
        }
        // The comparison assumes that the staged bytes read as they did when they were verified;
        // the digest does not.
        match digest(medium, buffer, commit).await {
            Ok(sha256) if is_digest_of(commit, &sha256) => {}
            _ => return Some(wanted.to.start()),
        }
    }
    None
}

fn is_digest_of(commit: &Commit<'_>, sha256: &[u8; 32]) -> bool {
    match (commit.artifact.sha256, commit.digest) {
        (Some(wanted), _) => wanted == *sha256,
        (None, Some(begin)) => begin == head(sha256),
        (None, None) => true,
    }
}

/// The digest of the artifact as it is in its regions. Gaps of a merged image and padding count as
/// the 0xFF that the file has there.
async fn digest<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    buffer: &mut [u8; SECTOR],
    commit: &Commit<'_>,
) -> Result<[u8; 32], FlashFailure<F::Error>> {
    let mut sha256 = Sha256::new();
    let mut offset = 0;
    let mut is_padding = |part: Region| {
        let first = offset;
        offset += part.len_bytes();
        commit.padding.is_some_and(|padding| padding.0 <= first && offset <= padding.1)
    };
    for part in commit.wanted.to.chunks(SECTOR_BYTES) {
        let Some(bytes) = buffer.get_mut(..part.len_bytes() as usize) else { continue };
        if is_padding(part) {
            bytes.fill(ERASED);
            sha256.update(bytes);
            continue;
        }
        bytes.fill(0);
        if commit.wanted.keep_under_blank {
            commit.wanted.bytes(medium, part, bytes).await?;
        }
        if !is_blank(bytes) {
            medium.read(part.start(), bytes).await?;
        }
        sha256.update(bytes);
    }
    for part in commit.rest.chunks(SECTOR_BYTES) {
        let Some(bytes) = buffer.get_mut(..part.len_bytes() as usize) else { continue };
        if is_padding(part) {
            bytes.fill(ERASED);
        } else {
            medium.read(part.start(), bytes).await?;
        }
        sha256.update(bytes);
    }
    Ok(sha256.finalize().into())
}

#[cfg(test)]
mod tests;
