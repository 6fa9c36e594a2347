//! One simulated life: power on, migrator, reset, target.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use bootswap_plan::{Plan, Reasons, Role};
use device_sim::{BootEnd, Device, Line};
use flash_region::{FlashAddr, Region};
use nor_sim::{Clock, Counted, Counts, DatasheetTiming, NorMemory, Op, Recorded, Timed};

use super::lab::Lab;
use super::migrator::SimulatedMigrator;
use super::scene::Scene;
use super::story::Story;
use crate::args::Until;

/// Boots after which a device counts as caught in a loop.
const MAX_BOOTS: u32 = 32;

/// The part of flash that the ROM boots from, up to and with the partition table: whoever writes
/// here has opened the commit window. The first address is that of the chips with the lowest
/// bootloader, the last one the end of the partition table's sector.
const BOOT_AREA: Region = Region::clamped(FlashAddr::ZERO, 0x9000);

/// The flash of a simulated device: the chip at the bottom, what is known of it on top.
type Flash = Timed<Counted<Recorded<NorMemory>>>;

/// What a life is to be like.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far it goes.
    pub until: Until,
    /// Bytes of memory that the migrator may stage in.
    pub staging_memory_len_bytes: u32,
    /// How long a connection may stay silent, in real time.
    pub network_timeout: Duration,
}

impl Settings {
    /// All the way, without memory to stage in, with two seconds of patience.
    #[must_use]
    pub const fn new(until: Until) -> Self {
        Self { until, staging_memory_len_bytes: 0, network_timeout: Duration::from_secs(2) }
    }
}

/// How a life ended, in the words of the report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The target application runs, or would be started next.
    TargetRunning {
        /// What the bootloader said of it.
        what: String,
    },
    /// The old system runs and can be migrated again.
    OldFirmware {
        /// Why it is not the target.
        why: String,
    },
    /// The planner refused.
    Refused,
    /// Nothing runs any more.
    Bricked {
        /// Why.
        why: String,
    },
}

/// A life, and what it left.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// Why the planner refused, if it did.
    pub reasons: Reasons,
    /// The plan that was carried out, if there was one.
    pub plan: Option<Plan>,
    /// Flash before the first boot.
    pub before: NorMemory,
    /// Flash right before the commit, if it came to that.
    pub at_commit: Option<NorMemory>,
    /// Flash when the migrator was done.
    pub at_reset: Option<NorMemory>,
    /// Flash at the end.
    pub after: NorMemory,
    /// Flash operations until the reset into the new bootloader.
    pub migration: Counts,
    /// Flash operations from the first to the last one that touched what the ROM boots from.
    pub window: Counts,
    /// Every operation until that reset.
    pub ops: Vec<Op>,
    /// Boots, from power on to the end.
    pub boots: u32,
    /// HTTP requests that the device sent.
    pub requests: u32,
    /// Body bytes that the device received.
    pub downloaded_bytes: u64,
}

