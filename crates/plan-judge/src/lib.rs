//! The judge of plans, for tests and fuzzing: whether a plan is safe.
//!
//! It goes through a plan's steps and records what every byte of flash is needed for:
//!
//! ```text
//!   kept     what must not change until the commit: bootloader, table, otadata, NVS, running
//!            image, and the data partitions that the migration does not give up
//!   live     bytes of artifacts that have arrived: nothing else may be written or erased there
//!   clean    trailers that were made blank, and still are
//! ```
//!
//! It knows what ESP-IDF and MCUboot need, and nothing of how the planner finds its steps. It uses
//! only the types of `bootswap-plan`. A rule that both have is written twice on purpose, because a
//! judge must not share code with what it judges.
//!
//! ```
//! # use bootswap_plan::{DeviceFacts, Migration, plan};
//! fn planned_safely_or_refused(migration: &Migration<'_>, facts: &DeviceFacts<'_>) {
//!     if let Ok(plan) = plan(migration, facts) {
//!         plan_judge::assert_safe(migration, facts, &plan);
//!     }
//! }
//! ```
#![expect(clippy::expect_used, clippy::panic, reason = "that is how a plan fails")]

mod before;
mod build;
mod end;
mod hosted;
mod ledger;
mod relocation;

use bootswap_plan::{DeviceFacts, Migration, Plan, Step, Strategy};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use ledger::Ledger;

/// Checks a plan.
///
/// # Panics
///
/// If the plan is not safe, with the reason, the plan and all that it was made from.
pub fn assert_safe(migration: &Migration<'_>, facts: &DeviceFacts<'_>, plan: &Plan) {
    assert!(!facts.secure_boot && !facts.flash_encryption && migration.chip == facts.chip);
    let mut ledger = Ledger::new(migration, facts, plan);
    if let Some(journal) = plan.journal {
        assert_eq!(journal.len_bytes(), SECTOR_BYTES, "{ledger}");
        ledger.change(None, journal, "the journal");
    }
    if plan.strategy == Strategy::Relocate {
        return ledger.relocation();
    }
    let is_commit = |step: &&Step| matches!(step, Step::Commit { .. } | Step::Host { .. });
    let commits = plan.steps.iter().filter(is_commit).count();
    let (before, after) = plan.steps.split_at(plan.steps.len() - commits - 1);
    for (index, step) in before.iter().enumerate() {
        let comes = before[index..].iter().any(|step| matches!(step, Step::Verify { .. }));
        ledger.all_ready = !comes;
        ledger.before_commit(step);
    }
    ledger.build();
    ledger.all_verified();
    ledger.trailers();
    for (index, step) in after.iter().enumerate() {
        ledger.commit(step, &after[index + 1..]);
    }
    ledger.all_in_place();
    ledger.hosted();
}

/// The partition that a plan moves the migrator to.
///
/// # Panics
///
/// If the plan moves it nowhere, several times, or to what is not an app partition.
pub fn moved_to(facts: &DeviceFacts<'_>, plan: &Plan) -> Region {
    let copies = plan.steps.iter().filter_map(|step| match step {
        Step::CopySelf { to, .. } => Some(to.start()),
        _ => None,
    });
    let starts: Vec<FlashAddr> = copies.collect();
    let [start] = starts[..] else { panic!("no move, or several: {plan:#?}") };
    let apps = facts.partitions.iter().filter(|p| p.is_app());
    let mut found = apps.filter(|p| p.region.start() == start);
    found.next().expect("a move to an app partition").region
}
