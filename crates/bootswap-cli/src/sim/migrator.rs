//! The migrator on a simulated device: the firmware's part, played on the host.
//!
//! It knows nothing but what a chip could tell it: its flash, where it runs, its eFuses.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use bootswap_engine::{
    Buffers, CONTAINER_ALIGN_BYTES, ContainerHeader, Done, Engine, Event, Failure,
    HTTP_BUFFER_BYTES, HttpSource, Job, Platform, Veto,
};
use bootswap_plan::{Migration, Plan, Reasons, plan, previous_firmware};
use device_sim::{Exit, Machine, RunningApp, Software};
use esp_idf_format::image::{HEADER_LEN_BYTES, ImageHeader};
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES};
use flash_region::{FlashAddr, Region};
use nor_sim::{Clock, Driver, NorDevice, NorError, TypMax, run_until_powered_off};

use super::metered::Tallied;
use super::net::HostNetwork;
use super::scene::MIGRATOR_NAME;
use super::story::Story;
use crate::migration::OwnedFacts;

/// How the engine ended.
type Ended = Result<Done, Failure<NorError>>;

/// What the migrator came to, the last time that it ran to an end.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The plan that it carried out.
    pub plan: Option<Plan>,
    /// Why it refused.
    pub reasons: Reasons,
    /// Why it failed.
    pub failure: Option<String>,
    /// Whether the failure forbids a reset.
    pub stuck: bool,
    /// Whether it was done.
    pub done: bool,
    /// HTTP requests that it sent, over all its runs.
    pub requests: u32,
}

/// All software of a simulated device, and what came of the migrator among it.
pub trait Migrator: Software {
    /// What came of it so far.
    fn verdict(&mut self) -> &mut Verdict;
}

/// Which migrator a device has: the one that it is given, or, to find out whether a test would notice,
/// one that does something else.
pub type Firmware<'f> = dyn for<'a> Fn(SimulatedMigrator<'a>) -> Box<dyn Migrator + 'a> + Sync + 'f;

/// The [`Firmware`] that is as it should be.
#[must_use]
pub fn unchanged(migrator: SimulatedMigrator<'_>) -> Box<dyn Migrator + '_> {
    Box::new(migrator)
}

/// All software of a simulated device: the migrator, and whatever else is started stays as it is.
pub struct SimulatedMigrator<'a> {
    /// The migration, as it was packed into the migrator.
    pub migration: &'a Migration<'a>,
    /// Modelled time.
    pub clock: Clock,
    /// Who is told.
    pub story: &'a RefCell<Story>,
    /// Where body bytes are counted as they come.
    pub received: &'a Cell<u64>,
    /// What came of it.
    pub verdict: Verdict,
    /// Bytes of memory that it may stage in.
    pub staging_memory_len_bytes: u32,
    /// How long a connection may stay silent, in real time.
    pub network_timeout: Duration,
    /// The lab's server, to which every connection goes.
    pub server: Option<SocketAddr>,
}

struct Simulated<'a> {
    clock: &'a Clock,
    story: &'a RefCell<Story>,
}

impl Platform for Simulated<'_> {
    fn event(&mut self, event: &Event<'_>) {
        self.story.borrow_mut().event(self.clock, event);
    }

    async fn delay_ms(&mut self, ms: u32) {
        let us = u64::from(ms) * 1000;
        self.clock.advance_us(TypMax { typ: us, max: us });
    }

    async fn before_commit(&mut self) -> Result<(), Veto> {
        Ok(())
    }
}

impl Software for SimulatedMigrator<'_> {
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> Exit {
        if app.project_name() != MIGRATOR_NAME {
            return Exit::Stay;
        }
        self.migrate(app, machine).unwrap_or_else(|error| {
            // Reading flash failed: either there is no power any more, or the chip is broken.
            if error == NorError::PowerLost {
                Exit::PowerLost
            } else {
                Exit::Crashed { why: error.to_string() }
            }
        })
    }
}

impl Migrator for SimulatedMigrator<'_> {
    fn verdict(&mut self) -> &mut Verdict {
        &mut self.verdict
    }
}

