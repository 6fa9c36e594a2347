//! Flash that fails: every operation of the migrator and every read, in each way, and bits that are
//! stuck.
//!
//! A fault in the commit window must be repaired there, because there is no other attempt.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use flash_region::{Region, SECTOR_BYTES, is_blank};
use nor_sim::{Noise, OpFault, ReadFault};

use super::case::{Case, Hazards};
use super::choice::{Amount, seed_of};
use super::context::SweepContext;
use super::error::SweepError;
use super::faults::{Demand, try_all};
use super::faulty_migrator::{Accesses, FaultyMigrator};
use super::flash_fault::FlashFault;
use super::pool::Pool;
use super::report::FaultsReport;
use super::worker::Worker;
use crate::run::Run;
use crate::window;
use crate::window::BOOT_AREA;

/// Tries the faults in `life`.
///
/// # Errors
///
/// [`SweepError`].
pub fn sweep(
    context: &SweepContext<'_>,
    life: &Run,
    amount: Amount,
    seed: u64,
    pool: Pool,
) -> Result<FaultsReport, SweepError> {
    let told = Arc::new(Mutex::new(Accesses::default()));
    let firmware = FaultyMigrator::watched(context.firmware, Arc::clone(&told));
    let watched = SweepContext { firmware: &*firmware, ..context.clone() };
    Worker::new(&watched)?.end(context.scenario.flash.clone(), &Hazards::default())?;
    let accesses = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let faults = flash_faults(&accesses, life, seed);
    let picked = amount.pick(faults.len() as u64, seed);
    let pick = |index: &u64| {
        let (fault, demand) = faults.get(usize::try_from(*index).ok()?)?;
        Some((Case::flash(*fault), *demand))
    };
    let cases = picked.iter().filter_map(pick).collect();
    try_all(context, life, cases, seed, ("flash faults", pool))
}

/// Everything that can go wrong once in the migrator's accesses to its flash.
fn flash_faults(accesses: &Accesses, life: &Run, seed: u64) -> Vec<(FlashFault, Demand)> {
    let window = window::of_plan(&accesses.ops, life.plan.as_ref());
    let demand = |op: u64, window: &Option<Range<usize>>| {
        let inside =
            usize::try_from(op).is_ok_and(|op| window.as_ref().is_some_and(|w| w.contains(&op)));
        if inside { Demand::Target } else { Demand::TargetInTheEnd }
    };
    let mut faults = Vec::new();
    for op in 0..accesses.ops.len() as u64 {
        let torn = seed_of(seed, op);
        for fault in [
            OpFault::Fails,
            OpFault::FailsTorn { seed: torn },
            OpFault::SilentlyTorn { seed: torn },
            OpFault::Ignored,
        ] {
            faults.push((FlashFault::Op { op, fault }, demand(op, &window)));
        }
    }
    // A read is inside of the window after the first erase; what is read after the last program is
    // the read-back.
    let opened = window.map(|window| window.start + 1..window.end + 1);
    for (read, op) in (0..).zip(&accesses.reads) {
        let bit = Noise::new(seed ^ read).below(8);
        for fault in [ReadFault::Fails, ReadFault::Flipped(1 << bit)] {
            faults.push((FlashFault::Read { read, fault }, demand(*op, &opened)));
        }
    }
    faults.extend(stuck_bits(accesses, life, seed));
    faults
}

/// One bit that is stuck in every sector that the migrator writes, except in what the commit
/// writes: there it bricks the device, and no software can help. In a blank sector it is stuck at
/// either value; elsewhere, at its present value.
fn stuck_bits(accesses: &Accesses, life: &Run, seed: u64) -> Vec<(FlashFault, Demand)> {
    let commit = life.commit_region();
    let vital = |region: Region| {
        region.overlaps(BOOT_AREA) || commit.is_some_and(|commit| commit.overlaps(region))
    };
    let mut sectors: Vec<_> = accesses
        .ops
        .iter()
        .filter(|op| !vital(op.region()))
        .map(|op| op.addr().align_down(SECTOR_BYTES))
        .collect();
    sectors.sort_unstable();
    sectors.dedup();
    let mut noise = Noise::new(seed);
    let mut faults = Vec::new();
    for sector in sectors {
        // Most files begin at a sector, and few fill their last one.
        let offset = noise.below(u64::from(SECTOR_BYTES) / 8);
        let addr = sector.saturating_add(u32::try_from(offset).unwrap_or(0));
        let bit = u8::try_from(noise.below(8)).unwrap_or(0);
        let before = life.before.bytes(Region::clamped(sector, SECTOR_BYTES));
        let is = before.get(offset as usize).is_some_and(|byte| byte >> bit & 1 == 1);
        for value in [false, true] {
            if is_blank(&before) || value == is {
                faults.push((FlashFault::Stuck { addr, bit, value }, Demand::Alive));
            }
        }
    }
    faults
}
