//! Sweeps: a migration is tried again and again, and each time something else goes wrong.
//!
//! ```text
//!   Bench, Seat   what a case is tried on: scene, files, server     bench
//!   Case          what goes wrong, as it is typed to replay it      case, frail
//!   sweeps        which cases there are, what each has to end in    power, faults, ...
//!   Pool          threads                                           pool
//!   reports       what it came to                                   report, text
//! ```
//!
//! Nothing here knows what the migrator would call a checkpoint or a step: it looks at flash, at what
//! boots from it, and at what came over the network.

mod bench;
mod case;
mod choice;
mod error;
mod expected;
mod faults;
mod flash_faults;
mod frail;
mod network_faults;
mod pool;
mod power;
pub mod report;
mod text;
mod window;

#[cfg(test)]
mod tests;

pub use bench::{Bench, Ended, Replayed, Seat};
pub use case::{BadCase, Case, Hazards};
pub use choice::Amount;
pub use error::SweepError;
pub use expected::Expected;
pub use frail::FlashFault;
pub use pool::{Pool, Progress};
pub use power::PowerCuts;

use super::lab::over_http;
use super::{Ending, Run, Scene, Settings};
use bootswap_migration::OwnedMigration;
use report::{FaultsReport, PowerCutsReport};

/// Which sweeps are made.
#[derive(Clone, Copy, Debug)]
pub struct Sweeps {
    /// Losses of power.
    pub power_cuts: PowerCuts,
    /// Faults of the flash.
    pub flash_faults: Amount,
    /// Faults of the server.
    pub network_faults: Amount,
    /// On how many threads.
    pub pool: Pool,
}

/// What sweeps came to; `None` for one that was not made.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Losses of power.
    pub power_cuts: Option<PowerCutsReport>,
    /// Faults of the flash.
    pub flash_faults: Option<FaultsReport>,
    /// Faults of the server.
    pub network_faults: Option<FaultsReport>,
}

impl Sweeps {
    /// Whether any sweep is made.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        let Self { power_cuts, flash_faults, network_faults, .. } = self;
        [power_cuts.amount, *flash_faults, *network_faults].iter().any(|a| *a != Amount::None)
    }

    /// Makes the sweeps of `life`, which begins with the bench's scene and was not interrupted.
    ///
    /// # Errors
    ///
    /// [`SweepError`].
    pub fn run(&self, bench: &Bench<'_>, life: &Run) -> Result<Findings, SweepError> {
        let bench = &Bench { expected: Expected::of(bench, life), ..bench.clone() };
        let (pool, seed) = (self.pool, self.power_cuts.seed);
        let wanted = |amount: Amount| (amount != Amount::None).then_some(amount);
        let power = wanted(self.power_cuts.amount);
        let power = power.map(|_| self.power_cuts.sweep(bench, life, pool));
        let flash = wanted(self.flash_faults);
        let flash = flash.map(|amount| flash_faults::sweep(bench, life, amount, seed, pool));
        let network = wanted(self.network_faults);
        let network = network.map(|amount| network_faults::sweep(bench, life, amount, seed, pool));
        Ok(Findings {
            power_cuts: power.transpose()?,
            flash_faults: flash.transpose()?,
            network_faults: network.transpose()?,
        })
    }
}

/// Lives through a migration and, if that reaches the target, makes the sweeps of that life.
///
/// # Errors
///
/// [`SweepError`].
pub fn sweep(
    migration: &OwnedMigration,
    scene: &Scene,
    settings: Settings,
    sweeps: &Sweeps,
) -> Result<(Run, Findings), SweepError> {
    let migration = over_http(migration);
    migration.with(|lent| {
        let bench = Bench::new(scene, &migration, lent, settings);
        let run = Seat::new(&bench)?.record(scene.flash.clone(), &Hazards::default())?;
        let findings = match run.ending {
            Ending::TargetRunning { .. } => sweeps.run(&bench, &run)?,
            _ => Findings::default(),
        };
        Ok((run, findings))
    })
}

impl Findings {
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