impl SimulatedMigrator<'_> {
    fn migrate(&mut self, app: &RunningApp, mut machine: Machine<'_>) -> Result<Exit, NorError> {
        let container = find_container(app, machine.flash)?;
        let facts = self.facts(app, container, &mut machine)?;
        let facts = facts.lend();
        let plan = match plan(self.migration, &facts) {
            Ok(plan) => plan,
            Err(reasons) => return Ok(self.judge(Err(Box::new(reasons)))),
        };
        let network = HostNetwork { timeout: self.network_timeout, server: self.server };
        let mut buffer = Box::new([0; HTTP_BUFFER_BYTES]);
        let http = HttpSource::new(&network, &network, &mut buffer);
        let mut source = Tallied::new(http, self.received);
        let mut platform = Simulated { clock: &self.clock, story: self.story };
        let mut buffers = Box::new(Buffers::new());
        let mut memory = vec![0; facts.staging_memory_len_bytes as usize];
        let mut driver = Driver::<_, 4, 4>::with_alignment(&mut *machine.flash);
        let mut engine =
            Engine::new(&mut driver, &mut source, &mut platform, &mut buffers, &mut memory);
        let job = Job { migration: self.migration, facts: &facts, plan: &plan, container };
        let run = Box::pin(engine.run(&job));
        let ended = run_until_powered_off(run, machine.power);
        self.verdict.requests += source.inner().requests();
        let ended = ended.ok_or(NorError::PowerLost)?;
        Ok(self.judge(Ok((plan, ended))))
    }

    fn judge(&mut self, outcome: Result<(Plan, Ended), Box<Reasons>>) -> Exit {
        let say = |text: &str| {
            let stamp = super::story::stamp_ms(self.clock.now());
            self.story.borrow_mut().line(&format!("E ({stamp}) bootswap: {text}"));
        };
        match outcome {
            Err(reasons) => {
                for reason in reasons.iter() {
                    say(&format!("refused ({}): {reason}", reason.code()));
                }
                self.verdict.reasons = *reasons;
                Exit::Stay
            }
            Ok((plan, Ok(done))) => {
                self.verdict.plan = Some(plan);
                self.verdict.done = done == Done::NewBootloader;
                Exit::Reset
            }
            Ok((plan, Err(failure))) => {
                say(&failure.to_string());
                self.verdict.plan = Some(plan);
                self.verdict.stuck = !failure.may_reset();
                self.verdict.failure = Some(failure.to_string());
                // Every other failure may be gone at the next attempt; how many there are is the
                // engine's to count.
                let over = matches!(failure, Failure::GivenUp { .. }) || self.verdict.stuck;
                if over { Exit::Stay } else { Exit::Reset }
            }
        }
    }

    /// Finds out about the device, as the firmware does on a chip.
    fn facts(
        &self,
        app: &RunningApp,
        container: Option<Region>,
        machine: &mut Machine<'_>,
    ) -> Result<OwnedFacts, NorError> {
        let flash = &mut *machine.flash;
        let mut table = [0; TABLE_LEN_BYTES as usize];
        flash.read(TABLE_ADDR, &mut table)?;
        let partitions: Vec<Partition> =
            PartitionTable::parse(&table).map(|t| t.iter().collect()).unwrap_or_default();
        let mut header = [0; HEADER_LEN_BYTES as usize];
        flash.read(machine.board.chip().bootloader_addr(), &mut header)?;
        let header = ImageHeader::parse(&header).ok();
        let running = app.partition.region;
        let previous = previous_firmware(&partitions, running);
        let end = container.map_or(app.code().end(), Region::end);
        Ok(OwnedFacts {
            chip: machine.board.chip(),
            flash_len_bytes: flash.capacity_bytes(),
            partitions,
            running,
            running_len_bytes: end.bytes_since(running.start()),
            previous,
            bootloader_flash_len_bytes: header
                .and_then(|h| h.flash_size())
                .map(|size| size.bytes()),
            bootloader_flash_mode: header.and_then(|h| h.flash_mode()),
            secure_boot: machine.board.burnt().secure_boot,
            flash_encryption: machine.board.burnt().flash_encryption,
            staging_memory_len_bytes: self.staging_memory_len_bytes,
        })
    }
}

/// The container of embedded artifacts behind the running image, if there is one.
fn find_container(app: &RunningApp, flash: &mut dyn NorDevice) -> Result<Option<Region>, NorError> {
    let Some(start) = app.code().end().align_up(CONTAINER_ALIGN_BYTES) else { return Ok(None) };
    let rest = app.partition.region.from(start);
    let mut directory = vec![0; (rest.len_bytes() as usize).min(ContainerHeader::directory_len(8))];
    flash.read(rest.start(), &mut directory)?;
    let header = ContainerHeader::parse(&directory).ok();
    let region = header.map(|header| Region::clamped(FlashAddr(start.get()), header.len_bytes));
    Ok(region.filter(|region| rest.contains_region(*region)))
}
