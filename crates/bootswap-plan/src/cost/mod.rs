//! What a plan costs: flash operations, and their duration on a chip.
//!
//! ```text
//!   step --> runs of sectors to be written --+--> erases, chosen by the engine's rule --> Cost
//!                                            '--> pages
//! ```
//!
//! It is an upper estimate for a device that is not interrupted, derived from the plan alone:
//!
//! - everything that is overwritten is assumed to be full of old data. What is blank already, or
//!   already correct, costs less. Flash costs more in only one case: the first sectors of a block
//!   are already correct and the later ones are not. The engine does not know in advance what comes
//!   over the network, so it cannot know that erasing the block takes less time;
//! - every page of an artifact counts as programmed, although blank ones are skipped. The padding
//!   of an MCUboot image whose length is known does not count: the engine does not write it;
//! - reads and the network are left out.
//!
//! What MCUboot does after the reset is counted separately, in `swap.rs`: it is known exactly.

mod count;
mod erases;
mod swap;

use flash_region::{FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};

pub use self::count::Cost;
use self::erases::{Erases, clean, commit_erases, sectors};
use crate::erase::CHECKPOINT_BYTES;
use crate::migration::{Artifact, Content, Migration};
use crate::step::{App, ArtifactIndex, Merge, Place, Plan, Route, Step, Target};

/// Bytes at the end of an MCUboot image whose length the engine learns only when they arrive: its
/// unprotected TLVs. A hash, a hash of the key and an RSA-3072 signature take 464.
const LATE_TLV_BYTES: u32 = 1024;

/// Estimates the cost of the plans of one migration.
#[derive(Clone, Copy, Debug)]
pub struct CostModel<'a> {
    migration: &'a Migration<'a>,
    unused_is_blank: bool,
}

impl<'a> CostModel<'a> {
    /// A model of plans for `migration`, on a device whose unused sector before the bootloader is
    /// blank ([`Step::Commit::unused`]), which it is unless something was written there.
    #[must_use]
    pub const fn new(migration: &'a Migration<'a>) -> Self {
        Self { migration, unused_is_blank: true }
    }

    /// The same, on a device where that sector is not blank. The commit then leaves it alone and
    /// must erase the sectors beside it one by one.
    #[must_use]
    pub const fn with_unused_written(self) -> Self {
        Self { unused_is_blank: false, ..self }
    }

    /// The whole plan up to the reset, journal included.
    #[must_use]
    pub fn plan(&self, plan: &Plan) -> Cost {
        self.journal(plan) + plan.steps.iter().map(|step| self.step(step)).sum()
    }

    /// What MCUboot does after the reset until it starts the application; [`Cost::NONE`] for
    /// another bootloader, which is not known.
    #[must_use]
    pub fn swap(&self, plan: &Plan) -> Cost {
        swap::swapped_in(self.migration, plan)
    }

    /// The commit window: every [`Step::Commit`], and no operation where the old bootloader stays
    /// ([`Step::Host`]); `None` for a plan without either.
    #[must_use]
    pub fn commit_window(&self, plan: &Plan) -> Option<Cost> {
        let mut commits = plan.steps.iter().filter(|step| step.is_commit()).peekable();
        commits.peek()?;
        // While otadata is written, one of its two entries is always good.
        let open = commits.filter(|step| matches!(step, Step::Commit { .. }));
        Some(open.map(|step| self.step(step)).sum())
    }

    /// One step, without the journal's records during it.
    #[must_use]
    pub fn step(&self, step: &Step) -> Cost {
        match step {
            Step::Select { app: App::Ota { .. }, .. } | Step::Host { app: App::Ota { .. }, .. } => {
                Cost { erase_4k: 1, pages: 1, ..Cost::NONE }
            }
            Step::Select { app: App::Factory, .. } | Step::Host { app: App::Factory, .. } => {
                Cost::sectors(2)
            }
            Step::CopySelf { to, .. } => put_run(to, to.region, to.region.end()),
            Step::Fetch { artifact, routes } => {
                self.in_flash(*artifact, routes).map(|(place, parts)| parts.put(&place)).sum()
            }
            Step::Copy { artifact, from, to } => {
                let region = to.region.prefix(from.len_bytes());
                self.parts(self.artifact(*artifact), to, region).put(to)
            }
            Step::Clean { region, erasable, .. } => clean(*region, *erasable),
            Step::CleanScratch { scratch, erasable } => {
                clean(scratch.suffix(SECTOR_BYTES), *erasable)
            }
            Step::CleanHeader { slot, erasable } => clean(slot.prefix(SECTOR_BYTES), *erasable),
            // The flag, then the magic that makes it valid.
            Step::Confirm { .. } => Cost::pages(2),
            Step::Commit { to, merge, unused, .. } => {
                let pages = to.region.len_bytes().div_ceil(PAGE_BYTES);
                let erases = match merge {
                    Merge::Exact => commit_erases(to, *unused, self.unused_is_blank),
                    // A block that contains a gap must not be erased as a whole, and it is not
                    // known here where the gaps are.
                    Merge::KeepUnderBlank => Cost::sectors(sectors(to.region)),
                };
                erases + Cost::pages(pages)
            }
            Step::Verify { .. } | Step::Reset | Step::ResetIntoCopy => Cost::NONE,
        }
    }

