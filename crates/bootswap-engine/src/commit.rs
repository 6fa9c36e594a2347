//! The commit: overwrites what the ROM boots from, in the shortest time that the flash allows.
//!
//! ```text
//!   look   which sectors differ, which erases clear them in the least time     nothing written yet
//!   --- commit window opens ------------------------------------------------------------------
//!   erase  the largest erases that fit
//!   write  every page that is not blank
//!   read   back; what differs is written again, sector by sector, while power lasts
//!   --- commit window closed -----------------------------------------------------------------
//! ```
//!
//! # Power-fail safety
//!
//! This is the only place where losing power leaves a device that does not boot: none of the chips'
//! ROMs has a second bootloader to turn to. Everything was verified before; the window holds erases
//! and programs and nothing else; and nothing in it gives up as long as there is power, since the staged
//! copy is still there.

use bootswap_plan::{Merge, Place, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{
    BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES, is_blank,
};

use crate::erase::{BLOCK_32K_ERASE_US, BLOCK_64K_ERASE_US, PAGE_PROGRAM_US, SECTOR_ERASE_US};
use crate::medium::{Medium, PAGE};
use crate::{Event, Failure, Platform};

/// Sectors of a 64 KiB block, which is what is looked at at once.
const SECTORS: usize = (BLOCK_64K_BYTES / SECTOR_BYTES) as usize;
/// Rounds of writing and reading back before the flash counts as broken. Far more than a flash that
/// can be repaired needs; a bound at all, so that the failure can be told.
const MAX_ROUNDS: u32 = 64;

/// What the commit copies, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    /// Where the staged bytes are.
    pub from: Target,
    /// Where they go.
    pub to: Place,
    /// How they meet what is there.
    pub merge: Merge,
    /// A sector before the destination that may be erased while it is blank.
    pub unused: Option<Region>,
}

/// What is to happen to one sector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sector {
    /// Neither written nor erased.
    Keep,
    /// Nothing in it counts: it may be erased along with others.
    Free,
    /// It holds what it should; if it is erased along with others, so many pages are written again.
    Equal { pages: u32 },
    /// Pages are to be programmed, no erase is needed.
    Clear,
    /// It has to be erased.
    Erase,
}

/// Where the staged bytes are read from.
struct Staged<'m> {
    from: Target,
    memory: &'m [u8],
}

impl Staged<'_> {
    /// Reads a page of the staged bytes; behind their end it is blank.
    async fn page<F: NorFlash>(
        &self,
        medium: &mut Medium<'_, F>,
        offset: u32,
        len_bytes: u32,
        page: &mut [u8; PAGE],
    ) -> Result<(), Failure<F::Error>> {
        page.fill(flash_region::ERASED);
        let part = page.get_mut(..len_bytes.min(PAGE_BYTES) as usize).unwrap_or_default();
        match self.from {
            Target::Flash(place) => {
                medium.read(place.start().saturating_add(offset), page).await?;
                // What lies behind the artifact in its staging place is not part of it.
                page.iter_mut().skip(len_bytes as usize).for_each(|byte| *byte = flash_region::ERASED);
            }
            Target::Memory { .. } => {
                let at = offset as usize;
                let staged = self.memory.get(at..at.saturating_add(part.len()));
                part.copy_from_slice(staged.ok_or(Failure::Plan("the staged bytes left memory"))?);
            }
        }
        Ok(())
    }
}

/// Whether the destination holds the staged bytes already.
pub(crate) async fn holds<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    memory: &[u8],
    commit: &Commit,
) -> Result<bool, Failure<F::Error>> {
    let staged = Staged { from: commit.from, memory };
    Ok(differing(medium, &staged, commit).await?.is_none())
}

