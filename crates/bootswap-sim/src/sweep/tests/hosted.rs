//! The old bootloader stays and starts a carrier: no loss of power loses a device.

use nor_sim::Cut;

use super::planted::touches_first;
use super::*;
use crate::migrator::unchanged;
use crate::sweep::power::left_by;
use crate::window;

fn on_hosted<R>(
    firmware: &MigratorFactory<'_>,
    use_it: impl FnOnce(&SweepContext<'_>, &Run) -> R,
) -> R {
    on_device(small_by(CommitWay::Hosted), firmware, use_it)
}

fn cuts(firmware: &MigratorFactory<'_>, power_cuts: PowerCuts) -> PowerCutsReport {
    let sweeps = Sweeps { power_cuts, ..sweeps() };
    on_hosted(firmware, |context, run| sweeps.run(context, run).unwrap().power_cuts.unwrap())
}

const ALL: PowerCuts = PowerCuts { amount: Amount::All, torn: true, twice: false, seed: 1 };

#[test]
fn every_cut_is_survived_and_none_is_excused() {
    let report = cuts(&unchanged, ALL);
    assert!(report.cases > 500, "{}", report.cases);
    assert_eq!(report.failed, 0, "{:?}", report.failures);
    assert_eq!((report.in_commit_window, report.lost_in_commit_window), (0, 0));
    assert_eq!(report.recovered, report.cases);
}

#[test]
fn so_are_two_cuts() {
    let report = cuts(&unchanged, PowerCuts { amount: Amount::Some(300), twice: true, ..ALL });
    let second = report.second_cuts.unwrap();
    assert!(second.cases >= 300 && second.failed == 0, "{:?}", report.failures);
    assert_eq!((report.failed, second.in_commit_window), (0, 0), "{:?}", report.failures);
}

/// The sector of otadata is erased if it has to be, and an entry written: torn in many ways.
#[test]
fn every_torn_state_of_otadata_starts_one_of_the_two() {
    let otadata = synthetic::example_partitions()[1].region;
    on_hosted(&unchanged, |context, run| {
        assert_eq!(run.window.ops(), 0);
        let ops = window::handover(&run.ops, otadata).expect("otadata is written");
        assert!(ops.clone().all(|op| run.ops[op].region().overlaps(otadata)));
        assert_eq!(ops.end, run.ops.len(), "nothing comes after it");
        let worker = Worker::new(context).unwrap();
        for (op, seed) in ops.flat_map(|op| (0..150).map(move |seed| (op, seed))) {
            let cut = Cut::middle(op as u64, seed);
            let ended = worker.end(left_by(&run.recording, cut).unwrap(), &Hazards::default());
            let ended = ended.unwrap();
            assert!(ended.is_good(), "{cut:?}: {ended}");
        }
    });
}

/// The judge of it does find what would lose a device.
#[test]
fn a_migrator_that_touches_the_old_bootloader_is_found() {
    let report = cuts(&|migrator| touches_first(FlashAddr::ZERO, migrator), ALL);
    assert!(report.failed > 0);
    assert!(report.failures[0].detail.contains("ROM"), "{}", report.failures[0].detail);
}

#[test]
fn the_old_bootloader_and_the_table_are_as_they_were() {
    on_hosted(&unchanged, |_, run| {
        let area = Region::clamped(FlashAddr::ZERO, 0x9000);
        assert_eq!(run.before.bytes(area), run.after.bytes(area));
        assert!(!run.recording.ops().any(|op| op.region().overlaps(area)));
    });
}
