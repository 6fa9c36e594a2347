//! One simulated life: power on, migrator, reset, target. A sweep runs thousands of them.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use bootswap_migration::OwnedMigration;
use bootswap_plan::Migration;
use device_sim::{Board, Boot, BootOutcome, Device, Life, Line};
use esp_idf_format::image::ImageInfo;
use nor_sim::{Clock, Faulty, NorMemory, NorModel, StuckBits};

use crate::Monitor;
use crate::migrator::{MigratorFactory, MigratorOutcome, MigratorSoftware, SimulatedMigrator};
use crate::scenario::board_with_fetched;

/// Boots after which a device counts as being in a boot loop.
const MAX_BOOTS: u32 = 32;

/// How far a simulation goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// Until the device resets into the new bootloader.
    Reboot,
    /// Through the new bootloader, until an application runs.
    #[default]
    Boot,
}

/// The flash chip: its bytes, and bits that are stuck.
pub type FlashChip = Faulty<NorMemory>;

/// A chip that contains `memory`.
pub fn chip(memory: NorMemory, stuck: Option<StuckBits>) -> FlashChip {
    let chip = Faulty::new(memory);
    match stuck {
        Some(bits) => chip.with_stuck_bits(bits),
        None => chip,
    }
}

/// Settings of a life.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far it goes.
    pub until: Until,
    /// Bytes of memory that the migrator may use for staging.
    pub staging_memory_len_bytes: u32,
    /// How long a connection may stay silent, in real time.
    pub network_timeout: Duration,
}

impl Settings {
    /// Without memory for staging, and with a timeout of two seconds for a silent connection.
    #[must_use]
    pub const fn new(until: Until) -> Self {
        Self { until, staging_memory_len_bytes: 0, network_timeout: Duration::from_secs(2) }
    }
}

/// The device apart from its flash, and the network around it.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// The board.
    pub board: &'a Board,
    /// The migrator's image, by which it is recognised.
    pub image: &'a ImageInfo,
    /// The migration with its files, by which the target is recognised.
    pub files: &'a OwnedMigration,
    /// The migration as the migrator received it.
    pub migration: &'a Migration<'a>,
    /// Settings of the life.
    pub settings: Settings,
    /// The migrator to run.
    pub firmware: &'a MigratorFactory<'a>,
    /// The server to which every connection goes; `None` for the hosts that the migration names.
    pub server: Option<SocketAddr>,
    /// Bits of the flash that never change.
    pub stuck: Option<StuckBits>,
    /// Observer of the device.
    pub monitor: &'a RefCell<dyn Monitor + 'a>,
}

/// Why a life was ended before something stayed running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The device has reset into the new bootloader, and [`Until::Reboot`] was requested.
    AtReset,
    /// Power was lost.
    PowerLost,
}

/// What was counted during a life.
#[derive(Debug)]
pub struct LifeRecord {
    /// How it ended, and how often the device booted.
    pub life: Life,
    /// Why it was ended; `None` if something stays running, or nothing ever will.
    pub stop: Option<Stop>,
    /// What the migrator did.
    pub migrator: MigratorOutcome,
    /// Flash operations, including the one at which power was lost.
    pub ops: u64,
    /// Number of operations when the migrator was done.
    pub ops_at_reset: Option<u64>,
    /// Body bytes received.
    pub received_bytes: u64,
}

/// Runs lives from power on until something stays running, until power is lost, or until the device
/// has booted so often that it counts as a boot loop.
pub fn live<D: NorModel>(
    environment: &Environment<'_>,
    device: &mut Device<D>,
    clock: &Clock,
    received: &Cell<u64>,
    at_reset: &mut dyn FnMut(&Device<D>),
) -> LifeRecord {
    let Settings { until, staging_memory_len_bytes, network_timeout } = environment.settings;
    let mut software = (environment.firmware)(SimulatedMigrator {
        image: *environment.image,
        migration: environment.migration,
        clock: clock.clone(),
        monitor: environment.monitor,
        received,
        outcome: MigratorOutcome::default(),
        staging_memory_len_bytes,
        network_timeout,
        server: environment.server,
    });
    let mut console = |line: Line| {
        let us = line.at.busy_us.typ + line.at.read_us;
        let text = format!("  ({}) {}", us / 1000, line.event);
        environment.monitor.borrow_mut().line(&text);
    };
    let (mut stop, mut ops_at_reset) = (None, None);
    let observer = |device: &mut Device<D>, software: &mut _, boot: Boot<'_>| {
        if is_done(software) && ops_at_reset.is_none() {
            ops_at_reset = Some(device.supply().ops());
            at_reset(device);
            let (files, board) = (environment.files, environment.board);
            let plan = software.outcome().plan.as_ref();
            if let Some(board) = board_with_fetched(board, files, plan, device.memory()) {
                device.set_board(board);
            }
            if until == Until::Reboot {
                stop = Some(Stop::AtReset);
                return ControlFlow::Break(());
            }
        }
        match boot.outcome {
            BootOutcome::PowerLost(_) => {
                stop = Some(Stop::PowerLost);
                ControlFlow::Break(())
            }
            // The flash of a simulated device reads the same each time: only a bootloader that
            // wrote before it gave up may find something else at the next boot.
            BootOutcome::Failed(_) if boot.ops == 0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    };
    let life = device.live_observed(MAX_BOOTS, &mut *software, &mut console, observer);
    let migrator = std::mem::take(software.outcome());
    let (ops, received_bytes) = (device.supply().ops(), received.get());
    LifeRecord { life, stop, migrator, ops, ops_at_reset, received_bytes }
}

fn is_done(software: &mut (dyn MigratorSoftware + '_)) -> bool {
    software.outcome().done
}
