//! Results of sweeps, with keys that scripts may rely on.

use serde::Serialize;

use super::case::Case;

/// Key `power_cuts` of the report.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PowerCutsReport {
    /// Cases tried, including those with a second cut.
    pub cases: u64,
    /// Of these, those after which the target ran in the end.
    pub recovered: u64,
    /// Cases whose last cut was in the commit window, survived or not.
    pub in_commit_window: u64,
    /// Cases outside of the commit window after which the target never ran.
    pub failed: u64,
    /// Duration of the sweep, in real time.
    pub seconds: f64,
    /// Cases in the commit window after which the target never ran.
    pub lost_in_commit_window: u64,
    /// Flash operations of the uninterrupted life.
    pub operations: u64,
    /// Whether operations were torn, too.
    pub torn: bool,
    /// Seed of the sample and of the torn bits.
    pub seed: u64,
    /// The cases with a second cut; `null` for one cut each.
    pub second_cuts: Option<SecondCutsReport>,
    /// Most body bytes that a device received again because of one cut.
    pub downloaded_again_bytes: Worst,
    /// Most flash operations that the migrator made again because of one cut.
    pub operations_again: Worst,
    /// Most flash operations that the target bootloader made again because of one cut.
    pub bootloader_operations_again: Worst,
    /// The cases that failed.
    pub failures: Vec<FailureReport>,
}

/// Power lost again in a recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SecondCutsReport {
    /// Pairs of cuts that there are.
    pub possible: u64,
    /// Pairs that were tried.
    pub cases: u64,
    /// Of these, those after which the target ran in the end.
    pub recovered: u64,
    /// Pairs whose second cut was in the commit window.
    pub in_commit_window: u64,
    /// Pairs after which the target never ran although neither cut was in the commit window.
    pub failed: u64,
}

/// Keys `flash_faults` and `network_faults` of the report.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FaultsReport {
    /// Cases tried.
    pub cases: u64,
    /// Of these, those in which the target ran.
    pub target_running: u64,
    /// Those in which the old firmware ran and, if the fault was a transient one, could be migrated
    /// at the next attempt.
    pub old_firmware: u64,
    /// Cases that ended in any other way.
    pub failed: u64,
    /// Duration of the sweep, in real time.
    pub seconds: f64,
    /// Seed of the sample and of the torn bits.
    pub seed: u64,
    /// The cases that failed.
    pub failures: Vec<FailureReport>,
}

/// The largest value of all cases.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Worst {
    /// The value.
    pub most: u64,
    /// The first case with that value; `null` if the value is 0.
    pub case: Option<String>,
}

impl Worst {
    /// Adds a case.
    pub fn note(&mut self, value: u64, case: &Case) {
        if value > self.most {
            *self = Self { most: value, case: Some(case.to_string()) };
        }
    }
}

/// A case that failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailureReport {
    /// The case, as `--replay` takes it.
    pub case: String,
    /// How it ended.
    pub detail: String,
    /// The command that replays it.
    pub replay: String,
}

impl FailureReport {
    /// A case and its outcome; the caller adds the command.
    #[must_use]
    pub fn new(case: &Case, detail: String) -> Self {
        Self { case: case.to_string(), detail, replay: String::new() }
    }
}
