//! Which starts of a simulated device count as failed attempts.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used)]

use bootswap_sim::origin::over_http;
use bootswap_sim::sweep::{Hazards, SweepContext, Worker};
use bootswap_sim::{RunOutcome, Scenario, Settings, Until, example};
use esp_idf_format::Chip;
use nor_sim::{Cut, NorMemory};

/// Starts that lose power, one after the other: more than there are attempts.
const STARTS: usize = 20;

/// A server without files.
fn nothing() -> Hazards {
    Hazards { flash: None, network: vec!["status=503".parse().unwrap()] }
}

/// Passes a device of the example to `use_it`, with the worker that runs it.
fn on_the_example(use_it: impl FnOnce(&Worker<'_>, NorMemory)) {
    let migration = example(Chip::Esp32c3).unwrap();
    let scenario = Scenario::synthetic(&migration).unwrap();
    let served = over_http(&migration);
    served.with(|lent| {
        let settings = Settings::new(Until::Boot);
        let context = SweepContext::new(&scenario, &served, lent, settings);
        use_it(&Worker::new(&context).unwrap(), scenario.flash.clone());
    });
}

/// Power that goes while the migrator waits before its next attempt, or while it tries, is no fault
/// of the attempt: however often it goes, the device has its attempts left.
#[test]
fn power_lost_while_it_waits_or_works_is_no_failed_attempt() {
    on_the_example(|worker, flash| {
        // Without interruptions the device gives up.
        let alone = worker.record(flash.clone(), &nothing()).unwrap();
        let why = alone.outcome.to_string();
        assert!(why.contains("given up after 8 attempts"), "{why}");
        // Two attempts have failed: the journal is erased, and has four notes.
        let failed_twice = worker.cut(flash, &nothing(), Cut::after(4)).unwrap();
        for cut in [Cut::before(0), Cut::after(0)] {
            let mut flash = failed_twice.clone();
            for _ in 0..STARTS {
                flash = worker.cut(flash, &nothing(), cut).unwrap();
            }
            let run = worker.record(flash, &Hazards::default()).unwrap();
            let is_running = matches!(run.outcome, RunOutcome::TargetRunning { .. });
            assert!(is_running, "{cut:?}: {}", run.outcome);
        }
    });
}
