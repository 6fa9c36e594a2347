//! A device's flash as it is, and what the plan does in each part of it.

use std::fmt;

use bootswap_plan::{DeviceFacts, Migration, Plan, Purpose, Step, Target};
use esp_idf_format::partition::TABLE_ADDR;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use serde::Serialize;

use super::Stage;
use super::report::RegionReport;

/// The whole flash, in ascending order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct FlashMap {
    /// Its parts; without gap unless partitions overlap.
    pub rows: Vec<MapRow>,
}

/// A part of the flash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MapRow {
    /// Where it is.
    #[serde(flatten)]
    pub region: RegionReport,
    /// What it is today: the label of a partition, or what else is there.
    pub today: String,
    /// What the plan has in it, in the order of addresses.
    pub then: Vec<String>,
}

impl FlashMap {
    /// The map of a device under its plan, all stages of it.
    #[must_use]
    pub fn new(migration: &Migration<'_>, stages: &[Stage<'_>]) -> Self {
        let Some(Stage { facts, .. }) = stages.first() else { return Self { rows: Vec::new() } };
        let mut uses = targets(migration);
        uses.push((facts.running_image(), "the migrator runs".to_owned()));
        for stage in stages {
            uses.extend(uses_of(migration, &stage.plan));
        }
        uses.sort_by_key(|(region, _)| (region.start(), region.end()));
        let rows = parts(facts).into_iter().map(|(region, today)| {
            let inside = uses.iter().filter_map(|(used, what)| {
                let part = used.intersection(region)?;
                // The address is worth saying where it is not that of the part itself.
                Some(if part == region { what.clone() } else { format!("{what} in {part}") })
            });
            MapRow { region: region.into(), today, then: inside.collect() }
        });
        Self { rows: rows.collect() }
    }
}

impl fmt::Display for FlashMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.today.chars().count()).max().unwrap_or(0);
        for row in &self.rows {
            let MapRow { region, today, then } = row;
            let end = region.offset.saturating_add(region.size);
            write!(f, "  {:>#10x}  {end:>#10x}  ", region.offset)?;
            match then.split_first() {
                None => writeln!(f, "{today}")?,
                Some((first, more)) => {
                    writeln!(f, "{today:<width$}  {first}")?;
                    for what in more {
                        writeln!(f, "{:26}{:width$}  {what}", "", "")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The flash by partition, with what lies before, between and behind.
fn parts(facts: &DeviceFacts<'_>) -> Vec<(Region, String)> {
    let mut known = vec![
        (
            Region::clamped(facts.chip.bootloader_addr(), bootloader_len_bytes(facts)),
            "bootloader".to_owned(),
        ),
        (Region::clamped(TABLE_ADDR, SECTOR_BYTES), "partition table".to_owned()),
    ];
    known.extend(facts.partitions.iter().map(|p| (p.region, p.label.to_string())));
    known.sort_by_key(|(region, _)| (region.start(), region.end()));
    let mut parts = Vec::new();
    let mut at = FlashAddr::ZERO;
    let end = (facts.flash().end(), None);
    for (start, part) in known.into_iter().map(|part| (part.0.start(), Some(part))).chain([end]) {
        if let Some(gap) = Region::new(at, start).filter(|gap| !gap.is_empty()) {
            parts.push((gap, "unclaimed".to_owned()));
        }
        if let Some(part) = part {
            at = at.max(part.0.end());
            parts.push(part);
        }
    }
    parts
}

fn bootloader_len_bytes(facts: &DeviceFacts<'_>) -> u32 {
    facts.chip.bootloader_region().len_bytes()
}

/// What the target system has each region for.
fn targets(migration: &Migration<'_>) -> Vec<(Region, String)> {
    let Some(map) = &migration.mcuboot else { return Vec::new() };
    let slots =
        [(map.primary, "primary slot".to_owned()), (map.secondary, "secondary slot".to_owned())];
    let scratch = map.scratch.map(|scratch| (scratch, "scratch area".to_owned()));
    slots.into_iter().chain(scratch).collect()
}

/// What a plan has each region for.
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
