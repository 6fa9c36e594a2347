//! Checks a job before anything is done.
//!
//! [`Job::check`] goes through the whole plan. It looks up what every step needs, above all its
//! artifact with rules and regions, and finds everything that is wrong with the plan. So a step
//! that runs has what it needs.
//!
//! A step that runs looks its artifact up again. Storing the results would need memory for every
//! possible step, to save a search through a few entries.

mod at;
mod gate;

use bootswap_plan::{ArtifactIndex, Step};
use mcuboot_format::key::PublicKey;

use crate::PlanError;
use crate::item::{Item, Placed};
use crate::job::Job;
use crate::routes::room_bytes;
use crate::scan::Rules;
use at::At;
use gate::Gate;

pub(crate) use gate::MAX_COMMITS;

/// A job whose plan was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked<'j> {
    job: &'j Job<'j>,
}

impl Job<'_> {
    /// Checks the plan, for an engine with this many bytes of memory for staging.
    pub(crate) fn check(&self, memory_len_bytes: usize) -> Result<Checked<'_>, PlanError> {
        let gate = Gate { plan: self.plan, facts: self.facts, memory_len_bytes };
        gate.check_journal()?;
        let checked = Checked { job: self };
        for (index, step) in self.plan.steps.iter().enumerate() {
            checked.at(index).check(step)?;
            gate.check(index, step).map_err(|fault| PlanError::Step { index, fault })?;
        }
        Ok(checked)
    }
}

impl<'j> Checked<'j> {
    /// The chip.
    pub(crate) fn chip(&self) -> esp_idf_format::Chip {
        self.job.facts.chip
    }

    /// The job.
    pub(crate) fn job(&self) -> &'j Job<'j> {
        self.job
    }

    /// All steps of the plan.
    pub(crate) fn steps(&self) -> &'j [Step] {
        &self.job.plan.steps
    }

    /// The name of the step's artifact, if it has one.
    pub(crate) fn name(&self, step: &Step) -> Option<&'j str> {
        let ArtifactIndex(index) = step.artifact()?;
        self.job.migration.artifacts.get(usize::from(index)).map(|artifact| artifact.name)
    }

    /// Whether no commit follows this step.
    pub(crate) fn is_last_commit(&self, index: usize) -> bool {
        let is_commit = |step: &Step| matches!(step, Step::Commit { .. });
        !self.steps().iter().skip(index + 1).any(is_commit)
    }

    /// Whether a commit comes before this step.
    pub(crate) fn is_after_commit(&self, index: usize) -> bool {
        self.steps().iter().take(index).any(Step::is_commit)
    }

    /// The position of a step in the plan.
    pub(crate) fn at(&self, index: usize) -> At<'j> {
        At { job: self.job, index }
    }

    /// An artifact with the rules for it in its regions; `key` is the bootloader's.
    pub(crate) fn item<'i>(&'i self, placed: Placed<'i>, key: Option<&'i PublicKey>) -> Item<'i> {
        let Job { migration, facts, .. } = *self.job;
        let room_bytes = room_bytes(placed.routes);
        // What MCUboot wants of an image depends on the slot that it ends in, not on where it
        // waits: a partition for staging may lie where the other slot is.
        let end = self.at(0).end(placed.index).ok().and_then(|end| end.slot());
        let slot = end.or(placed.slot());
        let rules = Rules::new(migration, facts, placed.artifact, slot, room_bytes, key);
        Item { placed, rules }
    }
}

#[cfg(test)]
mod tests;
