//! What one step of a plan needs.

use bootswap_plan::{ArtifactIndex, Purpose, Route, Step};
use flash_region::Region;
use mcuboot_format::trailer::TrailerLayout;

use crate::item::Placed;
use crate::job::Job;
use crate::routes::slot_place;
use crate::{PlanError, StepFault};

/// The position of a step in the plan, from which it looks up what it needs.
///
/// The check, which runs before the first step, has found everything that is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'j> {
    pub(super) job: &'j Job<'j>,
    pub(super) index: usize,
}

impl<'j> At<'j> {
    /// Looks up everything that the step needs.
    pub(super) fn check(&self, step: &'j Step) -> Result<(), PlanError> {
        match step {
            Step::Fetch { artifact, routes } => {
                self.placed(*artifact, routes)?;
                self.end_elsewhere(*artifact)?;
            }
            Step::Verify { artifact, routes } => {
                self.placed(*artifact, routes)?;
            }
            Step::Copy { artifact, .. }
            | Step::Commit { artifact, .. }
            | Step::Host { artifact, .. } => {
                self.end(*artifact)?;
            }
            Step::Confirm { slot } => {
                self.trailer(*slot)?;
                self.in_slot(*slot)?;
            }
            Step::CleanScratch { scratch, .. } => {
                self.scratch_trailer(*scratch)?;
            }
            Step::Select { .. }
            | Step::CopySelf { .. }
            | Step::Clean { .. }
            | Step::CleanHeader { .. }
            | Step::Reset
            | Step::ResetIntoCopy => {}
        }
        Ok(())
    }

    /// An artifact with these regions.
    pub(crate) fn placed(
        &self,
        index: ArtifactIndex,
        routes: &'j [Route],
    ) -> Result<Placed<'j>, PlanError> {
        match self.job.migration.artifacts.get(usize::from(index.0)) {
            Some(artifact) => Ok(Placed { index, artifact, routes }),
            None => Err(self.error(StepFault::UnknownArtifact)),
        }
    }

    /// The artifact in the regions in which it is finally verified.
    pub(crate) fn end(&self, wanted: ArtifactIndex) -> Result<Placed<'j>, PlanError> {
        self.verified(&|artifact, _| artifact == wanted)
    }

    /// The same for an artifact that is copied there from where it was fetched to.
    pub(crate) fn end_elsewhere(
        &self,
        wanted: ArtifactIndex,
    ) -> Result<Option<Placed<'j>>, PlanError> {
        let is_copy =
            |step: &Step| matches!(step, Step::Copy { artifact, .. } if *artifact == wanted);
        let is_copied = self.job.plan.steps.iter().any(is_copy);
        if is_copied { self.end(wanted).map(Some) } else { Ok(None) }
    }

    /// The artifact that is verified in this slot.
    pub(crate) fn in_slot(&self, slot: Region) -> Result<Placed<'j>, PlanError> {
        self.verified(&|_, routes| slot_place(routes).and_then(|place| place.slot) == Some(slot))
    }

    /// The first verified artifact that matches.
    fn verified(
        &self,
        is_wanted: &dyn Fn(ArtifactIndex, &[Route]) -> bool,
    ) -> Result<Placed<'j>, PlanError> {
        for step in &self.job.plan.steps {
            if let Step::Verify { artifact, routes } = step
                && is_wanted(*artifact, routes)
            {
                return self.placed(*artifact, routes);
            }
        }
        Err(self.error(StepFault::NotVerified))
    }

    /// The trailer at the end of a region, if the migrator itself writes it later.
    pub(crate) fn own_trailer(&self, region: Region, purpose: Purpose) -> Option<TrailerLayout> {
        let map = self.job.migration.mcuboot.as_ref().filter(|_| purpose == Purpose::OwnTrailer);
        map?.trailer_ending(region.end())
    }

    /// The trailer of a slot.
    pub(crate) fn trailer(&self, slot: Region) -> Result<TrailerLayout, PlanError> {
        let map = self.job.migration.mcuboot.as_ref();
        map.and_then(|map| map.trailer(slot)).ok_or(self.error(StepFault::NoTrailer))
    }

    /// The trailer of the scratch area.
    pub(crate) fn scratch_trailer(&self, scratch: Region) -> Result<TrailerLayout, PlanError> {
        let map = self.job.migration.mcuboot.as_ref();
        let trailer = map.and_then(|m| TrailerLayout::scratch(scratch, m.trailer_config()).ok());
        trailer.ok_or(self.error(StepFault::NoTrailer))
    }

    fn error(&self, fault: StepFault) -> PlanError {
        PlanError::Step { index: self.index, fault }
    }
}
