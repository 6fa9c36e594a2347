//! Where artifacts wait for the commit, when there is hardly a place for them.

use bootswap_plan::*;
use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use crate::case::*;

/// The example on flash of this size that ends with its last partition or area.
fn full(flash_len_bytes: u32) -> Case {
    let mut case = Case { flash_len_bytes, wanted_flash_bytes: None, ..example() };
    // Without contents nothing is known of what the application leaves free in its slot, and the
    // bootloader asks for no size of the flash.
    for artifact in &mut case.artifacts {
        artifact.content = None;
    }
    case
}

/// Where the bootloader waits, with the sectors that are erased for it.
fn staged(plan: &Plan) -> Region {
    let from = plan.steps.iter().find_map(|step| match step {
        Step::Commit { from: Target::Flash(place), .. } => Some(place.erasable),
        _ => None,
    });
    from.unwrap()
}

/// The only app partition to spare is the one that the migrator runs from: it moves first.
#[test]
fn nothing_is_staged_where_the_migrator_runs() {
    let mut case = full(0x31_0000);
    let map = case.map.as_mut().unwrap();
    (map.swap, map.scratch) = (SwapKind::Overwrite, None);
    assert_eq!(staged(&case.plan().unwrap()).start(), region(0x21_0000, MIB).start());
    case.running = "ota_1";
    assert_eq!(case.plan().unwrap().strategy, Strategy::Relocate);
}

/// A stale magic at the end of the scratch area crashes MCUboot, so that sector is cleaned and is
/// no place for anything else.
#[test]
fn nothing_is_staged_at_the_end_of_the_scratch_area() {
    let mut case = full(0x21_8000);
    case.table.truncate(5);
    let scratch = region(0x21_0000, 0x8000);
    case.map.as_mut().unwrap().scratch = Some(scratch);
    let plan = case.plan().unwrap();
    let end = scratch.suffix(SECTOR_BYTES);
    assert!(scratch.contains_region(staged(&plan)), "{plan:?}");
    assert!(!staged(&plan).overlaps(end), "{plan:?}");
    assert!(plan.journal.is_none_or(|journal| !journal.overlaps(end)), "{plan:?}");
}

#[test]
fn the_running_partition_is_no_staging_partition() {
    let case = Case { staging: Staging::Label("ota_1"), running: "ota_1", ..example() };
    assert_eq!(case.plan().unwrap().strategy, Strategy::Relocate);
    let reasons = case.with(objections);
    let by_itself = |reason: &Reason| match reason {
        Reason::StagingInUse { by, .. } => by.as_str() == "the running migrator",
        _ => false,
    };
    assert!(reasons.iter().any(by_itself), "{reasons:?}");
}
