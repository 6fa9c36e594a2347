//! One simulated life: power on, migrator, reset, target.
//!
//! [`run`] lives through a migration and keeps account of it: every flash operation with its bytes, what
//! came over the network before it, snapshots. [`live`] only lives, and is what a sweep does by the
//! thousand.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bootswap_plan::{Migration, Plan, Reasons, Role};
use device_sim::{Board, BootOutcome, Device, Line};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use nor_sim::{
    Clock, Counted, Counts, DatasheetTiming, Faulty, NorDevice, NorMemory, NorModel, Op, Recorded,
    Recording, StuckBits, Timed,
};

use crate::Monitor;
use crate::lab::Lab;
use crate::metered::Metered;
use crate::migrator::{Firmware, SimulatedMigrator, Verdict, unchanged};
use crate::scene::{MIGRATOR_NAME, Scene};
use bootswap_migration::OwnedMigration;

/// Boots after which a device counts as caught in a loop.
const MAX_BOOTS: u32 = 32;

/// The part of flash that the ROM boots from, up to and with the partition table: whoever writes
/// here has opened the commit window. The first address is that of the chips with the lowest
/// bootloader, the last one the end of the partition table's sector.
pub const BOOT_AREA: Region = Region::clamped(FlashAddr::ZERO, 0x9000);

/// How far a simulation goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Until the device resets into the new bootloader.
    Reboot,
    /// Through the new bootloader, until an application runs.
    #[default]
    Boot,
}

/// The flash of a device that is being watched: the chip at the bottom, what is known of it on top.
type Watched<'a> = Timed<Counted<Metered<'a, Recorded<Chip>>>>;

/// The flash chip: its bytes, and bits that do not change any more.
pub type Chip = Faulty<NorMemory>;

/// A chip that holds `memory`.
pub fn chip(memory: NorMemory, stuck: Option<StuckBits>) -> Chip {
    let chip = Faulty::new(memory);
    match stuck {
        Some(bits) => chip.with_stuck_bits(bits),
        None => chip,
    }
}

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

/// What a device is besides its flash, and the network around it.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The board.
    pub board: &'a Board,
    /// The migration with its files, to know them again.
    pub files: &'a OwnedMigration,
    /// The migration as the migrator has it.
    pub migration: &'a Migration<'a>,
    /// What the life is to be like.
    pub settings: Settings,
    /// Which migrator it is.
    pub firmware: &'a Firmware<'a>,
    /// The lab's server; `None` for the servers that the migration names.
    pub server: Option<SocketAddr>,
    /// Bits of the flash that never change.
    pub stuck: Option<StuckBits>,
    /// Who is told.
    pub monitor: &'a RefCell<dyn Monitor + 'a>,
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
        /// Whether the migrator went back to the firmware before it, so that it has to be delivered again.
        went_back: bool,
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
    /// Boots, from power on to the end.
    pub boots: u32,
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
    /// How often the sector was erased that was erased most, until the reset into the new bootloader.
    #[must_use]
    pub fn most_erases_of_a_sector(&self) -> u32 {
        let then = self.at_reset.as_ref().unwrap_or(&self.after);
        let whole = Region::clamped(FlashAddr::ZERO, then.capacity_bytes());
        let sectors = whole.chunks(SECTOR_BYTES).map(|sector| sector.start());
        let erases = |addr| then.erase_count(addr).saturating_sub(self.before.erase_count(addr));
        sectors.map(erases).max().unwrap_or(0)
    }
}

/// Lives through a migration.
pub fn run(
    scene: &Scene,
    lab: &Lab,
    settings: Settings,
    monitor: &RefCell<dyn Monitor + '_>,
) -> Run {
    lab.migration.with(|migration| {
        let world = World {
            board: &scene.board,
            files: &lab.migration,
            migration,
            settings,
            firmware: &unchanged,
            server: lab.addr(),
            stuck: None,
            monitor,
        };
        run_from(&world, scene.flash.clone())
    })
}

/// Lives through a migration, or the rest of one, from flash as it is.
pub fn run_from(world: &World<'_>, before: NorMemory) -> Run {
    let (clock, received) = (Clock::new(), Cell::new(0));
    let recorded = Recorded::new(chip(before.clone(), world.stuck));
    let recorded = Metered::new(recorded, &received);
    let timing = DatasheetTiming::W25Q32JV;
    let flash: Watched<'_> = Timed::sharing(Counted::new(recorded), timing, clock.clone());
    let mut device = Device::new(world.board.clone(), flash).with_clock(clock.clone());
    let mut at_reset: Option<(NorMemory, Counts)> = None;
    let life = live(world, &mut device, &clock, &received, &mut |device| {
        at_reset = Some((device.memory().clone(), device.supply().inner().inner().counts()));
    });

    let after = device.memory().clone();
    let counted = device.into_flash().into_inner();
    let counts = counted.counts();
    let (mut recorded, received_before) = counted.into_inner().into_parts();
    let recording = recorded.take();
    let until = life.ops_at_reset.and_then(|ops| usize::try_from(ops).ok());
    let ops: Vec<Op> = recording.ops().take(until.unwrap_or(recording.len())).collect();
    let window = window(&ops);
    let ending = ending(&life, world.files, &after);
    let Life { verdict, boots, received_bytes, .. } = life;
    Run {
        ending,
        boots,
        reasons: verdict.reasons,
        plan: verdict.plan,
        before,
        at_commit: window.clone().and_then(|window| recording.before(window.start)),
        migration: at_reset.as_ref().map_or(counts, |(_, counts)| *counts),
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
        requests: verdict.requests,
        downloaded_bytes: received_bytes,
    }
}

