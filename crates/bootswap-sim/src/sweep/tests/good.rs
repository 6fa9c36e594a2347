//! A good migrator passes.

use nor_sim::Cut;

use super::{ALL, on_small_device, power_cuts, sweeps};
use crate::migrator::unchanged;
use crate::outcome::RunOutcome;
use crate::sweep::{Amount, Hazards, PowerCuts, Sweeps, Worker};

#[test]
fn a_good_migrator_survives_every_cut() {
    let report = power_cuts(&unchanged, ALL);
    assert_eq!((report.failed, &report.failures[..]), (0, &[][..]));
    assert!(report.operations > 200, "{}", report.operations);
    assert_eq!(report.cases, 3 * report.operations);
    assert_eq!(report.cases, report.recovered + report.lost_in_commit_window);
    assert!(report.lost_in_commit_window <= report.in_commit_window);
    // Two sectors of 4 KiB erased, one of 20 pages and one of a few: all but the first cut and the
    // last in three phases each.
    assert!((60..120).contains(&report.in_commit_window), "{}", report.in_commit_window);
    assert!(report.lost_in_commit_window > 50, "{}", report.lost_in_commit_window);
    // 8 KiB between two checkpoints, and what one sector loses.
    assert!(report.downloaded_again_bytes.most > 1000, "{:?}", report.downloaded_again_bytes);
    assert!(report.downloaded_again_bytes.most <= 3 * 4096, "{:?}", report.downloaded_again_bytes);
    // An erase, its pages, and a note that it is another attempt.
    assert!((1..=18).contains(&report.operations_again.most), "{:?}", report.operations_again);
}

#[test]
fn a_good_migrator_survives_two_cuts() {
    let cuts = PowerCuts { amount: Amount::Some(60), twice: true, ..ALL };
    let report = power_cuts(&unchanged, cuts);
    let second = report.second_cuts.as_ref().unwrap();
    assert_eq!((report.failed, second.failed, second.cases, report.cases), (0, 0, 60, 120));
    assert!(second.possible > 5000, "{}", second.possible);
    assert_eq!(second.recovered + second.in_commit_window, 60);
    // The same seed gives the same cases; but what a connection had received by then is not always
    // the same.
    let again = power_cuts(&unchanged, cuts);
    assert_eq!(again.operations_again, report.operations_again);
    assert_eq!(again.second_cuts, report.second_cuts);
}

#[test]
fn a_recording_knows_what_a_cut_leaves() {
    on_small_device(&unchanged, |context, run| {
        let worker = Worker::new(context).unwrap();
        let cut_for_real = |cut| {
            let flash = context.scenario.flash.clone();
            worker.cut(flash, &Hazards::default(), cut).unwrap()
        };
        for op in (0..run.recording.len() as u64).step_by(7) {
            for cut in [Cut::before(op), Cut::middle(op, op), Cut::after(op)] {
                let left = run.recording.cut(cut).unwrap();
                assert_eq!(left.first_difference(&cut_for_real(cut)), None, "{cut:?}");
            }
        }
        let never = Cut::before(run.recording.len() as u64);
        let error =
            worker.cut(context.scenario.flash.clone(), &Hazards::default(), never).unwrap_err();
        assert!(error.to_string().contains("numbered from 0"), "{error}");
    });
}

#[test]
fn a_replay_ends_as_the_case_did() {
    on_small_device(&unchanged, |context, run| {
        let worker = Worker::new(context).unwrap();
        let in_window = run.ops.len() as u64 - 3;
        for (case, recovers, inside) in [
            ("cut:5:middle:7".to_owned(), true, false),
            ("cut:20:after,cut:30:middle:9".to_owned(), true, false),
            (format!("cut:{in_window}:after"), false, true),
            (format!("cut:3:before,cut:{}:before", run.recording.len() - 10), true, false),
            ("op:12:ignored".to_owned(), true, false),
            ("read:99:fails".to_owned(), true, false),
            ("cut:9:after,net:/app.bin:drop=3000*2".to_owned(), true, false),
        ] {
            let replayed = worker.replay(&case.parse().unwrap()).unwrap();
            let reached = matches!(replayed.run.outcome, RunOutcome::TargetRunning { .. });
            assert_eq!(
                (reached, replayed.in_window),
                (recovers, inside),
                "{case}: {}",
                replayed.run.outcome
            );
        }
    });
}

#[test]
fn a_good_migrator_survives_flash_that_fails() {
    let sweeps = Sweeps { flash_faults: Amount::Some(400), ..sweeps() };
    let report = on_small_device(&unchanged, |context, run| {
        sweeps.run(context, run).unwrap().flash_faults.unwrap()
    });
    assert_eq!((report.cases, report.failed), (400, 0), "{:?}", report.failures);
    assert!(report.target_running > 350, "{report:?}");
}

#[test]
fn a_good_migrator_survives_servers_that_fail() {
    let sweeps = Sweeps { network_faults: Amount::Some(150), ..sweeps() };
    let report = on_small_device(&unchanged, |context, run| {
        sweeps.run(context, run).unwrap().network_faults.unwrap()
    });
    assert_eq!((report.cases, report.failed), (150, 0), "{:?}", report.failures);
}