/// Lives through a migration.
pub fn run(scene: &Scene, lab: &Lab, settings: Settings, story: &RefCell<Story>) -> Run {
    let clock = Clock::new();
    let timing = DatasheetTiming::W25Q32JV;
    let flash = Recorded::new(scene.flash.clone());
    let flash: Flash = Timed::sharing(Counted::new(flash), timing, clock.clone());
    let mut device = Device::new(scene.board.clone(), flash).with_clock(clock.clone());
    let mut software = SimulatedMigrator {
        migration: &lab.migration,
        clock,
        story,
        verdict: super::migrator::Verdict::default(),
        staging_memory_len_bytes: settings.staging_memory_len_bytes,
        network_timeout: settings.network_timeout,
    };
    let mut console = |line: Line| {
        let us = line.at.busy_us.typ + line.at.read_us;
        story.borrow_mut().line(&format!("  ({}) {}", us / 1000, line.event));
    };

    let mut reset: Option<(usize, NorMemory, Counts)> = None;
    let (mut end, mut boots) = (None, 0);
    while boots < MAX_BOOTS {
        boots += 1;
        let boot = device.boot(&mut software, &mut console);
        if software.verdict.done && reset.is_none() {
            let counted = device.supply().inner().inner();
            let ops = counted.inner().recording().len();
            reset = Some((ops, device.memory().clone(), counted.counts()));
            if settings.until == Until::Reboot {
                break;
            }
        }
        match boot {
            BootEnd::Reset(_) | BootEnd::PowerLost(_) => {}
            boot => {
                end = Some(boot);
                break;
            }
        }
    }

    let after = device.memory().clone();
    let counted = device.supply().inner().inner();
    let recording = counted.inner().recording();
    let until = reset.as_ref().map_or(recording.len(), |(ops, ..)| *ops);
    let ops: Vec<Op> = recording.ops().take(until).collect();
    let window = window(&ops);
    let verdict = software.verdict;
    Run {
        ending: ending(end, &verdict, lab, &after),
        reasons: verdict.reasons,
        plan: verdict.plan,
        before: scene.flash.clone(),
        at_commit: window.clone().and_then(|window| recording.before(window.start)),
        migration: reset.as_ref().map_or_else(|| counted.counts(), |(_, _, counts)| *counts),
        at_reset: reset.map(|(_, memory, _)| memory),
        after,
        window: window
            .and_then(|window| ops.get(window))
            .unwrap_or_default()
            .iter()
            .copied()
            .collect(),
        ops,
        boots,
        requests: verdict.requests,
        downloaded_bytes: verdict.received_bytes,
    }
}

/// The operations from the first to the last one that touch what the ROM boots from.
fn window(ops: &[Op]) -> Option<Range<usize>> {
    let touches = |op: &Op| op.region().overlaps(BOOT_AREA);
    let first = ops.iter().position(touches)?;
    let last = ops.iter().rposition(touches)?;
    Some(first..last + 1)
}

fn ending(
    end: Option<BootEnd>,
    verdict: &super::migrator::Verdict,
    lab: &Lab,
    after: &NorMemory,
) -> Ending {
    let why = || verdict.failure.clone().unwrap_or_else(|| "the migration did not end".to_owned());
    match end {
        Some(BootEnd::TargetRunning(target)) => Ending::TargetRunning { what: target.to_string() },
        Some(BootEnd::OldFirmwareRunning(_)) if verdict.stuck => Ending::Bricked { why: why() },
        Some(BootEnd::OldFirmwareRunning(app)) => {
            let runs = lab.migration.artifact(Role::Application).and_then(|a| a.bytes.as_deref());
            let in_place = |bytes: &[u8]| {
                let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                after.bytes(app.partition.region.prefix(len_bytes)) == bytes
            };
            if !verdict.reasons.is_empty() {
                Ending::Refused
            } else if verdict.done && runs.is_some_and(in_place) {
                Ending::TargetRunning { what: app.to_string() }
            } else {
                Ending::OldFirmware { why: why() }
            }
        }
        Some(BootEnd::Failed(failure)) => Ending::Bricked { why: failure.to_string() },
        None if verdict.done => {
            Ending::TargetRunning { what: "the new bootloader, next".to_owned() }
        }
        _ => Ending::OldFirmware { why: why() },
    }
}

/// Modelled milliseconds of a count of operations: typical and most.
#[must_use]
pub fn modelled_ms(counts: &Counts) -> (f64, f64) {
    let us = counts.duration_us(&DatasheetTiming::W25Q32JV);
    // Microseconds of a migration are far below the 53 bits that a double holds exactly.
    (us.typ as f64 / 1000.0, us.max as f64 / 1000.0)
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TargetRunning { what } => write!(f, "target running: {what}"),
            Self::OldFirmware { why } => write!(f, "old firmware: {why}"),
            Self::Refused => f.write_str("refused"),
            Self::Bricked { why } => write!(f, "bricked: {why}"),
        }
    }
}