/// Writes the staged bytes over the destination and reads them back.
pub(crate) async fn commit<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    memory: &[u8],
    commit: &Commit,
) -> Result<(), Failure<F::Error>> {
    let staged = Staged { from: commit.from, memory };
    let mut sectors = 0;
    for block in reach(commit).chunks(BLOCK_64K_BYTES) {
        let states = look(medium, &staged, commit, block).await?;
        let differ = states.iter().filter(|s| matches!(s, Sector::Erase | Sector::Clear)).count();
        sectors += u32::try_from(differ).unwrap_or(0);
    }
    platform.before_commit().await.map_err(Failure::Veto)?;
    platform.event(&Event::Committing { region: commit.to.region, sectors });

    let mut round = 0;
    loop {
        // Errors are no reason to stop here: reading back tells what they left, and stopping would
        // leave half a bootloader.
        let written = write(medium, &staged, commit, round == 0).await;
        match differing(medium, &staged, commit).await {
            Ok(None) => {
                platform.event(&Event::Committed);
                return Ok(());
            }
            Ok(Some(at)) if round == MAX_ROUNDS => return Err(Failure::Commit { at }),
            Err(_) if round == MAX_ROUNDS => return Err(Failure::Commit { at: commit.to.start() }),
            _ => {}
        }
        let _ = written;
        round += 1;
        platform.event(&Event::Repairing { round });
        platform.alive();
    }
}

/// Whole sectors that the commit looks at: what it may erase, and the unused sector before it.
fn reach(commit: &Commit) -> Region {
    let all = commit.to.erasable;
    match commit.unused {
        Some(unused) => Region::new(unused.start().min(all.start()), all.end()).unwrap_or(all),
        None => all,
    }
}

/// One pass over the destination. The first time erases are combined; a repair is sector by sector.
async fn write<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    staged: &Staged<'_>,
    commit: &Commit,
    combine: bool,
) -> Result<(), Failure<F::Error>> {
    let mut outcome = Ok(());
    for block in reach(commit).chunks(BLOCK_64K_BYTES) {
        let states = look(medium, staged, commit, block).await?;
        let mut addr = block.start();
        while addr < block.end() {
            let unit = if combine { unit(&states, block, addr) } else { single(&states, block, addr) };
            if let Some(unit) = unit {
                outcome = medium.erase(unit).await.map_err(Failure::Flash).and(outcome);
                addr = unit.end();
            } else {
                addr = addr.saturating_add(SECTOR_BYTES);
            }
        }
        outcome = program(medium, staged, commit, block).await.and(outcome);
    }
    outcome
}

/// Programs every page of the block that does not read as it should and has no bit to set.
async fn program<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    staged: &Staged<'_>,
    commit: &Commit,
    block: Region,
) -> Result<(), Failure<F::Error>> {
    let (mut old, mut new) = ([0; PAGE], [0; PAGE]);
    let mut outcome = Ok(());
    let Some(part) = commit.to.region.intersection(block) else { return Ok(()) };
    for page in part.chunks(PAGE_BYTES) {
        let offset = page.start().bytes_since(commit.to.start());
        staged.page(medium, offset, page.len_bytes(), &mut new).await?;
        if is_blank(&new) {
            continue;
        }
        medium.read(page.start(), &mut old).await?;
        let clears = old.iter().zip(&new).all(|(old, new)| old & new == *new);
        if clears && old != new {
            outcome = medium.program(page.start(), &new).await.map_err(Failure::Flash).and(outcome);
        }
    }
    outcome
}

/// The first address of the destination that does not read as it should.
async fn differing<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    staged: &Staged<'_>,
    commit: &Commit,
) -> Result<Option<FlashAddr>, Failure<F::Error>> {
    for block in reach(commit).chunks(BLOCK_64K_BYTES) {
        let states = look(medium, staged, commit, block).await?;
        for (sector, state) in block.chunks(SECTOR_BYTES).zip(states) {
            if matches!(state, Sector::Erase | Sector::Clear) {
                return Ok(Some(sector.start()));
            }
        }
    }
    Ok(None)
}

