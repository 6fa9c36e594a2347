//! What the cases of a sweep are tried on.
//!
//! ```text
//!   Bench  scene, migration, files      one for a sweep
//!     '--> Seat  HTTP server            one for a thread
//!            '--> World, Device, life   one for a case, or for each episode of it
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;

use bootswap_plan::Migration;
use bootswap_serve::{Fault, Server};
use device_sim::{BootOutcome, Device};
use nor_sim::{Clock, Cut, DatasheetTiming, NorMemory, StuckBits, Timed};

use super::case::{Case, Hazards};
use super::error::SweepError;
use super::expected::Expected;
use super::frail::{FlashFault, Frail};
use super::window;
use crate::lab::Shelf;
use crate::life::{End, Ending, Life, Run, World, chip, ending, live, run_from};
use crate::migrator::{Firmware, unchanged};
use crate::{Monitor, Unwatched};
use crate::{Scene, Settings};
use bootswap_migration::OwnedMigration;

/// What all cases of a sweep have in common.
#[derive(Clone)]
pub struct Bench<'a> {
    /// The device before its migration.
    pub scene: &'a Scene,
    /// The migration with its files.
    pub files: &'a OwnedMigration,
    /// The same, lent. No address in it wants TLS: whoever it names, the bench's server answers.
    pub migration: &'a Migration<'a>,
    /// The files, to be served.
    pub shelf: Shelf,
    /// How the server fails in every episode.
    pub faults: Vec<Fault>,
    /// What flash has to hold in the end.
    pub expected: Expected,
    /// What every life is like.
    pub settings: Settings,
    /// The migrator on trial.
    pub firmware: &'a Firmware<'a>,
}

impl<'a> Bench<'a> {
    /// A bench for this device and migration, which is both owned and lent, with a server that does not
    /// fail.
    #[must_use]
    pub fn new(
        scene: &'a Scene,
        files: &'a OwnedMigration,
        migration: &'a Migration<'a>,
        settings: Settings,
    ) -> Self {
        Self {
            scene,
            files,
            migration,
            shelf: Shelf::of(files),
            faults: Vec::new(),
            expected: Expected::default(),
            settings,
            firmware: &unchanged,
        }
    }
}

/// What a device came to that was left to itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// How it ended at first.
    pub first: Ending,
    /// How it ended in the end: where the old firmware ran at first, after a power cycle without any
    /// fault, and with the migrator delivered again if it had gone back.
    pub ending: Ending,
    /// Flash operations until it ended at first.
    pub ops: u64,
    /// How many of them the migrator had made when it was done; `None` if it was not, or never ran.
    pub ops_at_reset: Option<u64>,
    /// Body bytes received.
    pub received_bytes: u64,
    /// What flash should hold in the end and does not.
    pub missing: Option<String>,
}

impl Ended {
    /// Whether the target runs in the end, and nothing was lost on the way.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(self.ending, Ending::TargetRunning { .. }) && self.missing.is_none()
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ending)?;
        let missing = self.missing.as_ref();
        missing.map_or(Ok(()), |what| write!(f, ", but {what} is not as it should be"))
    }
}

/// A case that was lived through as it is written.
#[derive(Debug)]
pub struct Replayed {
    /// Its last life, compared with the device before all of them.
    pub run: Run,
    /// Whether its last cut fell into the commit window.
    pub in_window: bool,
    /// What flash should hold in the end and does not.
    pub missing: Option<String>,
}

/// One thread's place at a bench.
pub struct Seat<'a> {
    bench: &'a Bench<'a>,
    /// The server of all cases that need no other one.
    server: Option<Server>,
    monitor: RefCell<Box<dyn Monitor>>,
}

