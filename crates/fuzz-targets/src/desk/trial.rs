//! Runs a migration on the simulated device, and compares the result with the desk's verdict.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use bootswap_config::{LogLevel, SECTION_LEN_BYTES, Storage, decode, encode};
use bootswap_engine::Event;
use bootswap_migration::OwnedMigration;
use bootswap_migration::facts::Delivered;
use bootswap_migration::plan::PartitionVerdict;
use bootswap_plan::Reason;
use bootswap_sim::sweep::{Amount, Hazards, Pool, PowerCuts, SweepContext, Sweeps, Worker};
use bootswap_sim::{Monitor, Run, RunOutcome, Scenario, Settings, Until, kept};

use super::VerdictKind;
use super::device::Device;
use super::wanted::Wanted;

/// Losses of power in each migration that is planned.
const POWER_CUTS: u64 = 3;

/// What happens to the device.
pub(super) fn tried(
    migration: &OwnedMigration,
    wanted: &Wanted,
    device: &Device,
    delivered: Delivered,
    verdict: &PartitionVerdict,
) -> VerdictKind {
    let said: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code).collect();
    let is_planned = said.is_empty();
    let mut section = vec![0; SECTION_LEN_BYTES];
    let packed = migration.with_config(|config| encode(config, &mut section));
    if !matches!(packed, Ok(Ok(_))) {
        return VerdictKind::Unpackable;
    }
    let mut storage = Storage::default();
    let config = decode(&section, &mut storage).expect("what was packed");
    let scenario = Scenario::delivered(migration, &device.dump, delivered);
    let mut scenario = match scenario {
        Ok(scenario) => scenario,
        Err(error) => {
            assert!(!is_planned, "planned, but cannot be simulated: {error}");
            return VerdictKind::Refused;
        }
    };
    if !scenario.undeliverable.is_empty() {
        assert!(!is_planned, "planned, but the migrator does not fit");
        return VerdictKind::Undeliverable;
    }
    scenario.board = wanted.board.clone();
    let settings = Settings::new(Until::Boot);
    let context = SweepContext::new(&scenario, migration, &config.migration, settings);
    let worker = Worker::new(&context).expect("a server on loopback");
    let run = worker.record(scenario.flash.clone(), &Hazards::default()).expect("a run");
    let device_said: Vec<&str> = run.reasons.iter().map(Reason::code).collect();
    let from = &scenario.running.label;
    match (&run.outcome, is_planned) {
        (RunOutcome::TargetRunning { .. }, true) => {}
        (RunOutcome::Refused, false) => {
            // After the planner's reasons, which the device has too, the desk names what else is
            // wrong with the files.
            let same = said.starts_with(&device_said);
            assert!(
                same,
                "from {from} the desk refuses with {said:?}, the device {device_said:?}\n{}\n{}",
                wanted.text,
                console_of(&context, "none"),
            );
            return VerdictKind::Refused;
        }
        (RunOutcome::OldFirmware { .. } | RunOutcome::Stuck { .. }, false) => {
            return VerdictKind::Spoilt;
        }
        (outcome, _) => {
            let console = console_of(&context, "none");
            panic!(
                "the desk says {said:?} from {from}, the device {device_said:?}, {outcome}\n{}\n\
                 {console}",
                wanted.text
            )
        }
    }
    assert_kept(&run, migration, &scenario, wanted, device, &context);
    let cuts = PowerCuts { amount: Amount::Some(POWER_CUTS), torn: true, twice: false, seed: 1 };
    let pool = Pool::new(NonZeroUsize::new(1));
    let (flash_faults, network_faults) = (Amount::None, Amount::None);
    let sweeps = Sweeps { power_cuts: cuts, flash_faults, network_faults, pool };
    let swept = sweeps.run(&context, &run).expect("a sweep");
    let failures = swept.power_cuts.map(|report| report.failures).unwrap_or_default();
    if let Some(failure) = failures.first() {
        let console = console_of(&context, &failure.case);
        panic!("called safe from {from}: {failure:?}\n{}\n{console}", wanted.text);
    }
    VerdictKind::Planned
}

/// Checks that what was not given up is unchanged when the new bootloader starts.
///
/// A migrator that moves selects its copy in otadata, and what it ran from is free then.
fn assert_kept(
    run: &Run,
    migration: &OwnedMigration,
    scenario: &Scenario,
    wanted: &Wanted,
    device: &Device,
    context: &SweepContext<'_>,
) {
    let at_reset = run.at_reset.as_ref().unwrap_or(&run.after);
    // If nothing fails, only a move starts the migrator twice.
    let has_moved = run.boots > 2;
    // Of several, the bootloader uses the last.
    let otadata = device.partitions.iter().rfind(|p| p.is_otadata()).map(|p| p.region);
    for (label, region) in kept(migration, scenario) {
        let moves = label == "the running migrator" || Some(region) == otadata;
        // Every update overwrites what shares flash with otadata.
        let is_shared =
            Some(region) != otadata && otadata.is_some_and(|part| part.overlaps(region));
        if (has_moved && moves) || is_shared {
            continue;
        }
        let is_kept = run.before.bytes(region) == at_reset.bytes(region);
        assert!(
            is_kept,
            "{label} in {region} was changed\n{}\n{}",
            wanted.text,
            console_of(context, "none"),
        );
    }
}

/// The last lines of a device's console.
fn console_of(context: &SweepContext<'_>, case: &str) -> String {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let worker = Worker::with_monitor(context, Box::new(Console(lines.clone())));
    let case = case.parse().unwrap_or_default();
    let replayed = worker.map(|worker| worker.replay(&case));
    drop(replayed);
    let lines = lines.borrow();
    let (first, rest) = lines.split_at(lines.len().min(60));
    let last = &rest[rest.len().saturating_sub(30)..];
    format!("{}\n...\n{}", first.join("\n"), last.join("\n"))
}

/// Keeps what a device says.
struct Console(Rc<RefCell<Vec<String>>>);

impl Monitor for Console {
    fn line(&mut self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }

    fn level(&self) -> LogLevel {
        LogLevel::Debug
    }

    fn progress(&mut self, _: &Event<'_>) {}
}
