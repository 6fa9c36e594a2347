//! The report of a simulated migration, with keys that scripts may rely on.

use bootswap_migration::Assumption;
use bootswap_migration::plan::ReasonReport;
use flash_region::Region;
use nor_sim::{Counts, NorMemory};
use serde::Serialize;

use crate::outcome::RunOutcome;
use crate::run::{Run, modelled_ms};
use crate::sweep::SweepOutcome;
use crate::sweep::report::{FaultsReport, PowerCutsReport};

/// What `--json` prints and `report.json` contains. Keys are never renamed; `null` if something
/// does not apply.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// `target-running`, `old-firmware`, `stuck`, `refused` or `bricked`.
    pub outcome: &'static str,
    /// The same in words, with the cause.
    pub detail: String,
    /// Why it was refused.
    pub reasons: Vec<ReasonReport>,
    /// All flash operations until the reset into the new bootloader.
    pub flash: FlashReport,
    /// All flash operations until the target runs: those of `flash`, and those of MCUboot's swap;
    /// `null` if the target does not run, or the simulation ended before.
    pub until_target: Option<FlashReport>,
    /// What it relies on and nobody could look at, as `plan` has it; empty where the whole device
    /// is made up.
    pub assumed: Vec<Assumption>,
    /// The flash operations in the commit window.
    pub commit_window: Option<WindowReport>,
    /// What was received over the network.
    pub download: Option<DownloadReport>,
    /// Regions that had to stay unchanged, and whether they did.
    pub kept: Vec<KeptReport>,
    /// Results of the sweep of power cuts; `null` without one.
    pub power_cuts: Option<PowerCutsReport>,
    /// Results of the sweep of flash faults; `null` without one.
    pub flash_faults: Option<FaultsReport>,
    /// Results of the sweep of network faults; `null` without one.
    pub network_faults: Option<FaultsReport>,
    /// Label of the partition that the migrator ran from; `null` if it is not known.
    pub running: Option<String>,
    /// The outcome from each partition that was tried, first the one that everything else is about;
    /// empty without a dump.
    pub partitions: Vec<PartitionReport>,
    /// The case that was replayed; `null` without one. With it, everything else is about its last
    /// life.
    pub replayed: Option<ReplayReport>,
}

/// The outcome of a migration from one of several partitions.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PartitionReport {
    /// Label of the partition.
    pub running: String,
    /// Whether the next update of the device is written there.
    pub next_update: bool,
    /// As in [`Report::outcome`].
    pub outcome: &'static str,
    /// The same in words, with the cause.
    pub detail: String,
    /// Why it was refused.
    pub reasons: Vec<ReasonReport>,
    /// Results of the sweep of power cuts; `null` without one.
    pub power_cuts: Option<PowerCutsReport>,
    /// Results of the sweep of flash faults; `null` without one.
    pub flash_faults: Option<FaultsReport>,
    /// Results of the sweep of network faults; `null` without one.
    pub network_faults: Option<FaultsReport>,
}

/// A case that was replayed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReplayReport {
    /// The case.
    pub case: String,
    /// Whether its last cut was in the commit window.
    pub in_commit_window: bool,
    /// What flash should contain at the end and does not.
    pub missing: Option<String>,
}

/// Flash operations and their modelled time.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FlashReport {
    /// Erases of 4 KiB.
    pub erase_4k: u64,
    /// Erases of 32 KiB.
    pub erase_32k: u64,
    /// Erases of 64 KiB.
    pub erase_64k: u64,
    /// Pages programmed.
    pub pages_programmed: u64,
    /// Bytes programmed.
    pub bytes_programmed: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Modelled time of erases and programs in milliseconds, typical.
    pub typ_ms: f64,
    /// The same, at most.
    pub max_ms: f64,
    /// Erases of the sector that was erased most often.
    pub most_erases_of_a_sector: u32,
}

/// The commit window.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WindowReport {
    /// Erases of any size.
    pub erase_ops: u64,
    /// Pages programmed.
    pub pages: u64,
    /// Modelled length in milliseconds, typical.
    pub typ_ms: f64,
    /// The same, at most.
    pub max_ms: f64,
}