impl<'a> Seat<'a> {
    /// A place where nobody is told what happens.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn new(bench: &'a Bench<'a>) -> Result<Self, SweepError> {
        Self::with_monitor(bench, Box::new(Unwatched))
    }

    /// A place where `monitor` watches.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn with_monitor(
        bench: &'a Bench<'a>,
        monitor: Box<dyn Monitor>,
    ) -> Result<Self, SweepError> {
        // Rules that are used up must not be so for the next life.
        let shared = bench.faults.is_empty().then(|| bench.shelf.serve(Vec::new(), None));
        Ok(Self { bench, server: shared.transpose()?, monitor: RefCell::new(monitor) })
    }

    /// Lives from flash as it is, without interruption and with account of it.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn record(&self, memory: NorMemory, hazards: &Hazards) -> Result<Run, SweepError> {
        self.world(hazards, |world| run_from(world, memory))
    }

    /// Lives from flash as it is until something stays, and once more if that is the old firmware.
    ///
    /// # Errors
    ///
    /// [`SweepError::Server`].
    pub fn end(&self, memory: NorMemory, hazards: &Hazards) -> Result<Ended, SweepError> {
        let (life, ending, mut memory) = self.episode(memory, hazards)?;
        let mut after = memory.clone();
        let mut ended = Ended {
            first: ending.clone(),
            ending,
            ops: life.ops,
            ops_at_reset: life.ops_at_reset,
            received_bytes: life.received_bytes,
            missing: None,
        };
        if is_old_firmware(&ended.first) {
            self.deliver_again(&ended.first, &mut memory);
            let (life, ending, left) = self.episode(memory, &Hazards::default())?;
            (ended.ending, after) = (ending, left);
            ended.received_bytes += life.received_bytes;
        }
        let target_runs = matches!(ended.ending, Ending::TargetRunning { .. });
        ended.missing = self.bench.expected.missing_in(&after, target_runs);
        Ok(ended)
    }

    /// Lives through a case as it is written: every episode from power on, with real cuts.
    ///
    /// # Errors
    ///
    /// [`SweepError::NeverCut`] and [`SweepError::Server`].
    pub fn replay(&self, case: &Case) -> Result<Replayed, SweepError> {
        let mut memory = self.bench.scene.flash.clone();
        let silent = Self::new(self.bench)?;
        let uninterrupted = silent.record(memory.clone(), &Hazards::default())?;
        let expected = Expected::of(self.bench, &uninterrupted);
        let mut in_window = false;
        for (hazards, cut) in &case.interrupted {
            let uncut = silent.record(memory.clone(), hazards)?;
            in_window = window::is_open_at(&uncut, *cut);
            memory = self.cut(memory, hazards, *cut)?;
        }
        let mut run = self.record(memory, &case.last)?;
        if is_old_firmware(&run.ending) {
            self.monitor.borrow_mut().line("--- the old firmware runs; power off and on again");
            self.deliver_again(&run.ending, &mut run.after);
            run = self.record(run.after, &Hazards::default())?;
        }
        run.before = self.bench.scene.flash.clone();
        let target_runs = matches!(run.ending, Ending::TargetRunning { .. });
        let missing = expected.missing_in(&run.after, target_runs);
        Ok(Replayed { run, in_window, missing })
    }

    /// Lives until power goes at `cut`, and gives back what that leaves.
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
        self.world(hazards, |world| {
            let clock = Clock::new();
            let timing = DatasheetTiming::W25Q32JV;
            let flash = Timed::sharing(chip(memory, world.stuck), timing, clock.clone());
            let device = Device::new(world.board.clone(), flash);
            let mut device = device.with_clock(clock.clone()).with_cut(cut);
            let life = live(world, &mut device, &clock, &Cell::new(0), &mut |_| {});
            match life.end {
                End::Boot(BootOutcome::PowerLost(_)) => Ok(device.memory().clone()),
                _ => Err(SweepError::NeverCut { op: cut.op, ops: life.ops }),
            }
        })?
    }

    /// What the owner of a device does whose migrator went back.
    fn deliver_again(&self, ending: &Ending, memory: &mut NorMemory) {
        if matches!(ending, Ending::OldFirmware { went_back: true, .. }) {
            self.bench.scene.deliver_again(memory);
        }
    }

    fn episode(
        &self,
        memory: NorMemory,
        hazards: &Hazards,
    ) -> Result<(Life, Ending, NorMemory), SweepError> {
        self.world(hazards, |world| {
            let mut device = Device::new(world.board.clone(), chip(memory, world.stuck));
            let received = Cell::new(0);
            let life = live(world, &mut device, &Clock::new(), &received, &mut |_| {});
            let ending = ending(&life, world.files, device.memory());
            (life, ending, device.into_flash().into_inner())
        })
    }

    fn world<R>(
        &self,
        hazards: &Hazards,
        use_it: impl FnOnce(&World<'_>) -> R,
    ) -> Result<R, SweepError> {
        let Bench { scene, files, migration, shelf, faults, settings, firmware, .. } = self.bench;
        let own;
        let server = match &self.server {
            Some(server) if hazards.network.is_empty() => server,
            _ => {
                let faults = [hazards.network.as_slice(), faults].concat();
                own = shelf.serve(faults, None)?;
                &own
            }
        };
        let frail;
        let (mut on_trial, mut stuck): (&Firmware<'_>, _) = (*firmware, None);
        match hazards.flash {
            None => {}
            Some(FlashFault::Stuck { addr, bit, value }) => {
                let [at_0, at_1] = if value { [0, 1 << bit] } else { [1 << bit, 0] };
                stuck = Some(StuckBits { addr, at_0, at_1 });
            }
            Some(fault) => {
                frail = Frail::firmware(firmware, fault);
                on_trial = &*frail;
            }
        }
        let (board, monitor, settings) = (&scene.board, &self.monitor, *settings);
        let (server, firmware) = (Some(server.addr()), on_trial);
        Ok(use_it(&World { board, files, migration, settings, firmware, server, stuck, monitor }))
    }
}

const fn is_old_firmware(ending: &Ending) -> bool {
    matches!(ending, Ending::OldFirmware { .. } | Ending::Refused)
}
