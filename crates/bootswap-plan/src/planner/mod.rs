//! Computes steps from migration and facts, with the migrator where it runs now.
//!
//! `places` finds the way of each artifact from its source to its final region; `steps` puts the
//! steps for all of them in order.

mod places;
mod steps;

use flash_region::Region;
use heapless::Vec;

use crate::check;
use crate::facts::DeviceFacts;
use crate::layout::{AppSlot, Destination, MAX_ARTIFACTS};
use crate::migration::{Artifact, Migration, Role};
use crate::otadata::select;
use crate::reason::{Reason, Reasons};
use crate::step::{ArtifactIndex, MAX_ROUTES, Plan, Route, Step, Strategy, Target};

/// Computes the steps without moving the migrator.
pub(crate) fn in_place(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
) -> Result<Plan, Reasons> {
    let choices = migration.mcuboot.map_or(&[AppSlot::Secondary][..], |m| AppSlot::choices(m.swap));
    let mut first = None;
    for &app_slot in choices {
        match with_app_in(migration, facts, app_slot) {
            Ok(plan) => return Ok(plan),
            Err(reasons) => {
                // Another slot helps only if the reasons are about this slot's region.
                let elsewhere = reasons.iter().all(Reason::is_about_place);
                first.get_or_insert(reasons);
                if !elsewhere {
                    break;
                }
            }
        }
    }
    Err(first.unwrap_or_default())
}

/// Computes the steps with the application in that slot.
fn with_app_in(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    app_slot: AppSlot,
) -> Result<Plan, Reasons> {
    let destinations = check::check(migration, facts, app_slot)?;
    let mut planner = Planner {
        migration,
        facts,
        destinations,
        taken: Vec::new(),
        memory_free_bytes: facts.staging_memory_len_bytes,
        plan: Plan::default(),
        reasons: Reasons::new(),
        overflowed: false,
    };
    planner.run();
    if planner.overflowed {
        let _ = planner.reasons.push(Reason::TooComplex);
    }
    if planner.reasons.is_empty() { Ok(planner.plan) } else { Err(planner.reasons) }
}

struct Planner<'a> {
    migration: &'a Migration<'a>,
    facts: &'a DeviceFacts<'a>,
    /// The final region of each artifact, in the migration's order.
    destinations: Vec<Destination, MAX_ARTIFACTS>,
    /// Regions assigned so far.
    taken: Vec<Region, { MAX_ARTIFACTS + 1 }>,
    /// Free memory for staging: it has room for one artifact.
    memory_free_bytes: u32,
    plan: Plan,
    reasons: Reasons,
    overflowed: bool,
}

/// How one artifact gets to its final region.
struct Way<'a> {
    index: ArtifactIndex,
    artifact: &'a Artifact<'a>,
    destination: Destination,
    /// Where it is fetched to.
    routes: Vec<Route, MAX_ROUTES>,
    /// Where its critical part is staged, if it has one.
    critical: Option<Target>,
    /// Where its harmless part is staged, if it is not written straight to its final region.
    harmless: Option<Region>,
}

impl<'a> Planner<'a> {
    fn run(&mut self) {
        let mut ways: Vec<Way<'a>, MAX_ARTIFACTS> = Vec::new();
        // Staging regions are assigned in the order in which artifacts are fetched.
        for index in self.order() {
            if let Some(way) = self.way(index)
                && ways.push(way).is_err()
            {
                self.overflowed = true;
            }
        }
        self.plan.journal = self.journal();
        self.reserve_in_slot(&mut ways);
        let slot = ways.iter().find_map(|way| way.destination.slot);
        self.plan.strategy = match (&self.migration.mcuboot, slot) {
            (Some(map), Some(slot)) if slot == map.secondary => Strategy::SecondaryAndSwap,
            (Some(_), Some(_)) => Strategy::StraightToPrimary,
            _ => Strategy::AsNamed,
        };

        if let Some(select) = select(self.facts, self.facts.running) {
            self.push(select);
        }
        self.fetches(&ways);
        self.cleanings(false);
        self.confirmations(&ways);
        self.verifications(&ways);
        self.cleanings(true);
        self.commits(&ways);
        self.push(Step::Reset);
    }

    /// Artifacts in the order in which they are fetched: the bootloader last.
    fn order(&self) -> Vec<ArtifactIndex, MAX_ARTIFACTS> {
        let with_index = || (0..).map(ArtifactIndex).zip(self.migration.artifacts);
        let is_last = |artifact: &Artifact<'_>| artifact.role == Role::Bootloader;
        let rest = with_index().filter(|(_, artifact)| !is_last(artifact));
        let last = with_index().filter(|(_, artifact)| is_last(artifact));
        rest.chain(last).map(|(index, _)| index).collect()
    }

    fn artifact(&self, index: ArtifactIndex) -> Option<&'a Artifact<'a>> {
        self.migration.artifacts.get(usize::from(index.0))
    }

    fn route(&mut self, routes: &mut Vec<Route, MAX_ROUTES>, file_offset: u32, to: Target) {
        if routes.push(Route { file_offset, to }).is_err() {
            self.overflowed = true;
        }
    }

    fn take(&mut self, region: Region) {
        if self.taken.push(region).is_err() {
            self.overflowed = true;
        }
    }

    fn push(&mut self, step: Step) {
        if self.plan.steps.push(step).is_err() {
            self.overflowed = true;
        }
    }

    // A reason is large, and there are dozens of callers.
    #[inline(never)]
    fn refuse(&mut self, reason: Reason) {
        // If there is no room for more reasons, nothing is lost: one is enough to refuse.
        let _ = self.reasons.push(reason);
    }
}
