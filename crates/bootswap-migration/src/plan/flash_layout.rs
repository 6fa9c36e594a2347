//! A device's flash before a migration, at its commit and after it.

use bootswap_plan::{Migration, Plan, Purpose, Step, Target};
use flash_region::Region;
use serde::Serialize;

use super::contents::{FlashContents, cut};
use super::region::RegionReport;
use super::stage::PlanStage;

/// The whole flash, in ascending order and without gaps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct FlashLayout {
    /// Its parts.
    pub rows: Vec<MapRow>,
}

/// A part of the flash with uniform contents at each of the three moments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MapRow {
    /// Where it is.
    #[serde(flatten)]
    pub region: RegionReport,
    /// What it belongs to today: the label of a partition, or another use.
    pub today: String,
    /// What the plan and the target system use it for.
    pub then: Vec<String>,
    /// What it contains before the migration.
    pub before: String,
    /// What it contains right before the commit.
    pub at_commit: String,
    /// What it contains when the target application starts.
    pub after: String,
}

impl FlashLayout {
    /// The map of a device under its plan, with all of its stages.
    #[must_use]
    pub fn new(migration: &Migration<'_>, stages: &[PlanStage<'_>]) -> Self {
        let Some(PlanStage { facts, .. }) = stages.first() else {
            return Self { rows: Vec::new() };
        };
        let before = FlashContents::before(facts);
        let at_commit = before.clone().at_commit(migration, stages);
        let after = at_commit.clone().after(migration, stages);
        let mut uses = targets(migration);
        uses.push((facts.running_image(), "the migrator runs".to_owned()));
        for stage in stages {
            uses.extend(uses_of(migration, &stage.plan));
        }
        uses.sort_by_key(|(region, _)| (region.start(), region.end()));

        let mut rows: Vec<MapRow> = Vec::new();
        for region in cut(facts.flash(), after.bounds()) {
            let at = region.start();
            let inside = uses.iter().filter(|(used, _)| used.overlaps(region));
            let row = MapRow {
                region: region.into(),
                today: before.part(at).to_owned(),
                then: inside.map(|(_, what)| what.clone()).collect(),
                before: before.in_words(at),
                at_commit: at_commit.in_words(at),
                after: after.in_words(at),
            };
            match rows.last_mut().filter(|last| last.is_like(&row)) {
                Some(last) => last.region.size += row.region.size,
                None => rows.push(row),
            }
        }
        Self { rows }
    }
}

impl MapRow {
    /// Whether it differs only in its region.
    fn is_like(&self, next: &Self) -> bool {
        *self == Self { region: self.region, ..next.clone() }
    }
}

/// What the target system uses each region for.
fn targets(migration: &Migration<'_>) -> Vec<(Region, String)> {
    let Some(map) = &migration.mcuboot else { return Vec::new() };
    let slots =
        [(map.primary, "primary slot".to_owned()), (map.secondary, "secondary slot".to_owned())];
    let scratch = map.scratch.map(|scratch| (scratch, "scratch area".to_owned()));
    slots.into_iter().chain(scratch).collect()
}

/// What a plan uses each region for.
fn uses_of(migration: &Migration<'_>, plan: &Plan) -> Vec<(Region, String)> {
    let mut uses = Vec::new();
    for step in &plan.steps {
        let artifact =
            step.artifact().and_then(|index| migration.artifacts.get(usize::from(index.0)));
        let name = artifact.map_or("", |artifact| artifact.name);
        match step {
            Step::Fetch { routes, .. } => {
                uses.extend(routes.iter().filter_map(|route| match route.to {
                    Target::Flash(place) => {
                        let rest = artifact
                            .and_then(|a| a.len_bytes)
                            .map(|len| len.saturating_sub(route.file_offset));
                        let region = rest.map_or(place.region, |rest| place.region.prefix(rest));
                        let how = if place.purpose == Purpose::Staging { " waits" } else { "" };
                        Some((region, format!("{name}{how}")))
                    }
                    Target::Memory { .. } => None,
                }))
            }
            Step::CopySelf { to, .. } => uses.push((to.region, "the migrator's copy".to_owned())),
            Step::Copy { to, .. } | Step::Commit { to, .. } => {
                uses.push((to.region, name.to_owned()))
            }
            _ => {}
        }
    }
    uses.extend(plan.journal.map(|journal| (journal, "checkpoints".to_owned())));
    uses
}