/// How a life is over.
#[derive(Debug)]
pub enum End {
    /// With a boot that no reset follows: something runs, nothing does, or power was lost.
    Boot(BootOutcome),
    /// It was not to go further than the reset into the new bootloader.
    AtReset,
    /// Never: every boot ends in a reset.
    BootLoop,
}

/// What came of a life.
#[derive(Debug)]
pub struct Life {
    /// How it is over.
    pub end: End,
    /// Boots.
    pub boots: u32,
    /// What came of the migrator.
    pub verdict: Verdict,
    /// Flash operations, the one at which power was lost among them.
    pub ops: u64,
    /// How many of them there were when the migrator was done.
    pub ops_at_reset: Option<u64>,
    /// Body bytes received.
    pub received_bytes: u64,
}

/// Lives from power on until something stays, until power goes, or until the device has booted often
/// enough to say that it does so for ever.
pub fn live<D: NorModel>(
    world: &World<'_>,
    device: &mut Device<D>,
    clock: &Clock,
    received: &Cell<u64>,
    at_reset: &mut dyn FnMut(&Device<D>),
) -> Life {
    let Settings { until, staging_memory_len_bytes, network_timeout } = world.settings;
    let mut software = (world.firmware)(SimulatedMigrator {
        migration: world.migration,
        clock: clock.clone(),
        monitor: world.monitor,
        received,
        verdict: Verdict::default(),
        staging_memory_len_bytes,
        network_timeout,
        server: world.server,
    });
    let mut console = |line: Line| {
        let us = line.at.busy_us.typ + line.at.read_us;
        world.monitor.borrow_mut().line(&format!("  ({}) {}", us / 1000, line.event));
    };
    let (mut end, mut ops_at_reset, mut boots) = (End::BootLoop, None, 0);
    while boots < MAX_BOOTS {
        boots += 1;
        let ops = device.supply().ops();
        let boot = device.boot(&mut *software, &mut console);
        if software.verdict().done && ops_at_reset.is_none() {
            ops_at_reset = Some(device.supply().ops());
            at_reset(device);
            if until == Until::Reboot {
                end = End::AtReset;
                break;
            }
        }
        // A bootloader that wrote before it gave up may find something else the next time.
        let wrote = device.supply().ops() != ops;
        let again = matches!(boot, BootOutcome::Reset(_))
            || matches!(boot, BootOutcome::Failed(_)) && wrote;
        end = if matches!(boot, BootOutcome::Reset(_)) { End::BootLoop } else { End::Boot(boot) };
        if !again {
            break;
        }
    }
    let verdict = std::mem::take(software.verdict());
    let (ops, received_bytes) = (device.supply().ops(), received.get());
    Life { end, boots, verdict, ops, ops_at_reset, received_bytes }
}

/// The operations from the first to the last one that touch what the ROM boots from.
fn window(ops: &[Op]) -> Option<Range<usize>> {
    let touches = |op: &Op| op.region().overlaps(BOOT_AREA);
    let first = ops.iter().position(touches)?;
    let last = ops.iter().rposition(touches)?;
    Some(first..last + 1)
}

/// How a life ended that left `after`; the files are those of its migration.
#[must_use]
pub fn ending(life: &Life, files: &OwnedMigration, after: &NorMemory) -> Ending {
    let verdict = &life.verdict;
    let failure = || verdict.failure.clone();
    let why = || failure().unwrap_or_else(|| "the migration did not end".to_owned());
    match &life.end {
        End::Boot(BootOutcome::TargetRunning(target)) => {
            Ending::TargetRunning { what: target.to_string() }
        }
        End::Boot(BootOutcome::OldFirmwareRunning(_)) if verdict.stuck => {
            Ending::Bricked { why: why() }
        }
        End::Boot(BootOutcome::OldFirmwareRunning(app)) => {
            let runs = files.artifact(Role::Application).and_then(|a| a.bytes.as_deref());
            let in_place = |bytes: &[u8]| {
                let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                after.bytes(app.partition.region.prefix(len_bytes)) == bytes
            };
            if !verdict.reasons.is_empty() {
                Ending::Refused
            } else if runs.is_some_and(in_place) {
                Ending::TargetRunning { what: app.to_string() }
            } else {
                let went_back = app.project_name() != MIGRATOR_NAME;
                Ending::OldFirmware { why: why(), went_back }
            }
        }
        End::Boot(BootOutcome::Failed(failure)) => Ending::Bricked { why: failure.to_string() },
        End::Boot(_) => Ending::OldFirmware { why: "power was lost".to_owned(), went_back: false },
        End::AtReset => Ending::TargetRunning { what: "the new bootloader, next".to_owned() },
        // As long as the migrator can say why, it is there to be helped.
        End::BootLoop => match failure() {
            Some(why) => {
                let why = format!("it resets for ever: {why}");
                Ending::OldFirmware { why, went_back: false }
            }
            None => Ending::Bricked { why: "it resets for ever".to_owned() },
        },
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
            Self::OldFirmware { why, .. } => write!(f, "old firmware: {why}"),
            Self::Refused => f.write_str("refused"),
            Self::Bricked { why } => write!(f, "bricked: {why}"),
        }
    }
}
