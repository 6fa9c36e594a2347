//! A run: one life of a device, from power on to the target, with every operation recorded.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use bootswap_plan::{Plan, Reasons, Step};
use device_sim::Device;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use nor_sim::{
    Clock, Counted, Counts, Cut, DatasheetTiming, NorDevice, NorMemory, Op, Recorded, Recording,
    Timed,
};

use crate::life::{Environment, FlashChip, LifeRecord, Settings, chip, live};
use crate::metered::Metered;
use crate::migrator::unchanged;
use crate::origin::OriginServer;
use crate::outcome::{self, RunOutcome};
use crate::scenario::Scenario;
use crate::{Monitor, window};

/// The flash of a recorded device: the chip at the bottom, recorders and counters on top.
type Watched<'a> = Timed<Counted<Metered<'a, Recorded<FlashChip>>>>;

/// A migration on a simulated device, and the resulting flash.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Boots, from power on to the end.
    pub boots: u32,
    /// Why the planner refused, if it did.
    pub reasons: Reasons,
    /// The plan that was carried out, if there was one.
    pub plan: Option<Plan>,
    /// Flash before the first boot.
    pub before: NorMemory,
    /// Flash right before the commit, if there was one.
    pub at_commit: Option<NorMemory>,
    /// Flash when the migrator was done.
    pub at_reset: Option<NorMemory>,
    /// Flash at the end.
    pub after: NorMemory,
    /// Flash operations until the reset into the new bootloader.
    pub migration: Counts,
    /// Flash operations until the target ran; `None` if it never did, or the run ended before.
    pub until_target: Option<Counts>,
    /// Flash operations in the commit window: the last unbroken series that writes what the device
    /// boots from.
    pub window: Counts,
    /// Every operation until that reset.
    pub ops: Vec<Op>,
    /// Every operation until the end, with its bytes.
    pub recording: Recording,
    /// Body bytes that the device had received before each of them.
    pub received_before: Vec<u64>,
    /// HTTP requests that the device sent.
    pub requests: u32,
    /// Body bytes that the device received.
    pub downloaded_bytes: u64,
}

impl Run {
    /// Erases of the sector that was erased most often, until the reset into the new bootloader.
    #[must_use]
    pub fn most_erases_of_a_sector(&self) -> u32 {
        self.most_erases_until(self.at_reset.as_ref().unwrap_or(&self.after))
    }

    /// The same until the flash was in that state.
    #[must_use]
    pub fn most_erases_until(&self, then: &NorMemory) -> u32 {
        let whole = Region::clamped(FlashAddr::ZERO, then.capacity_bytes());
        let sectors = whole.chunks(SECTOR_BYTES).map(|sector| sector.start());
        let erases = |addr| then.erase_count(addr).saturating_sub(self.before.erase_count(addr));
        sectors.map(erases).max().unwrap_or(0)
    }
}

impl Run {
    /// The run of a migrator that cannot be delivered, in which nothing happens.
    fn undelivered(scenario: &Scenario) -> Self {
        Self {
            outcome: RunOutcome::Refused,
            boots: 0,
            reasons: scenario.undeliverable.clone(),
            plan: None,
            before: scenario.flash.clone(),
            at_commit: None,
            at_reset: None,
            after: scenario.flash.clone(),
            migration: Counts::default(),
            until_target: None,
            window: Counts::default(),
            ops: Vec::new(),
            recording: Recording::default(),
            received_before: Vec::new(),
            requests: 0,
            downloaded_bytes: 0,
        }
    }

    /// The range of [`Run::ops`] that is the commit window.
    #[must_use]
    pub fn commit_window(&self) -> Option<Range<usize>> {
        window::of_plan(&self.ops, self.plan.as_ref())
    }

    /// The region that the commit writes, in the plan that was carried out.
    #[must_use]
    pub fn commit_region(&self) -> Option<Region> {
        self.plan.as_ref().and_then(Plan::commit_region)
    }

    /// Whether the plan that was carried out has no commit window, because the old bootloader
    /// stays.
    #[must_use]
    pub fn hands_over(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| otadata_of_handover(plan).is_some())
    }

    /// Whether power lost at `cut` is lost in the commit window.
    #[must_use]
    pub fn window_is_open_at(&self, cut: Cut) -> bool {
        self.commit_window().is_some_and(|window| window::is_inside(&window, cut))
    }
}

