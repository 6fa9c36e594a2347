//! Runs the cases of a sweep.
//!
//! ```text
//!   SweepContext  device, migration, files     one for a sweep
//!     '--> Worker  HTTP server                 one for a thread
//!            '--> Environment, Device, life    one for a case, or for each episode of it
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;

use bootswap_serve::Server;
use device_sim::Device;
use nor_sim::{Clock, Cut, DatasheetTiming, NorMemory, StuckBits, Timed};

use super::case::{Case, Hazards};
use super::context::SweepContext;
use super::error::SweepError;
use super::expected::Expected;
use super::faulty_migrator::FaultyMigrator;
use super::flash_fault::FlashFault;
use crate::life::{Environment, LifeRecord, Stop, chip, live};
use crate::migrator::MigratorFactory;
use crate::outcome::{self, RunOutcome};
use crate::run::{Run, run_from};
use crate::{Monitor, Unwatched};

/// The outcome of a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseOutcome {
    /// The outcome of its first run.
    pub first: RunOutcome,
    /// The final outcome: if the old firmware or the migrator ran at first, that of a second run
    /// without any fault after a power cycle, with the migrator delivered again if it had gone
    /// back.
    pub outcome: RunOutcome,
    /// Flash operations of the first run.
    pub ops: u64,
    /// How many of them the migrator had done when it was finished; `None` if it was not, or never
    /// ran.
    pub ops_at_reset: Option<u64>,
    /// Body bytes received.
    pub received_bytes: u64,
    /// What flash should contain at the end and does not.
    pub missing: Option<String>,
}

impl CaseOutcome {
    /// Whether the target runs at the end, and nothing was lost.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self.outcome, RunOutcome::TargetRunning { .. }) && self.missing.is_none()
    }
}

impl fmt::Display for CaseOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        let missing = self.missing.as_ref();
        missing.map_or(Ok(()), |what| write!(f, ", but {what} is not as it should be"))
    }
}

/// A case that was replayed with real power cuts.
#[derive(Debug)]
pub struct Replay {
    /// Its last run, with the device before all of them as `before`.
    pub run: Run,
    /// Whether its last cut was in the commit window.
    pub in_window: bool,
    /// What flash should contain at the end and does not.
    pub missing: Option<String>,
    /// Flash as its last cut left it; without a cut, as the case ended.
    pub left: NorMemory,
}

/// What one thread of a sweep needs.
pub struct Worker<'a> {
    context: &'a SweepContext<'a>,
    /// The server of all cases that need no separate one.
    server: Option<Server>,
    monitor: RefCell<Box<dyn Monitor>>,
}

