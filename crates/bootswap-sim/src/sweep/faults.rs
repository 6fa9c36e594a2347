//! Faults without a loss of power: one per case, with the required result.
//!
//! A transient fault must not keep a device from its target, or only until the next power on. A
//! permanent one, a stuck bit, may: then the old firmware must run.

use std::time::Instant;

use super::case::Case;
use super::context::SweepContext;
use super::error::SweepError;
use super::pool::Pool;
use super::power;
use super::report::{FailureReport, FaultsReport};
use super::worker::{CaseOutcome, Worker};
use crate::outcome::RunOutcome;
use crate::run::Run;

/// The required result of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demand {
    /// The target runs without another power cycle.
    Target,
    /// The target runs, at the latest after the next power on.
    TargetInTheEnd,
    /// Something runs that can be reached over the network.
    Alive,
}

/// Tries cases and compares each with its required result.
pub fn try_all(
    context: &SweepContext<'_>,
    life: &Run,
    cases: Vec<(Case, Demand)>,
    seed: u64,
    (what, pool): (&'static str, Pool),
) -> Result<FaultsReport, SweepError> {
    let started = Instant::now();
    let ended = pool.run(
        what,
        cases.len(),
        || Worker::new(context),
        |worker, index| {
            let Some((case, _)) = cases.get(index) else { return Ok(None) };
            let memory = match case.interrupted.last() {
                Some((_, cut)) => power::left_by(&life.recording, *cut)?,
                None => context.scenario.flash.clone(),
            };
            Ok(Some(worker.end(memory, &case.last)?))
        },
    )?;
    let mut report = FaultsReport {
        cases: cases.len() as u64,
        target_running: 0,
        old_firmware: 0,
        failed: 0,
        seconds: 0.0,
        seed,
        failures: Vec::new(),
    };
    for ((case, demand), ended) in cases.iter().zip(ended.iter().flatten()) {
        if !satisfies(ended, *demand) {
            report.failed += 1;
            let detail = match demand {
                Demand::TargetInTheEnd => ended.to_string(),
                Demand::Target | Demand::Alive => ended.first.to_string(),
            };
            report.failures.push(FailureReport::new(case, detail));
        } else if matches!(ended.first, RunOutcome::TargetRunning { .. }) {
            report.target_running += 1;
        } else {
            report.old_firmware += 1;
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

fn satisfies(ended: &CaseOutcome, demand: Demand) -> bool {
    match demand {
        Demand::Target => {
            matches!(ended.first, RunOutcome::TargetRunning { .. }) && ended.is_good()
        }
        Demand::TargetInTheEnd => ended.is_good(),
        Demand::Alive => {
            !matches!(ended.first, RunOutcome::Bricked { .. }) && ended.missing.is_none()
        }
    }
}