/// Compares every sector of a block with what it should hold.
async fn look<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    staged: &Staged<'_>,
    commit: &Commit,
    block: Region,
) -> Result<[Sector; SECTORS], Failure<F::Error>> {
    let mut states = [Sector::Keep; SECTORS];
    for (state, sector) in states.iter_mut().zip(block.chunks(SECTOR_BYTES)) {
        *state = match commit.to.region.intersection(sector) {
            Some(part) => look_at(medium, staged, commit, part).await?,
            // Behind the artifact nothing counts, before it what is blank does not.
            None if commit.to.erasable.contains_region(sector) => Sector::Free,
            None if medium.is_blank(sector).await? => Sector::Free,
            None => Sector::Keep,
        };
    }
    Ok(states)
}

/// Compares the part of the destination that lies in one sector.
async fn look_at<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    staged: &Staged<'_>,
    commit: &Commit,
    part: Region,
) -> Result<Sector, Failure<F::Error>> {
    let (mut old, mut new) = ([0; PAGE], [0; PAGE]);
    let (mut pages, mut equal, mut clears, mut blank) = (0, true, true, true);
    for page in part.chunks(PAGE_BYTES) {
        let offset = page.start().bytes_since(commit.to.start());
        staged.page(medium, offset, page.len_bytes(), &mut new).await?;
        medium.read(page.start(), &mut old).await?;
        let counts = page.len_bytes() as usize;
        let pairs = || old.iter().zip(&new).take(counts);
        equal &= pairs().all(|(old, new)| old == new);
        clears &= pairs().all(|(old, new)| old & new == *new);
        if !is_blank(&new) {
            pages += 1;
            blank = false;
        }
    }
    Ok(match commit.merge {
        Merge::KeepUnderBlank if blank => Sector::Keep,
        _ if equal => Sector::Equal { pages },
        _ if clears => Sector::Clear,
        _ => Sector::Erase,
    })
}

/// The erase to use at `addr`: the largest that costs less than the sectors that need it one by one.
fn unit(states: &[Sector; SECTORS], block: Region, addr: FlashAddr) -> Option<Region> {
    let candidates =
        [(BLOCK_64K_BYTES, BLOCK_64K_ERASE_US), (BLOCK_32K_BYTES, BLOCK_32K_ERASE_US)];
    for (len_bytes, erase_us) in candidates {
        let unit = Region::clamped(addr, len_bytes);
        if !addr.is_aligned(len_bytes) || !block.contains_region(unit) {
            continue;
        }
        let inside = || sectors_of(states, block, unit);
        if inside().any(|state| state == Sector::Keep) {
            continue;
        }
        let rewritten: u32 = inside().map(|s| if let Sector::Equal { pages } = s { pages } else { 0 }).sum();
        let single = alone_us(states, block, unit, len_bytes);
        if erase_us + rewritten * PAGE_PROGRAM_US < single {
            return Some(unit);
        }
    }
    single(states, block, addr)
}

/// What clearing the unit costs without this erase: sector by sector, or by halves.
fn alone_us(states: &[Sector; SECTORS], block: Region, unit: Region, len_bytes: u32) -> u32 {
    let by_sectors = |part| {
        let erases = sectors_of(states, block, part).filter(|&s| s == Sector::Erase).count();
        u32::try_from(erases).unwrap_or(0) * SECTOR_ERASE_US
    };
    if len_bytes == BLOCK_64K_BYTES {
        unit.chunks(BLOCK_32K_BYTES).map(|half| by_sectors(half).min(BLOCK_32K_ERASE_US)).sum()
    } else {
        by_sectors(unit)
    }
}

/// The sector at `addr`, if it has to be erased.
fn single(states: &[Sector; SECTORS], block: Region, addr: FlashAddr) -> Option<Region> {
    let sector = Region::clamped(addr, SECTOR_BYTES);
    sectors_of(states, block, sector).next().filter(|&s| s == Sector::Erase).map(|_| sector)
}

/// States of the sectors of `part`, which lies in `block`.
fn sectors_of(
    states: &[Sector; SECTORS],
    block: Region,
    part: Region,
) -> impl Iterator<Item = Sector> + '_ {
    block.chunks(SECTOR_BYTES).zip(states).filter(move |(s, _)| part.contains_region(*s)).map(|(_, s)| *s)
}