impl<'a> Worker<'a> {
    /// A worker whose devices are not observed.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn new(context: &'a SweepContext<'a>) -> Result<Self, SweepError> {
        Self::with_monitor(context, Box::new(Unwatched))
    }

    /// A worker whose devices `monitor` observes.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn with_monitor(
        context: &'a SweepContext<'a>,
        monitor: Box<dyn Monitor>,
    ) -> Result<Self, SweepError> {
        // Used-up fault rules must be fresh for the next case, so each case gets its own server.
        let shared =
            context.faults.is_empty().then(|| context.files_served.serve(Vec::new(), None));
        Ok(Self { context, server: shared.transpose()?, monitor: RefCell::new(monitor) })
    }

    /// Runs a device with this flash, without a power cut, and records it.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn record(&self, memory: NorMemory, hazards: &Hazards) -> Result<Run, SweepError> {
        self.environment(hazards, |environment| run_from(environment, memory))
    }

    /// Runs a device with this flash until something stays running, and once more if that is the
    /// old firmware.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn end(&self, memory: NorMemory, hazards: &Hazards) -> Result<CaseOutcome, SweepError> {
        let (record, outcome, mut memory) = self.episode(memory, hazards)?;
        let mut after = memory.clone();
        let mut ended = CaseOutcome {
            first: outcome.clone(),
            outcome,
            ops: record.ops,
            ops_at_reset: record.ops_at_reset,
            received_bytes: record.received_bytes,
            missing: None,
        };
        if is_old_firmware(&ended.first) {
            self.deliver_again(&ended.first, &mut memory);
            let (record, outcome, left) = self.episode(memory, &Hazards::default())?;
            (ended.outcome, after) = (outcome, left);
            ended.received_bytes += record.received_bytes;
        }
        let target_runs = matches!(ended.outcome, RunOutcome::TargetRunning { .. });
        ended.missing = self.context.expected.missing_in(&after, target_runs);
        Ok(ended)
    }

    /// Runs a case literally: every episode from power on, with real power cuts.
    ///
    /// # Errors
    ///
    /// [`SweepError::NeverCut`] and [`SweepError::Server`].
    pub fn replay(&self, case: &Case) -> Result<Replay, SweepError> {
        let mut memory = self.context.scenario.flash.clone();
        let silent = Self::new(self.context)?;
        let uninterrupted = silent.record(memory.clone(), &Hazards::default())?;
        let expected = Expected::of(self.context.files, self.context.scenario, &uninterrupted);
        let mut in_window = false;
        for (hazards, cut) in &case.interrupted {
            let uncut = silent.record(memory.clone(), hazards)?;
            in_window = uncut.window_is_open_at(*cut);
            memory = self.cut(memory, hazards, *cut)?;
        }
        let cut = (!case.interrupted.is_empty()).then(|| memory.clone());
        let mut run = self.record(memory, &case.last)?;
        if is_old_firmware(&run.outcome) {
            self.monitor.borrow_mut().line("--- the old firmware runs; power off and on again");
            self.deliver_again(&run.outcome, &mut run.after);
            run = self.record(run.after, &Hazards::default())?;
        }
        run.before = self.context.scenario.flash.clone();
        let target_runs = matches!(run.outcome, RunOutcome::TargetRunning { .. });
        let missing = expected.missing_in(&run.after, target_runs);
        let left = cut.unwrap_or_else(|| run.after.clone());
        Ok(Replay { run, in_window, missing, left })
    }

    /// Runs until power is lost at `cut`, and returns the flash that this leaves.
    ///
    /// # Errors
    ///
    /// [`SweepError::NeverCut`] and [`SweepError::Server`].
    pub fn cut(
        &self,
        memory: NorMemory,
        hazards: &Hazards,
        cut: Cut,
    ) -> Result<NorMemory, SweepError> {
        self.environment(hazards, |environment| {
            let clock = Clock::new();
            let timing = DatasheetTiming::W25Q32JV;
            let flash = Timed::sharing(chip(memory, environment.stuck), timing, clock.clone());
            let device = Device::new(environment.board.clone(), flash);
            let mut device = device.with_clock(clock.clone()).with_cut(cut);
            let record = live(environment, &mut device, &clock, &Cell::new(0), &mut |_| {});
            match record.stop {
                Some(Stop::PowerLost) => Ok(device.memory().clone()),
                _ => Err(SweepError::NeverCut { op: cut.op, ops: record.ops }),
            }
        })?
    }

    /// What an owner does after the migrator of a device went back.
    fn deliver_again(&self, outcome: &RunOutcome, memory: &mut NorMemory) {
        if matches!(outcome, RunOutcome::OldFirmware { went_back: true, .. }) {
            self.context.scenario.deliver_again(memory);
        }
    }

    fn episode(
        &self,
        memory: NorMemory,
        hazards: &Hazards,
    ) -> Result<(LifeRecord, RunOutcome, NorMemory), SweepError> {
        self.environment(hazards, |environment| {
            let mut device =
                Device::new(environment.board.clone(), chip(memory, environment.stuck));
            let received = Cell::new(0);
            let record = live(environment, &mut device, &Clock::new(), &received, &mut |_| {});
            let outcome = outcome::of(&record, environment, device.memory());
            (record, outcome, device.into_flash().into_inner())
        })
    }

    fn environment<R>(
        &self,
        hazards: &Hazards,
        use_it: impl FnOnce(&Environment<'_>) -> R,
    ) -> Result<R, SweepError> {
        let SweepContext {
            scenario,
            files,
            migration,
            files_served,
            faults,
            settings,
            firmware,
            ..
        } = self.context;
        let own;
        let server = match &self.server {
            Some(server) if hazards.network.is_empty() => server,
            _ => {
                let faults = [hazards.network.as_slice(), faults].concat();
                own = files_served.serve(faults, None)?;
                &own
            }
        };
        let faulty;
        let (mut on_trial, mut stuck): (&MigratorFactory<'_>, _) = (*firmware, None);
        match hazards.flash {
            None => {}
            Some(FlashFault::Stuck { addr, bit, value }) => {
                let [at_0, at_1] = if value { [0, 1 << bit] } else { [1 << bit, 0] };
                stuck = Some(StuckBits { addr, at_0, at_1 });
            }
            Some(fault) => {
                faulty = FaultyMigrator::firmware(firmware, fault);
                on_trial = &*faulty;
            }
        }
        let (board, monitor, settings) = (&scenario.board, &self.monitor, *settings);
        let image = &scenario.migrator;
        let (server, firmware) = (Some(server.addr()), on_trial);
        Ok(use_it(&Environment {
            board,
            image,
            files,
            migration,
            settings,
            firmware,
            server,
            stuck,
            monitor,
        }))
    }
}

const fn is_old_firmware(outcome: &RunOutcome) -> bool {
    matches!(
        outcome,
        RunOutcome::OldFirmware { .. } | RunOutcome::Stuck { .. } | RunOutcome::Refused
    )
}
