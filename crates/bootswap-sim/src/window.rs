//! The commit window of a run, derived from its flash operations.

use std::ops::Range;

use bootswap_plan::{Plan, Step};
use flash_region::{FlashAddr, Region};
use nor_sim::{Cut, Op, Phase};

use crate::run::commit_regions;

/// The part of flash that the device boots from, up to and including the partition table: a write
/// here opens the commit window. It starts at the lowest bootloader address of all chips, and ends
/// with the sector of the partition table.
pub const BOOT_AREA: Region = Region::clamped(FlashAddr::ZERO, 0x9000);

/// The commit window of a plan, as [`of`] finds it. With a carrier there is none, so no change of
/// the old bootloader is excused.
pub fn of_plan(ops: &[Op], plan: Option<&Plan>) -> Option<Range<usize>> {
    let hosts = |plan: &Plan| plan.steps.iter().any(|step| matches!(step, Step::Host { .. }));
    if plan.is_some_and(hosts) { None } else { of(ops, &commit_regions(plan)) }
}

/// The commit window: the last series of operations that write the commit's regions, from the first
/// to the last of them that changes what the device boots from. `commits` has the region that each
/// step of the commit may erase.
///
/// What the device boots from then may reach beyond [`BOOT_AREA`]: a large bootloader, a merged
/// image. All of it counts.
///
/// If something changes the bootloader and then does something else, there is no window in between,
/// so every cut there must be survived.
fn of(ops: &[Op], commits: &[Region]) -> Option<Range<usize>> {
    let vital: Vec<Region> =
        commits.iter().copied().filter(|commit| commit.overlaps(BOOT_AREA)).collect();
    let boots = |op: &Op| {
        let region = op.region();
        region.overlaps(BOOT_AREA) || vital.iter().any(|vital| vital.overlaps(region))
    };
    let commits =
        |op: &Op| boots(op) || commits.iter().any(|commit| commit.contains_region(op.region()));
    let last = ops.iter().rposition(boots)?;
    let before = ops.get(..last)?.iter().rposition(|op| !commits(op)).map_or(0, |op| op + 1);
    let first = before + ops.get(before..=last)?.iter().position(boots)?;
    Some(first..last + 1)
}

/// The last series of operations that write there: how a migrator hands over by otadata, which is
/// no window, since one of its two entries is always good.
pub fn handover(ops: &[Op], otadata: Region) -> Option<Range<usize>> {
    let hands_over = |op: &Op| op.region().overlaps(otadata);
    let last = ops.iter().rposition(hands_over)?;
    let before = ops.get(..last)?.iter().rposition(|op| !hands_over(op)).map_or(0, |op| op + 1);
    Some(before..last + 1)
}

/// Whether power is lost after the first operation of the window has begun and before its last one
/// is done.
pub fn is_inside(window: &Range<usize>, cut: Cut) -> bool {
    let inside = usize::try_from(cut.op).is_ok_and(|op| window.contains(&op));
    let (first, last) = (window.start as u64, window.end as u64 - 1);
    inside
        && match cut.phase {
            Phase::Before => cut.op != first,
            Phase::Middle { .. } => true,
            Phase::After => cut.op != last,
        }
}

#[cfg(test)]
mod tests {
    use flash_region::SECTOR_BYTES;
    use nor_sim::EraseUnit;

    use super::*;

    /// Operations on these sectors.
    fn ops(sectors: &[u32]) -> Vec<Op> {
        let erase = |sector| Op::erase(EraseUnit::Sector4K, FlashAddr(sector * SECTOR_BYTES));
        sectors.iter().map(|sector| erase(*sector)).collect()
    }

    #[test]
    fn the_window_is_what_comes_last_and_in_a_row() {
        assert_eq!(of(&ops(&[0x110, 0x111, 0, 1, 2]), &[]), Some(2..5));
        assert_eq!(of(&ops(&[0x110, 0, 1, 0x110]), &[]), Some(1..3));
        // Changed early, and again at the end: only the end is the window.
        assert_eq!(of(&ops(&[0, 0x110, 0, 1]), &[]), Some(2..4));
        assert_eq!(of(&ops(&[0x110, 0x111]), &[]), None);
        assert_eq!(of(&[], &[]), None);
    }

    #[test]
    fn what_the_commit_writes_besides_the_bootloader_does_not_end_the_window() {
        let bootloader = Region::clamped(FlashAddr::ZERO, 0x8000);
        let otadata = Region::clamped(FlashAddr(0xd000), 0x2000);
        let commits = [bootloader, otadata];
        assert_eq!(of(&ops(&[0x110, 0xd, 0, 0xe, 1, 0xd]), &commits), Some(2..5));
    }

    #[test]
    fn the_window_is_open_until_the_end_of_a_bootloader_that_reaches_over_the_table() {
        let bootloader = Region::clamped(FlashAddr(0x1000), 0xb000);
        let ops = ops(&[0x110, 1, 8, 9, 0xb]);
        assert_eq!(of(&ops, &[bootloader]), Some(1..5));
        assert_eq!(of(&ops, &[]), Some(1..3));
    }

    #[test]
    fn the_window_is_open_behind_its_first_operation_and_until_its_last_is_done() {
        let window = 10..13;
        for (cut, wanted) in [
            (Cut::after(9), false),
            (Cut::before(10), false),
            (Cut::middle(10, 0), true),
            (Cut::after(10), true),
            (Cut::before(11), true),
            (Cut::before(12), true),
            (Cut::middle(12, 0), true),
            (Cut::after(12), false),
            (Cut::before(13), false),
        ] {
            assert_eq!(is_inside(&window, cut), wanted, "{cut:?}");
        }
    }
}
