//! What the planner says about a migrator before it is written.

use super::migrator::Packed;
use crate::facts::{self, FactsError};
use crate::owned::OwnedMigration;
use crate::plan::{ReasonReport, judged, judged_alone};

/// What the planner says of devices as the migration describes them.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Labels of the partitions from which the migrator could do its work.
    good: Vec<String>,
    /// Labels of the others, and the reasons against them.
    bad: Vec<(String, String)>,
    /// Why nothing could be planned.
    unknown: Option<FactsError>,
    /// Why no device could use the files, whatever it is.
    unusable: Option<ReasonReport>,
}

impl Rehearsal {
    /// Plans with the migrator in the partition that the migration names, or in each that it could
    /// be sent to.
    #[must_use]
    pub fn new(migration: &OwnedMigration, packed: &Packed) -> Self {
        let len_bytes = u32::try_from(packed.image.len()).unwrap_or(u32::MAX);
        let found = match facts::assumed_with_image(migration, packed.info, len_bytes) {
            Ok(found) => found,
            Err(error) => {
                let unusable = judged_alone(migration).err();
                return Self { unknown: Some(error), unusable, ..Self::default() };
            }
        };
        let mut rehearsal = Self::default();
        for found in found {
            let label = found.running.to_string();
            let room_bytes = found.facts.running.len_bytes();
            let against = if len_bytes > room_bytes {
                Some(format!(
                    "the migrator has {len_bytes:#x} bytes, there is room for {room_bytes:#x}"
                ))
            } else {
                judged(migration, found.facts.lend()).err().map(|reasons| in_words(&reasons))
            };
            match against {
                None => rehearsal.good.push(label),
                Some(against) => rehearsal.bad.push((label, against)),
            }
        }
        rehearsal
    }

    /// Why no device could carry the migration out; `None` where one could, or where that is not
    /// known.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        if let Some(ReasonReport { code, message }) = &self.unusable {
            return Some(format!("no device could do this: {code}: {message}"));
        }
        if !self.good.is_empty() || self.bad.is_empty() {
            return None;
        }
        let bad = self.bad.iter().map(|(label, against)| format!("from {label}: {against}"));
        Some(format!("no device could do this {}", bad.collect::<Vec<_>>().join("\n")))
    }

    /// What the owner should know.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let bad = self.bad.iter().map(|(label, against)| {
            format!("a device that runs the migrator from {label} refuses: {against}")
        });
        let unknown = self.unknown.iter().map(|error| {
            format!("not planned, since {error}; try `bootswap plan` with a dump of a device")
        });
        bad.chain(unknown)
    }
}

fn in_words(reasons: &[ReasonReport]) -> String {
    let reasons = reasons.iter().map(|reason| format!("{}: {}", reason.code, reason.message));
    reasons.collect::<Vec<_>>().join("; ")
}
