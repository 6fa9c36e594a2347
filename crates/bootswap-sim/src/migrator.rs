//! The migrator on a simulated device: the firmware's own code, on a board that the host simulates.
//!
//! ```text
//!   Machine (flash, eFuses) ──> SimulatedBoard, Driver ──> bootswap_migrator::Migrator ──> AppExit
//!   HostNetwork ──────────────> HttpSource ───────────────────'     '──> Monitor, MigratorOutcome
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bootswap_engine::{Buffers, Event, HTTP_BUFFER_BYTES, HttpSource};
use bootswap_migrator::{CommitWindow, Hardware, Identity, Log, LogSink, News};
use bootswap_plan::{Migration, Plan, Reasons};
use device_sim::{AppExit, Machine, RunningApp, Software};
use esp_idf_format::image::ImageInfo;
use nor_sim::{Clock, Driver, TypMax, run_until_powered_off};

use crate::metered::Tallied;
use crate::monitor::{Monitor, stamp_ms};
use crate::net::HostNetwork;

/// How long a migrator that only waits is watched, in modelled milliseconds: longer than all waits
/// of a series of attempts together, and shorter than the pause between two series.
const PATIENCE_MS: u32 = 30 * 60 * 1000;

/// The results of the migrator's last complete run.
#[derive(Debug, Default)]
pub struct MigratorOutcome {
    /// The plan that it carried out.
    pub plan: Option<Plan>,
    /// Why it refused.
    pub reasons: Reasons,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether it can neither continue nor reset, because the bootloader is half written.
    pub stuck: bool,
    /// Whether it was done.
    pub done: bool,
    /// HTTP requests that it sent, over all its runs.
    pub requests: u32,
}

/// All software of a simulated device, including the migrator.
pub trait MigratorSoftware: Software {
    /// What the migrator did so far.
    fn outcome(&mut self) -> &mut MigratorOutcome;
}

/// Makes the migrator of a device: the one that is passed in, or one with a planted fault, to check
/// that a test detects it.
pub type MigratorFactory<'f> =
    dyn for<'a> Fn(SimulatedMigrator<'a>) -> Box<dyn MigratorSoftware + 'a> + Sync + 'f;

/// The [`MigratorFactory`] that changes nothing.
#[must_use]
pub fn unchanged(migrator: SimulatedMigrator<'_>) -> Box<dyn MigratorSoftware + '_> {
    Box::new(migrator)
}

/// All software of a simulated device: the migrator; any other app that is started just stays
/// running.
pub struct SimulatedMigrator<'a> {
    /// Its image. Any other app that is started is not this migrator, whatever its name.
    pub image: ImageInfo,
    /// The migration, as it was packed into the migrator.
    pub migration: &'a Migration<'a>,
    /// Modelled time.
    pub clock: Clock,
    /// Observer of the device.
    pub monitor: &'a RefCell<dyn Monitor + 'a>,
    /// Counts body bytes as they arrive.
    pub received: &'a Cell<u64>,
    /// Its results.
    pub outcome: MigratorOutcome,
    /// Bytes of memory that it may use for staging.
    pub staging_memory_len_bytes: u32,
    /// How long a connection may stay silent, in real time.
    pub network_timeout: Duration,
    /// The server to which every connection goes; `None` for the hosts that the migration names.
    pub server: Option<SocketAddr>,
}

impl Software for SimulatedMigrator<'_> {
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> AppExit {
        if app.image != self.image {
            return AppExit::Stay;
        }
        let burnt = machine.board.burnt();
        let identity = Identity {
            chip: machine.board.chip(),
            chip_revision: None,
            flash_len_bytes: machine.flash.capacity_bytes(),
            image_start: app.partition.region.start(),
            secure_boot: burnt.secure_boot,
            flash_encryption: burnt.flash_encryption,
        };
        let network = HostNetwork { timeout: self.network_timeout, server: self.server };
        let mut buffer = Box::new([0; HTTP_BUFFER_BYTES]);
        let http = HttpSource::new(&network, &network, &mut buffer);
        let mut source = Tallied::new(http, self.received);
        let mut buffers = Box::new(Buffers::new());
        let mut memory = vec![0; self.staging_memory_len_bytes as usize];
        let mut flash = Driver::<_, 4, 4>::with_alignment(machine.flash);
        let (window, waited_ms) = (CommitWindow::new(), Cell::new(0));
        let console = Console { clock: &self.clock, monitor: self.monitor };
        let mut board = SimulatedBoard {
            identity,
            clock: &self.clock,
            monitor: self.monitor,
            outcome: &mut self.outcome,
            waited_ms: &waited_ms,
        };
        let migrator = bootswap_migrator::Migrator {
            flash: &mut flash,
            board: &mut board,
            log: Log::new(&console, self.monitor.borrow().level()),
            window: &window,
            buffers: &mut buffers,
        };
        let run = Box::pin(migrator.migrate(self.migration, &mut source, &mut memory));
        let next = run_until_powered_off(watched(run, &waited_ms), machine.power);
        self.outcome.requests += source.inner().requests();
        match next {
            None => AppExit::PowerLost,
            Some(Some(())) => AppExit::Reset,
            Some(None) => {
                self.outcome.stuck = window.is_open();
                AppExit::Stay
            }
        }
    }
}

impl MigratorSoftware for SimulatedMigrator<'_> {
    fn outcome(&mut self) -> &mut MigratorOutcome {
        &mut self.outcome
    }
}

/// The output of `run`; `None` if it only waits.
async fn watched<F: Future>(run: F, waited_ms: &Cell<u32>) -> Option<F::Output> {
    let mut run = pin!(run);
    poll_fn(|context| {
        if waited_ms.get() > PATIENCE_MS {
            return Poll::Ready(None);
        }
        run.as_mut().poll(context).map(Some)
    })
    .await
}

/// The chip and its board.
struct SimulatedBoard<'a> {
    identity: Identity,
    clock: &'a Clock,
    monitor: &'a RefCell<dyn Monitor + 'a>,
    outcome: &'a mut MigratorOutcome,
    /// Its waiting time since it was started.
    waited_ms: &'a Cell<u32>,
}

impl Hardware for SimulatedBoard<'_> {
    fn identity(&mut self) -> Identity {
        self.identity
    }

    fn feed(&mut self) {}

    async fn delay_ms(&mut self, ms: u32) {
        self.waited_ms.set(self.waited_ms.get().saturating_add(ms));
        if self.waited_ms.get() > PATIENCE_MS {
            // It has been watched long enough.
            pending::<()>().await;
        }
        let us = u64::from(ms) * 1000;
        self.clock.advance_us(TypMax { typ: us, max: us });
    }

    async fn quiet(&mut self) {}

    fn hears(&mut self, news: News<'_>) {
        match news {
            News::Planned(plan) => self.outcome.plan = Some(plan.clone()),
            News::Refused(reasons) => self.outcome.reasons = reasons.clone(),
            News::Failed(failure) => self.outcome.failure = Some(failure.to_string()),
            News::Event(Event::Resetting) => self.outcome.done = true,
            News::Event(event) => self.monitor.borrow_mut().progress(event),
            _ => {}
        }
    }
}

/// The serial console.
struct Console<'a> {
    clock: &'a Clock,
    monitor: &'a RefCell<dyn Monitor + 'a>,
}

impl LogSink for Console<'_> {
    fn now_ms(&self) -> u64 {
        stamp_ms(self.clock.now())
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        self.monitor.borrow_mut().line(&line.to_string());
    }
}
