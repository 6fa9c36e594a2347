//! The check before the first step: what a plan must never do.
//!
//! The planner makes no such plan. But one mistake here would brick a device, so it is checked once
//! more that the running code, what the device boots from and the journal are safe.

use bootswap_plan::{DeviceFacts, MAX_ARTIFACTS, Place, Plan, Route, Step, Target};
use flash_region::{Region, SECTOR_BYTES};

use crate::{PlanError, StepFault};

/// Most artifacts that one commit window takes: all of them.
pub(crate) const MAX_COMMITS: usize = MAX_ARTIFACTS;

/// What the steps of a plan are checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate<'j> {
    pub plan: &'j Plan,
    pub facts: &'j DeviceFacts<'j>,
    pub memory_len_bytes: usize,
}

impl Gate<'_> {
    /// Checks that the journal, if there is one, is a sector that nothing else needs.
    pub(super) fn check_journal(&self) -> Result<(), PlanError> {
        match self.plan.journal {
            Some(sector)
                if !is_sector(sector)
                    || self.is_vital(sector)
                    || sector.overlaps(self.facts.running_image())
                    || !self.reaches(sector) =>
            {
                Err(PlanError::Journal { sector })
            }
            _ => Ok(()),
        }
    }

    /// Checks that a step changes only what it may change.
    pub(super) fn check(&self, index: usize, step: &Step) -> Result<(), StepFault> {
        self.check_order(index, step)?;
        match step {
            Step::Fetch { routes, .. } => self.check_routes(routes),
            Step::Copy { to, .. } | Step::CopySelf { to, .. } => self.check_place(to),
            Step::Clean { erasable, .. }
            | Step::CleanScratch { erasable, .. }
            | Step::CleanHeader { erasable, .. } => self.check_erase(*erasable, None),
            Step::Commit { to, .. } => {
                let whole = is_whole(to);
                let free = !to.erasable.overlaps(self.facts.running_image());
                let good = whole && free;
                good.then_some(()).ok_or(StepFault::CommitPlace)?;
                self.reaches(to.erasable).then_some(()).ok_or(StepFault::OutOfReach)
            }
            Step::Host { otadata, .. } => {
                let is_there = self.facts.otadata() == Some(*otadata);
                is_there.then_some(()).ok_or(StepFault::CommitPlace)
            }
            Step::Verify { .. }
            | Step::Confirm { .. }
            | Step::Select { .. }
            | Step::Reset
            | Step::ResetIntoCopy => Ok(()),
        }
    }

    fn check_order(&self, index: usize, step: &Step) -> Result<(), StepFault> {
        let (mut commits, mut fetched) = (0, step.artifact().is_none());
        for before in self.plan.steps.iter().take(index) {
            commits += usize::from(before.is_commit());
            fetched |= matches!(before, Step::Fetch { .. }) && before.artifact() == step.artifact();
        }
        let is_last = step.is_commit() || matches!(step, Step::Reset);
        if commits > 0 && !is_last {
            return Err(StepFault::AfterCommit);
        }
        if commits == MAX_COMMITS && step.is_commit() {
            return Err(StepFault::TooManyCommits);
        }
        // The length of a fetched artifact is known.
        let is_fetch = matches!(step, Step::Fetch { .. });
        if fetched || is_fetch { Ok(()) } else { Err(StepFault::NotFetched) }
    }

    fn check_routes(&self, routes: &[Route]) -> Result<(), StepFault> {
        let mut next = Some(0);
        for route in routes {
            if next != Some(route.file_offset) || !route.file_offset.is_multiple_of(SECTOR_BYTES) {
                return Err(StepFault::Gap);
            }
            next = route.file_offset.checked_add(route.to.len_bytes());
            match route.to {
                Target::Memory { len_bytes } if len_bytes as usize > self.memory_len_bytes => {
                    return Err(StepFault::Memory);
                }
                Target::Memory { .. } => {}
                Target::Flash(place) => self.check_place(&place)?,
            }
        }
        Ok(())
    }

    fn check_place(&self, place: &Place) -> Result<(), StepFault> {
        if !is_whole(place) {
            return Err(StepFault::PartialSector);
        }
        self.check_erase(place.erasable, place.reserved)
    }

    fn check_erase(&self, erasable: Region, reserved: Option<Region>) -> Result<(), StepFault> {
        let guarded =
            |region: Region| reserved.is_some_and(|reserved| reserved.contains_region(region));
        if self.plan.journal.is_some_and(|sector| sector.overlaps(erasable) && !guarded(sector)) {
            return Err(StepFault::OverJournal);
        }
        let running = self.facts.running_image();
        let running = running.align_out(SECTOR_BYTES).unwrap_or(running);
        if self.is_vital(erasable) || (running.overlaps(erasable) && !guarded(running)) {
            return Err(StepFault::OverBoot);
        }
        if !self.reaches(erasable) {
            return Err(StepFault::OutOfReach);
        }
        Ok(())
    }

    /// Whether an operation there affects that address and no other.
    fn reaches(&self, region: Region) -> bool {
        self.facts.reachable().contains_region(region)
    }

    /// Whether the region contains something from which the device boots the migrator before the
    /// commit.
    fn is_vital(&self, region: Region) -> bool {
        let facts = self.facts;
        let table = facts.table();
        let boot = Region::new(facts.chip.bootloader_addr(), table.end()).unwrap_or(table);
        let otadata = facts.partitions.iter().filter(|p| p.is_otadata()).map(|p| p.region);
        let mut vital = [boot].into_iter().chain(otadata);
        vital.any(|vital| vital.overlaps(region))
    }
}

/// Whether a place begins at a sector, and erasing its whole sectors erases all of it.
fn is_whole(place: &Place) -> bool {
    place.region.start().is_aligned(SECTOR_BYTES)
        && place.erasable.is_aligned(SECTOR_BYTES)
        && place.erasable.contains_region(place.region)
}

fn is_sector(region: Region) -> bool {
    region.is_aligned(SECTOR_BYTES) && region.len_bytes() == SECTOR_BYTES
}