/// The region that each step of the commit may erase.
pub(crate) fn commit_regions(plan: Option<&Plan>) -> Vec<Region> {
    let steps = plan.map(|plan| plan.steps.iter()).into_iter().flatten();
    let regions = steps.filter_map(|step| match step {
        Step::Commit { to, .. } => Some(to.erasable),
        _ => None,
    });
    regions.collect()
}

/// Runs a migration on a device.
pub fn run(
    scenario: &Scenario,
    origin: &OriginServer,
    settings: Settings,
    monitor: &RefCell<dyn Monitor + '_>,
) -> Run {
    if !scenario.undeliverable.is_empty() {
        return Run::undelivered(scenario);
    }
    origin.migration.with(|migration| {
        let environment = Environment {
            board: &scenario.board,
            image: &scenario.migrator,
            files: &origin.migration,
            migration,
            settings,
            firmware: &unchanged,
            server: origin.addr(),
            stuck: None,
            monitor,
        };
        run_from(&environment, scenario.flash.clone())
    })
}

/// Runs a migration, or the rest of one, on a device with this flash.
pub fn run_from(environment: &Environment<'_>, before: NorMemory) -> Run {
    let (clock, received) = (Clock::new(), Cell::new(0));
    let recorded = Recorded::new(chip(before.clone(), environment.stuck));
    let recorded = Metered::new(recorded, &received);
    let timing = DatasheetTiming::W25Q32JV;
    let flash: Watched<'_> = Timed::sharing(Counted::new(recorded), timing, clock.clone());
    let mut device = Device::new(environment.board.clone(), flash).with_clock(clock.clone());
    let mut at_reset: Option<(NorMemory, Counts)> = None;
    let record = live(environment, &mut device, &clock, &received, &mut |device| {
        at_reset = Some((device.memory().clone(), device.supply().inner().inner().counts()));
    });

    let after = device.memory().clone();
    let counted = device.into_flash().into_inner();
    let counts = counted.counts();
    let (mut recorded, received_before) = counted.into_inner().into_parts();
    let recording = recorded.take();
    let until = record.ops_at_reset.and_then(|ops| usize::try_from(ops).ok());
    let ops: Vec<Op> = recording.ops().take(until.unwrap_or(recording.len())).collect();
    let outcome = outcome::of(&record, environment, &after);
    let is_running = matches!(outcome, RunOutcome::TargetRunning { .. }) && record.stop.is_none();
    let until_target = is_running.then_some(counts);
    let LifeRecord { life, migrator, received_bytes, .. } = record;
    let window = window::of_plan(&ops, migrator.plan.as_ref());
    let hands_over = migrator.plan.as_ref().and_then(otadata_of_handover);
    Run {
        outcome,
        boots: life.boots,
        reasons: migrator.reasons,
        plan: migrator.plan,
        before,
        at_commit: window
            .clone()
            .or_else(|| window::handover(&ops, hands_over?))
            .and_then(|commit| recording.before(commit.start)),
        migration: at_reset.as_ref().map_or(counts, |(_, counts)| *counts),
        until_target,
        at_reset: at_reset.map(|(memory, _)| memory),
        after,
        window: window
            .and_then(|window| ops.get(window))
            .unwrap_or_default()
            .iter()
            .copied()
            .collect(),
        ops,
        recording,
        received_before,
        requests: migrator.requests,
        downloaded_bytes: received_bytes,
    }
}

/// The otadata by which the plan hands over to a carrier.
fn otadata_of_handover(plan: &Plan) -> Option<Region> {
    plan.steps.iter().find_map(|step| match step {
        Step::Host { otadata, .. } => Some(*otadata),
        _ => None,
    })
}

/// Modelled milliseconds of counted operations: typical and maximum.
#[must_use]
pub fn modelled_ms(counts: &Counts) -> (f64, f64) {
    let us = counts.duration_us(&DatasheetTiming::W25Q32JV);
    // Microseconds of a migration are far below the 53 bits that a double holds exactly.
    (us.typ as f64 / 1000.0, us.max as f64 / 1000.0)
}
