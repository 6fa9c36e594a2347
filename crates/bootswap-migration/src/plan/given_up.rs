//! The owner's data that is overwritten, because the migration names it in `allow.overwrite`.

use std::fmt;

use bootswap_plan::{Migration, PARTITION_TABLE, Step, Target};
use esp_idf_format::partition::TABLE_LEN_BYTES;
use flash_region::Region;
use serde::Serialize;

use super::region::RegionReport;
use super::stage::PlanStage;

/// A part of flash that the migration may overwrite.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GivenUp {
    /// Label of the partition, or `partition-table`.
    pub what: String,
    /// The part of it that is overwritten.
    pub region: RegionReport,
    /// Whether it is overwritten only in the commit.
    pub in_commit: bool,
}

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RegionReport { offset, size } = self.region;
        let end = offset.saturating_add(size);
        let when = if self.in_commit { "in the commit, not earlier" } else { "before the commit" };
        write!(f, "{} in {offset:#x}..{end:#x}, {when}", self.what)
    }
}

/// All of these parts, in the order of their addresses.
pub(super) fn given_up(migration: &Migration<'_>, stages: &[PlanStage<'_>]) -> Vec<GivenUp> {
    let Some(first) = stages.first() else { return Vec::new() };
    let table = (PARTITION_TABLE, first.facts.table().prefix(TABLE_LEN_BYTES));
    let labelled =
        first.facts.partitions.iter().filter_map(|p| Some((p.label.as_str()?, p.region)));
    let mut found: Vec<GivenUp> = std::iter::once(table)
        .chain(labelled)
        .filter(|(label, _)| migration.allow.overwrites(label))
        .filter_map(|(label, region)| {
            let written = |commit: bool| {
                let steps = stages.iter().flat_map(|stage| &stage.plan.steps);
                let parts = steps.flat_map(move |step| written_by(step, commit));
                parts.filter_map(move |part| part.intersection(region)).reduce(around)
            };
            let (before, then) = (written(false), written(true));
            let whole = before.into_iter().chain(then).reduce(around)?;
            let (what, in_commit) = (label.to_owned(), before.is_none());
            Some(GivenUp { what, region: whole.into(), in_commit })
        })
        .collect();
    found.sort_by_key(|part| part.region.offset);
    found
}

/// The smallest region that contains both.
fn around(a: Region, b: Region) -> Region {
    Region::new(a.start().min(b.start()), a.end().max(b.end())).unwrap_or(a)
}

/// Where a step changes bytes: in the commit, or before it.
fn written_by(step: &Step, commit: bool) -> Vec<Region> {
    match step {
        Step::Commit { to, .. } if commit => vec![to.region],
        Step::Fetch { routes, .. } if !commit => {
            let places = routes.iter().filter_map(|route| match route.to {
                Target::Flash(place) => Some(place.region),
                Target::Memory { .. } => None,
            });
            places.collect()
        }
        Step::Copy { to, .. } | Step::CopySelf { to, .. } if !commit => vec![to.region],
        Step::Clean { region, .. } if !commit => vec![*region],
        Step::CleanScratch { scratch, .. } if !commit => vec![*scratch],
        Step::CleanHeader { erasable, .. } if !commit => vec![*erasable],
        _ => Vec::new(),
    }
}