/// The network's part.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DownloadReport {
    /// Body bytes that the device received.
    pub bytes: u64,
    /// Requests.
    pub requests: u32,
}

/// A region that had to stay unchanged.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptReport {
    /// Label of the partition, or a name.
    pub label: String,
    /// First address.
    pub offset: u32,
    /// Length in bytes.
    pub size: u32,
    /// Whether every byte is unchanged when the device resets into the new bootloader.
    pub intact: bool,
}

impl Report {
    /// The report of a run; `kept` names what had to stay unchanged until the reset.
    #[must_use]
    pub fn new(run: &Run, kept: &[(String, Region)]) -> Self {
        let outcome = match run.outcome {
            RunOutcome::TargetRunning { .. } => "target-running",
            RunOutcome::OldFirmware { .. } => "old-firmware",
            RunOutcome::Stuck { .. } => "stuck",
            RunOutcome::Refused => "refused",
            RunOutcome::Bricked { .. } => "bricked",
        };
        let state = run.at_reset.as_ref().unwrap_or(&run.after);
        Self {
            outcome,
            detail: run.outcome.to_string(),
            reasons: run.reasons.iter().map(ReasonReport::from).collect(),
            flash: FlashReport::new(&run.migration, run.most_erases_of_a_sector()),
            until_target: run
                .until_target
                .map(|counts| FlashReport::new(&counts, run.most_erases_until(&run.after))),
            assumed: Vec::new(),
            commit_window: (run.window.ops() > 0 || run.hands_over())
                .then(|| WindowReport::new(&run.window)),
            download: (run.requests > 0)
                .then_some(DownloadReport { bytes: run.downloaded_bytes, requests: run.requests }),
            kept: kept
                .iter()
                .map(|(label, region)| KeptReport::new(label, *region, &run.before, state))
                .collect(),
            power_cuts: None,
            flash_faults: None,
            network_faults: None,
            running: None,
            partitions: Vec::new(),
            replayed: None,
        }
    }

    /// The part of this report about the partition that it is about.
    #[must_use]
    pub fn of_partition(&self, next_update: bool) -> PartitionReport {
        PartitionReport {
            running: self.running.clone().unwrap_or_default(),
            next_update,
            outcome: self.outcome,
            detail: self.detail.clone(),
            reasons: self.reasons.clone(),
            power_cuts: self.power_cuts.clone(),
            flash_faults: self.flash_faults.clone(),
            network_faults: self.network_faults.clone(),
        }
    }

    /// The report with the results of sweeps.
    #[must_use]
    pub fn with(self, outcomes: SweepOutcome) -> Self {
        let SweepOutcome { power_cuts, flash_faults, network_faults } = outcomes;
        Self { power_cuts, flash_faults, network_faults, ..self }
    }
}

impl PartitionReport {
    /// Cases of all sweeps that failed.
    #[must_use]
    pub fn failed_cases(&self) -> u64 {
        let cuts = self.power_cuts.as_ref().map_or(0, |report| report.failed);
        let faults = self.flash_faults.iter().chain(&self.network_faults);
        cuts + faults.map(|report| report.failed).sum::<u64>()
    }
}

impl FlashReport {
    fn new(counts: &Counts, most_erases_of_a_sector: u32) -> Self {
        let (typ_ms, max_ms) = modelled_ms(counts);
        let Counts {
            erase_4k,
            erase_32k,
            erase_64k,
            pages_programmed,
            bytes_programmed,
            bytes_read,
        } = *counts;
        Self {
            erase_4k,
            erase_32k,
            erase_64k,
            pages_programmed,
            bytes_programmed,
            bytes_read,
            typ_ms,
            max_ms,
            most_erases_of_a_sector,
        }
    }
}

impl WindowReport {
    fn new(counts: &Counts) -> Self {
        let (typ_ms, max_ms) = modelled_ms(counts);
        Self { erase_ops: counts.erases(), pages: counts.pages_programmed, typ_ms, max_ms }
    }
}

impl KeptReport {
    fn new(label: &str, region: Region, before: &NorMemory, after: &NorMemory) -> Self {
        Self {
            label: label.to_owned(),
            offset: region.start().get(),
            size: region.len_bytes(),
            intact: before.bytes(region) == after.bytes(region),
        }
    }
}
