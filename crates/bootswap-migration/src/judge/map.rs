//! The flash map beside the fields: what is where today, and what will be.

use flash_region::{FlashAddr, Region};

use crate::owned::{OwnedFacts, OwnedMigration};
use crate::plan::FlashLayout;

/// The whole flash in ascending order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapLines {
    /// Title of the last column.
    pub then: &'static str,
    /// The parts of the flash.
    pub lines: Vec<MapLine>,
}

/// A part of the flash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MapLine {
    /// Where it is.
    pub region: Region,
    /// What is there today.
    pub today: String,
    /// What will be there; `None` where nothing changes.
    pub then: Option<String>,
}

impl MapLines {
    /// The map of a plan: before it, and after the target's first start.
    #[must_use]
    pub fn planned(map: &FlashLayout) -> Self {
        let lines = map.rows.iter().map(|row| MapLine {
            region: Region::clamped(FlashAddr(row.region.offset), row.region.size),
            today: row.before.clone(),
            then: (row.after != row.before).then(|| row.after.clone()),
        });
        Self { then: "after", lines: merged(lines) }
    }

    /// The map of a migration that is refused: the partitions, and what the target needs there.
    #[must_use]
    pub fn wanted(migration: &OwnedMigration, facts: &OwnedFacts) -> Self {
        let lent = facts.lend();
        let mut today = vec![
            (lent.bootloader_area(), "bootloader".to_owned()),
            (lent.table(), "partition table".to_owned()),
        ];
        today.extend(facts.partitions.iter().map(|p| (p.region, p.label.to_string())));
        let mut wanted = Vec::new();
        if let Some(map) = &migration.mcuboot {
            wanted.push((map.primary, "primary".to_owned()));
            wanted.push((map.secondary, "secondary".to_owned()));
            wanted.extend(map.scratch.map(|scratch| (scratch, "scratch area".to_owned())));
        }
        let placed = migration.artifacts.iter();
        wanted.extend(placed.filter_map(|a| Some((a.dest?, a.name.clone()))));

        let flash = Region::clamped(FlashAddr::ZERO, facts.flash_len_bytes);
        let bounds = today.iter().chain(&wanted).flat_map(|(r, _)| [r.start(), r.end()]);
        let mut starts: Vec<FlashAddr> = bounds.chain([flash.start(), flash.end()]).collect();
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().copied().skip(1);
        let lines = starts.iter().zip(ends).filter_map(|(&start, end)| {
            let region = Region::new(start, end)?;
            let names = |parts: &[(Region, String)]| {
                let inside = parts.iter().filter(|(part, _)| part.overlaps(region));
                inside.map(|(_, name)| name.clone()).collect::<Vec<_>>().join(" + ")
            };
            let outside = !flash.contains_region(region);
            let today = match names(&today) {
                name if outside => format!("{name} (no flash)").trim_start().to_owned(),
                name if name.is_empty() => "unclaimed".to_owned(),
                name => name,
            };
            let wanted = names(&wanted);
            Some(MapLine { region, today, then: (!wanted.is_empty()).then_some(wanted) })
        });
        Self { then: "wanted", lines: merged(lines) }
    }
}

/// Merges neighbouring lines that are alike.
fn merged(lines: impl Iterator<Item = MapLine>) -> Vec<MapLine> {
    let mut out: Vec<MapLine> = Vec::new();
    for line in lines {
        match out.last_mut() {
            Some(last) if last.today == line.today && last.then == line.then => {
                last.region =
                    Region::new(last.region.start(), line.region.end()).unwrap_or(last.region);
            }
            _ => out.push(line),
        }
    }
    out
}
