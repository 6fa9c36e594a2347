//! The planner's verdict on a migrator before the file is written.

use super::migrator::Packed;
use crate::facts::{self, FactsError};
use crate::owned::OwnedMigration;
use crate::plan::{ReasonReport, assumptions, judged, judged_alone};

/// The planner's verdict on devices as the migration describes them.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// Labels of the partitions from which the migrator could carry it out.
    good: Vec<String>,
    /// Labels of the others, and the reasons against them.
    bad: Vec<(String, String)>,
    /// Why nothing could be planned.
    unknown: Option<FactsError>,
    /// What the files alone speak against it, whatever the device is.
    against: Vec<String>,
    /// What could not be checked.
    assumed: Vec<String>,
}

impl Rehearsal {
    /// Plans with the migrator in the partition that the migration names, or in each partition that
    /// it could be sent to.
    #[must_use]
    pub fn new(migration: &OwnedMigration, packed: &Packed) -> Self {
        let len_bytes = u32::try_from(packed.image.len()).unwrap_or(u32::MAX);
        let mut rehearsal = Self {
            against: migration.against.iter().map(|reason| in_words(&reason.into())).collect(),
            assumed: migration.assumed.iter().map(ToString::to_string).collect(),
            ..Self::default()
        };
        let found = match facts::assumed_with_image(migration, packed.info, len_bytes) {
            Ok(found) => found,
            Err(error) => {
                let assumed = facts::assumptions_alone(migration);
                rehearsal.assumed = assumed.iter().map(ToString::to_string).collect();
                rehearsal.against.extend(judged_alone(migration).iter().map(in_words));
                return Self { unknown: Some(error), ..rehearsal };
            }
        };
        for found in found {
            let label = found.running.to_string();
            let facts = facts::with_primary(migration, found.facts.lend(), None);
            for assumption in assumptions(migration, &facts, None) {
                let assumption = assumption.to_string();
                if !rehearsal.assumed.contains(&assumption) {
                    rehearsal.assumed.push(assumption);
                }
            }
            let against = judged(migration, facts, None).err().map(|reasons| {
                let reasons: Vec<String> = reasons.iter().map(in_words).collect();
                reasons.join("; ")
            });
            match against {
                None => rehearsal.good.push(label),
                Some(against) => rehearsal.bad.push((label, against)),
            }
        }
        rehearsal
    }

    /// What is wrong with the devices as the migration describes them; that it does not describe
    /// them is not wrong.
    #[must_use]
    pub fn unusable(&self) -> Option<&FactsError> {
        self.unknown.as_ref().filter(|error| **error != FactsError::NoTable)
    }

    /// Why no device could carry the migration out; `None` if one could, or if that is not known.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        if !self.against.is_empty() {
            return Some(format!("no device could do this: {}", self.against.join("\n")));
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
        let assumed = self.assumed.iter().map(|assumed| format!("assumed: {assumed}"));
        bad.chain(unknown).chain(assumed)
    }
}

fn in_words(reason: &ReasonReport) -> String {
    format!("{}: {}", reason.code, reason.message)
}