    /// What the journal records while the plan is carried out.
    #[must_use]
    pub fn journal(&self, plan: &Plan) -> Cost {
        if plan.journal.is_none() {
            return Cost::NONE;
        }
        // The attempt; the sector has room for all following records, so it is erased once.
        let mut pages = 1;
        for step in &plan.steps {
            let Step::Fetch { artifact, routes } = step else { continue };
            let noted: u32 = self.in_flash(*artifact, routes).map(|(_, parts)| parts.noted()).sum();
            pages += noted + 1;
        }
        Cost { erase_4k: 1, pages, ..Cost::NONE }
    }

    fn artifact(&self, index: ArtifactIndex) -> Option<&'a Artifact<'a>> {
        self.migration.artifacts.get(usize::from(index.0))
    }

    /// The flash regions that an artifact is fetched to, and what is written there.
    fn in_flash<'r>(
        &self,
        index: ArtifactIndex,
        routes: &'r [Route],
    ) -> impl Iterator<Item = (Place, Parts)> + use<'r, 'a> {
        let (model, artifact) = (*self, self.artifact(index));
        routes.iter().filter_map(move |route| {
            let Target::Flash(place) = route.to else { return None };
            let rest = artifact?.len_bytes.map(|len| len.saturating_sub(route.file_offset));
            let region = rest.map_or(place.region, |rest| place.region.prefix(rest));
            Some((place, model.parts(artifact, &place, region)))
        })
    }

    /// Divides the contents of `region` into what is written and what is padding.
    fn parts(&self, artifact: Option<&Artifact<'_>>, place: &Place, region: Region) -> Parts {
        let tail = Region::clamped(region.end(), 0);
        let whole = Parts { first: region, tail, all: region, is_image: false };
        let content = artifact.and_then(|artifact| artifact.content);
        let (Some(slot), Some(Content::Mcuboot { image_len_bytes, padded, .. })) =
            (place.slot, content)
        else {
            return whole;
        };
        let Some(layout) = self.migration.mcuboot.and_then(|map| map.trailer(slot)) else {
            return whole;
        };
        let first = region.prefix(image_len_bytes);
        let padding = first.end().align_up(SECTOR_BYTES).unwrap_or(first.end());
        let tail = region.from(padding.max(layout.trailer().start().align_down(SECTOR_BYTES)));
        // What follows the image in a padded file is not fetched if there is a digest: the engine
        // computes it, and the digest proves it.
        let made_up = padded && artifact.is_some_and(|a| a.sha256.is_some());
        Parts { first, tail, all: if made_up { first } else { region }, is_image: true }
    }
}

/// The parts of an artifact that are written to one region.
#[derive(Clone, Copy, Debug)]
struct Parts {
    /// From the region's start: all of it, or up to the end of an MCUboot image.
    first: Region,
    /// The sectors with MCUboot's trailer at the end of a padded image; otherwise empty.
    tail: Region,
    /// What is fetched, whether it is written or not.
    all: Region,
    /// Whether `first` is an MCUboot image.
    is_image: bool,
}

impl Parts {
    /// Checkpoints during the fetch.
    fn noted(&self) -> u32 {
        sectors(self.all).div_ceil(CHECKPOINT_BYTES / SECTOR_BYTES)
    }

    fn put(&self, place: &Place) -> Cost {
        let end = self.first.end();
        let mut cost = put_run(place, self.first, end);
        let last = end.align_down(SECTOR_BYTES);
        if self.is_image && end.bytes_since(last) <= LATE_TLV_BYTES {
            // The engine may have chosen its erases as if the image ended before the last sector.
            // Then it clears that sector separately.
            let late = put_run(place, self.first, last);
            cost += if late == cost { Cost::NONE } else { Cost::sectors(1) };
        }
        if !self.tail.is_empty() {
            // Only the fields, all of them in one page, are not blank there.
            cost += Erases::new(place).run(self.tail, place.region.end()).cost + Cost::pages(1);
        }
        cost
    }
}

/// Writes new contents to a run of sectors. Nothing is known about what follows after `horizon`.
fn put_run(place: &Place, run: Region, horizon: FlashAddr) -> Cost {
    Erases::new(place).run(run, horizon).cost + Cost::pages(run.len_bytes().div_ceil(PAGE_BYTES))
}

#[cfg(test)]
mod tests;
