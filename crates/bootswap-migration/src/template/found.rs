//! Chooses the best of the maps that fit a table, by the planner's verdicts.

use esp_idf_format::partition::Partition;
use flash_region::Region;

use super::fit::{Fit, example, fits};
use crate::facts;
use crate::owned::{OwnedMap, OwnedMigration};
use crate::plan::stages;
use crate::words::wrapped;

/// Columns of a comment.
const COLUMNS: usize = 96;

/// The planner's verdict on a map, with the migrator in one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// Label of the partition.
    pub(super) label: String,
    /// Codes of the reasons against it; empty if there is a plan.
    pub(super) against: Vec<&'static str>,
}

impl Verdict {
    const fn is_safe(&self) -> bool {
        self.against.is_empty()
    }
}

/// The map with a plan from most of the partitions in `apps`, and the verdict for each of these:
/// the first one with a plan first, the others in the order of `apps`.
///
/// `read` is the migration without a map. Its files need not exist: the owner names them later. If
/// a bootloader shows its `own` map, only that one is used.
pub(super) fn find(
    read: &OwnedMigration,
    own: Option<&OwnedMap>,
    partitions: &[Partition],
    apps: &[Partition],
    flash: Region,
) -> (Fit, Vec<Verdict>) {
    let mut best: Option<(usize, Fit, Vec<Verdict>)> = None;
    let base = own.unwrap_or(&OwnedMap::ESPRESSIF);
    let own = own.map(|map| Fit {
        primary: map.primary,
        secondary: map.secondary,
        scratch: map.scratch,
        swap: map.swap,
    });
    let all = if own.is_some() { Vec::new() } else { fits(partitions, flash) };
    for fit in own.into_iter().chain(all) {
        let verdicts: Vec<Verdict> =
            apps.iter().map(|app| judged(read, base, fit, app, flash)).collect();
        let safe = verdicts.iter().filter(|verdict| verdict.is_safe()).count();
        if best.as_ref().is_none_or(|(most, ..)| safe > *most) {
            best = Some((safe, fit, verdicts));
        }
        if safe == apps.len() {
            break;
        }
    }
    let (_, fit, mut verdicts) = best.unwrap_or_else(|| {
        let fit = example();
        (0, fit, apps.iter().map(|app| judged(read, base, fit, app, flash)).collect())
    });
    if let Some(first) = verdicts.iter().position(Verdict::is_safe) {
        verdicts[..=first].rotate_right(1);
    }
    (fit, verdicts)
}

/// The planner's verdict with the migrator in `app`.
fn judged(
    read: &OwnedMigration,
    base: &OwnedMap,
    fit: Fit,
    app: &Partition,
    flash: Region,
) -> Verdict {
    let label = app.label.to_string();
    let migration = OwnedMigration {
        flash_len_bytes: Some(flash.len_bytes()),
        running: Some(label.clone()),
        mcuboot: Some(OwnedMap {
            primary: fit.primary,
            secondary: fit.secondary,
            scratch: fit.scratch,
            swap: fit.swap,
            ..base.clone()
        }),
        ..read.clone()
    };
    let against = match facts::assumed(&migration) {
        Ok(found) => {
            let refused = migration.with(|lent| stages(lent, found.facts.lend()).err());
            let mut codes: Vec<&str> =
                refused.iter().flatten().map(bootswap_plan::Reason::code).collect();
            codes.dedup();
            codes
        }
        Err(_) => vec!["unknown-running"],
    };
    Verdict { label, against }
}

/// The verdicts as comments for the top of the file.
pub(super) fn said(verdicts: &[Verdict]) -> String {
    let (safe, refused): (Vec<_>, Vec<_>) = verdicts.iter().partition(|verdict| verdict.is_safe());
    let mut words = String::new();
    if !safe.is_empty() {
        let labels: Vec<&str> = safe.iter().map(|verdict| verdict.label.as_str()).collect();
        words.push_str(&format!(
            "The planner accepts this map with the migrator in {}. Name the files to complete it.",
            labels.join(", ")
        ));
    }
    if !refused.is_empty() {
        let refused = refused
            .iter()
            .map(|Verdict { label, against }| format!("{label} ({})", against.join(", ")));
        let refused: Vec<String> = refused.collect();
        words.push_str(match safe.as_slice() {
            [] => "No map under this table is accepted with the migrator in ",
            _ => " It refuses it with the migrator in ",
        });
        words.push_str(&format!("{}.", refused.join(", ")));
    }
    let lines = wrapped(&words, COLUMNS);
    lines.iter().map(|line| format!("# {line}\n")).collect()
}
