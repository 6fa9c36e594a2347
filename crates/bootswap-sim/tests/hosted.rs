//! Migrations in which the old bootloader stays and starts a carrier, from ROM to target.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::cell::RefCell;

use bootswap_migration::{OwnedArtifact, OwnedMigration};
use bootswap_plan::{CommitWay, Strategy};
use bootswap_sim::example::example_by;
use bootswap_sim::sweep::{Amount, Pool, PowerCuts, Sweeps, sweep};
use bootswap_sim::{
    OriginServer, Report, Run, RunOutcome, Scenario, Settings, Until, Unwatched, kept, run,
};
use esp_idf_format::Chip;

fn hosted(chip: Chip, running: &str) -> OwnedMigration {
    let mut migration = example_by(chip, CommitWay::Hosted).unwrap();
    migration.running = Some(running.to_owned());
    if !chip.has_wifi() {
        migration.artifacts.iter_mut().for_each(OwnedArtifact::embed);
    }
    migration
}

fn migrate(migration: &OwnedMigration) -> (Run, Report) {
    let scenario = Scenario::synthetic(migration).unwrap();
    let lab = OriginServer::open(migration, Vec::new(), None).unwrap();
    let run = run(&scenario, &lab, Settings::new(Until::Boot), &RefCell::new(Unwatched));
    let report = Report::new(&run, &kept(migration, &scenario));
    (run, report)
}

#[test]
fn the_target_runs_and_the_old_bootloader_is_as_it_was() {
    for chip in [Chip::Esp32c3, Chip::Esp32c6, Chip::Esp32h2] {
        let (run, report) = migrate(&hosted(chip, "factory"));
        assert!(matches!(run.outcome, RunOutcome::TargetRunning { .. }), "{chip}: {}", run.outcome);
        let names: Vec<_> = report.kept.iter().map(|kept| kept.label.as_str()).collect();
        assert!(names.contains(&"the old bootloader") && names.contains(&"partition table"));
        assert!(report.kept.iter().all(|kept| kept.intact), "{chip}: {:?}", report.kept);
        let window = report.commit_window.unwrap();
        assert_eq!((window.erase_ops, window.pages), (0, 0), "{chip}");
        assert!(window.max_ms <= 0.0, "{chip}");
    }
}

#[test]
fn a_chip_without_a_loader_has_no_example() {
    let error = example_by(Chip::Esp32s3, CommitWay::Hosted).unwrap_err().to_string();
    assert!(error.contains("there is no loader for esp32s3"), "{error}");
}

/// From every partition: where the migrator runs where only a carrier could go, it moves first.
#[test]
fn every_partition_reaches_the_target() {
    for (running, strategy) in [
        ("factory", Strategy::SecondaryAndSwap),
        ("ota_0", Strategy::StraightToPrimary),
        ("ota_1", Strategy::StraightToPrimary),
    ] {
        let (run, _) = migrate(&hosted(Chip::Esp32c3, running));
        assert!(
            matches!(run.outcome, RunOutcome::TargetRunning { .. }),
            "{running}: {}",
            run.outcome
        );
        assert_eq!(run.plan.map(|plan| plan.strategy), Some(strategy), "{running}");
    }
}

fn assert_none_lost(amount: Amount, twice: bool) {
    for running in ["factory", "ota_0", "ota_1"] {
        let migration = hosted(Chip::Esp32c3, running);
        let scenario = Scenario::synthetic(&migration).unwrap();
        let power_cuts = PowerCuts { amount, torn: true, twice, seed: 1 };
        let (flash_faults, network_faults) = (Amount::None, Amount::None);
        let sweeps = Sweeps { power_cuts, flash_faults, network_faults, pool: Pool::new(None) };
        let settings = Settings::new(Until::Boot);
        let (_, outcome) = sweep(&migration, &scenario, settings, &sweeps).unwrap();
        let report = outcome.power_cuts.unwrap();
        assert_eq!(report.failed, 0, "{running}: {:?}", report.failures);
        assert_eq!((report.in_commit_window, report.recovered), (0, report.cases), "{running}");
    }
}

#[test]
fn a_sample_of_cuts_loses_no_device() {
    assert_none_lost(Amount::Some(60), true);
}

#[test]
#[ignore = "takes minutes: every cut of three migrations"]
fn no_cut_loses_a_device() {
    assert_none_lost(Amount::All, false);
}
