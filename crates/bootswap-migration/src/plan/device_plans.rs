//! The plans of one device, from each partition that its migrator may run from, for scripts and for
//! people.

use std::fmt;

use serde::Serialize;

use super::report::{PlanReport, ReasonReport, report};
use crate::facts::{Delivered, FoundFacts};
use crate::owned::OwnedMigration;
use crate::words::{COLUMNS, wrapped};

/// What `bootswap plan --json` prints of a device. Keys are never renamed.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DevicePlans {
    /// The first plan: from the partition that was named, or that the next update is written to.
    #[serde(flatten)]
    pub report: PlanReport,
    /// `planned` if there is a plan from each of the partitions, else `refused`.
    pub total: &'static str,
    /// The verdict for each partition, that of the first plan first.
    pub partitions: Vec<PartitionVerdict>,
}

/// Whether a migrator can carry the migration out from a partition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartitionVerdict {
    /// Label of the partition.
    pub running: String,
    /// Whether the next update of the device is written there; `null` if that is not known.
    pub next_update: Option<bool>,
    /// `planned` or `refused`.
    pub outcome: &'static str,
    /// Why it was refused.
    pub reasons: Vec<ReasonReport>,
}

/// What `bootswap plan --json` prints of more than one dump. Keys are never renamed.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FleetPlans {
    /// The worst of all: `planned`, `refused` or `unreadable`.
    pub total: &'static str,
    /// Each dump, in the order of the command line.
    pub dumps: Vec<DumpPlans>,
}

/// The result for one of several dumps.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DumpPlans {
    /// The file.
    pub flash: String,
    /// Why there is no plan for it; `null` if it can be used.
    pub error: Option<DumpError>,
    /// The result that this dump would have alone.
    #[serde(flatten)]
    pub verdict: DumpVerdict,
}

/// The verdict on one of several dumps.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DumpVerdict {
    /// The verdict on a dump that can be used.
    Read(Box<DevicePlans>),
    /// The verdict on a dump that cannot be used.
    Unreadable {
        /// `unreadable`.
        outcome: &'static str,
        /// `unreadable`.
        total: &'static str,
    },
}

/// Why a dump cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DumpError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl DumpVerdict {
    /// The verdict on a dump that cannot be used.
    pub const UNREADABLE: Self = Self::Unreadable { outcome: "unreadable", total: "unreadable" };
}

impl DevicePlans {
    /// The plan of a device of which only the migration is known.
    #[must_use]
    pub fn assumed(migration: &OwnedMigration, found: &FoundFacts) -> Self {
        let report = report(migration, found, None);
        let verdict = PartitionVerdict::new(&report, None);
        Self { total: report.outcome, partitions: vec![verdict], report }
    }

    /// The plans of the device of a dump, one for each partition that the migrator was delivered
    /// to; `None` if there is none.
    #[must_use]
    pub fn delivered(migration: &OwnedMigration, delivered: &[Delivered]) -> Option<Self> {
        let plans = delivered.iter().map(|delivered| {
            let report = report(migration, &delivered.found, Some(&delivered.flash));
            (PartitionVerdict::new(&report, Some(delivered.is_next)), report)
        });
        let (partitions, reports): (Vec<_>, Vec<_>) = plans.unzip();
        let is_safe = reports.iter().all(PlanReport::is_safe);
        let total = if is_safe { "planned" } else { "refused" };
        Some(Self { report: reports.into_iter().next()?, total, partitions })
    }

    /// Whether the migration would be safe from each of the partitions.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.partitions.iter().all(|verdict| verdict.reasons.is_empty())
    }
}

impl PartitionVerdict {
    fn new(report: &PlanReport, next_update: Option<bool>) -> Self {
        let (outcome, reasons) = (report.outcome, report.reasons.clone());
        Self { running: report.device.running.clone(), next_update, outcome, reasons }
    }

    /// The verdict in a few words: `planned`, or the codes of the reasons for the refusal.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut codes: Vec<&str> = self.reasons.iter().map(|reason| reason.code).collect();
        codes.dedup();
        let note = if self.next_update == Some(true) {
            "  (the next update is written there)"
        } else {
            ""
        };
        match codes.as_slice() {
            [] => format!("{}{note}", self.outcome),
            codes => format!("{}: {}{note}", self.outcome, codes.join(", ")),
        }
    }
}

impl fmt::Display for DevicePlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        if self.partitions.len() > 1 {
            writeln!(f, "\nmigrator in       verdict")?;
            for verdict in &self.partitions {
                let lines = wrapped(&verdict.in_words(), COLUMNS - 18);
                let labels = std::iter::once(verdict.running.as_str()).chain(std::iter::repeat(""));
                for (label, line) in labels.zip(lines) {
                    writeln!(f, "  {label:<16}{line}")?;
                }
            }
            writeln!(f, "  {:<16}{}", "all", self.total)?;
        }
        Ok(())
    }
}
