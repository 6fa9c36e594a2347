//! The outcome of a run, with its name in reports.

use std::fmt;

use bootswap_plan::Role;
use device_sim::LifeOutcome;
use nor_sim::NorMemory;

use crate::life::{Environment, LifeRecord, Stop};

/// The outcome of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunOutcome {
    /// The target application runs, or would be started next.
    TargetRunning {
        /// What the bootloader reported.
        what: String,
    },
    /// The old system runs and can be migrated again.
    OldFirmware {
        /// Why it is not the target.
        why: String,
        /// Whether the migrator went back to the previous firmware, so that it must be delivered
        /// again.
        went_back: bool,
    },
    /// The migrator has given up, and there is no firmware to go back to: it tries again every
    /// hour.
    Stuck {
        /// Why it gave up.
        why: String,
    },
    /// The planner refused.
    Refused,
    /// The device no longer boots.
    Bricked {
        /// Why.
        why: String,
    },
}

/// The outcome of a run whose life left `after`, with this device and migration.
#[must_use]
pub fn of(record: &LifeRecord, environment: &Environment<'_>, after: &NorMemory) -> RunOutcome {
    let migrator = &record.migrator;
    let failure = || migrator.failure.clone();
    let why = || failure().unwrap_or_else(|| "the migration did not end".to_owned());
    match record.stop {
        Some(Stop::AtReset) => {
            return RunOutcome::TargetRunning { what: "the new bootloader, next".to_owned() };
        }
        Some(Stop::PowerLost) => {
            return RunOutcome::OldFirmware { why: "power was lost".to_owned(), went_back: false };
        }
        None => {}
    }
    match &record.life.outcome {
        LifeOutcome::TargetRunning(target) => {
            RunOutcome::TargetRunning { what: target.to_string() }
        }
        LifeOutcome::OldFirmwareRunning(_) if migrator.stuck => RunOutcome::Bricked { why: why() },
        LifeOutcome::OldFirmwareRunning(app) => {
            let application = environment.files.artifact(Role::Application);
            // Without a file, what was fetched and verified counts, if it is in place.
            let fetched = migrator.done
                && app.image != *environment.image
                && application.is_some_and(|a| {
                    a.bytes.is_none()
                        && a.dest.is_some_and(|d| d.start() == app.partition.region.start())
                });
            let runs =
                environment.files.artifact(Role::Application).and_then(|a| a.bytes.as_deref());
            let in_place = |bytes: &[u8]| {
                let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                after.bytes(app.partition.region.prefix(len_bytes)) == bytes
            };
            let goes_back = migrator.done && environment.migration.goes_back();
            if !migrator.reasons.is_empty() {
                RunOutcome::Refused
            } else if goes_back && app.image != *environment.image {
                RunOutcome::TargetRunning {
                    what: format!("{app}, and everything that the migration writes is in place"),
                }
            } else if fetched || runs.is_some_and(in_place) {
                RunOutcome::TargetRunning { what: app.to_string() }
            } else {
                if app.image == *environment.image {
                    return RunOutcome::Stuck { why: why() };
                }
                let never = || "the bootloader never started the migrator".to_owned();
                let why = failure().unwrap_or_else(never);
                RunOutcome::OldFirmware { why, went_back: true }
            }
        }
        LifeOutcome::Bricked(failure) => RunOutcome::Bricked { why: failure.to_string() },
        // While the migrator still runs and reports why, the device can be helped.
        _ => match failure() {
            Some(why) => RunOutcome::Stuck { why: format!("it resets again and again: {why}") },
            None => RunOutcome::Bricked { why: "it resets again and again".to_owned() },
        },
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetRunning { what } => write!(f, "target running: {what}"),
            Self::OldFirmware { why, .. } => write!(f, "old firmware: {why}"),
            Self::Stuck { why } => {
                write!(f, "stuck in the migrator, with no firmware to go back to: {why}")
            }
            Self::Refused => f.write_str("refused"),
            Self::Bricked { why } => write!(f, "bricked: {why}"),
        }
    }
}
