//! Sweeps: a migration is tried again and again, each time with a different fault.
//!
//! ```text
//!   SweepContext, Worker  what a case is tried on: device, files, server      context, worker
//!   Case, FlashFault      what goes wrong, as it is typed to replay it        case, flash_fault
//!   FaultyMigrator        a migrator over flash that goes wrong               faulty_migrator
//!   sweeps                which cases there are, how each has to end          power, ..._faults
//!   Pool                  threads                                             pool
//!   SweepOutcome          what was found                                      report, text
//! ```
//!
//! Nothing here knows the migrator's checkpoints or steps: it looks at flash, at what boots from
//! it, and at what was received over the network.

mod case;
mod choice;
mod context;
mod error;
mod expected;
mod faults;
mod faulty_migrator;
mod flash_fault;
mod flash_faults;
mod network_faults;
mod pool;
mod power;
pub mod report;
mod text;
mod worker;

#[cfg(test)]
mod tests;

pub use case::{BadCase, Case, Hazards};
pub use choice::Amount;
pub use context::SweepContext;
pub use error::SweepError;
pub use expected::Expected;
pub use flash_fault::FlashFault;
pub use pool::{Pool, SweepProgress};
pub use power::PowerCuts;
pub use worker::{CaseOutcome, Replay, Worker};

use bootswap_migration::OwnedMigration;
use report::{FaultsReport, PowerCutsReport};

use crate::origin::over_http;
use crate::{Run, RunOutcome, Scenario, Settings};

/// Which sweeps are run.
#[derive(Clone, Copy, Debug)]
pub struct Sweeps {
    /// Losses of power.
    pub power_cuts: PowerCuts,
    /// Faults of the flash.
    pub flash_faults: Amount,
    /// Faults of the server.
    pub network_faults: Amount,
    /// The threads.
    pub pool: Pool,
}

/// The results of sweeps; `None` for one that was not run.
#[derive(Clone, Debug, Default)]
pub struct SweepOutcome {
    /// Losses of power.
    pub power_cuts: Option<PowerCutsReport>,
    /// Faults of the flash.
    pub flash_faults: Option<FaultsReport>,
    /// Faults of the server.
    pub network_faults: Option<FaultsReport>,
}

impl Sweeps {
    /// Whether any sweep is requested.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        let Self { power_cuts, flash_faults, network_faults, .. } = self;
        [power_cuts.amount, *flash_faults, *network_faults].iter().any(|a| *a != Amount::None)
    }

    /// Runs the sweeps of `life`, which begins with the context's device and was not interrupted.
    ///
    /// # Errors
    ///
    /// [`SweepError`].
    pub fn run(&self, context: &SweepContext<'_>, life: &Run) -> Result<SweepOutcome, SweepError> {
        let context = &SweepContext {
            expected: Expected::of(context.files, context.scenario, life),
            ..context.clone()
        };
        let (pool, seed) = (self.pool, self.power_cuts.seed);
        let wanted = |amount: Amount| (amount != Amount::None).then_some(amount);
        let power = wanted(self.power_cuts.amount);
        let power = power.map(|_| self.power_cuts.sweep(context, life, pool));
        let flash = wanted(self.flash_faults);
        let flash = flash.map(|amount| flash_faults::sweep(context, life, amount, seed, pool));
        let network = wanted(self.network_faults);
        let network =
            network.map(|amount| network_faults::sweep(context, life, amount, seed, pool));
        Ok(SweepOutcome {
            power_cuts: power.transpose()?,
            flash_faults: flash.transpose()?,
            network_faults: network.transpose()?,
        })
    }
}

/// Runs a migration and, if it reaches the target, the sweeps of that life.
///
/// # Errors
///
/// [`SweepError`].
pub fn sweep(
    migration: &OwnedMigration,
    scenario: &Scenario,
    settings: Settings,
    sweeps: &Sweeps,
) -> Result<(Run, SweepOutcome), SweepError> {
    let migration = over_http(migration);
    migration.with(|lent| {
        let context = SweepContext::new(scenario, &migration, lent, settings);
        let run = Worker::new(&context)?.record(scenario.flash.clone(), &Hazards::default())?;
        let outcomes = match run.outcome {
            RunOutcome::TargetRunning { .. } => sweeps.run(&context, &run)?,
            _ => SweepOutcome::default(),
        };
        Ok((run, outcomes))
    })
}

impl SweepOutcome {
    /// The cases that failed, of all sweeps.
    pub fn failures_mut(&mut self) -> impl Iterator<Item = &mut report::FailureReport> {
        let power = self.power_cuts.iter_mut().flat_map(|report| &mut report.failures);
        let faults = [&mut self.flash_faults, &mut self.network_faults];
        power.chain(faults.into_iter().flatten().flat_map(|report| &mut report.failures))
    }

    /// Whether no case failed.
    #[must_use]
    pub fn are_good(&self) -> bool {
        let faults = [&self.flash_faults, &self.network_faults];
        self.power_cuts.as_ref().is_none_or(|report| report.failed == 0)
            && faults.into_iter().flatten().all(|report| report.failed == 0)
    }
}
