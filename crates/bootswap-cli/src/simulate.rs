//! `bootswap simulate`: a migration on a simulated device, from a dump or generated.

use std::cell::RefCell;
use std::path::Path;

use crate::args::SimulateArgs;
use crate::error::{Failure, Verdict};
use crate::monitor::TerminalMonitor;
use crate::sweep;
use crate::{input, output};
use bootswap_migration::OwnedMigration;
use bootswap_sim::summary::Summary;
use bootswap_sim::{
    Monitor, Origin, Report, Run, RunOutcome, Scenario, ScenarioError, Settings, Until, kept, run,
};

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] where the input is not usable; that a migration is refused or fails is no failure of
/// the command but its [`Verdict`].
pub fn command(args: &SimulateArgs) -> Result<Verdict, Failure> {
    let mut migration = bootswap_migration::load(&args.migration)?;
    if args.running.is_some() {
        migration.running.clone_from(&args.running);
    }
    let scenario = match &args.flash {
        Some(path) => {
            let dump = input::read(path)?;
            let running = migration.running.as_deref();
            let found = bootswap_migration::facts::read_flash(migration.chip, &dump, running)
                .map_err(|error| Failure::of_dump(path, &error))?;
            Scenario::from_dump(&migration, &dump, found.facts.running).map_err(scenario_failure)?
        }
        None => Scenario::synthetic(&migration).map_err(scenario_failure)?,
    };
    if let Some(case) = &args.sweep.replay {
        let (report, verdict) = sweep::replay(args, &migration, &scenario, case)?;
        print(args, &report)?;
        return Ok(verdict);
    }
    let monitor = RefCell::new(TerminalMonitor::new());
    let run =
        live(&migration, &scenario, args.online, args.faults.clone(), args.until.into(), &monitor)?;
    if let Some(path) = &args.out {
        write(path, &run.after.to_bytes())?;
    }
    let mut report = Report::new(&run, &kept(&migration, &scenario));
    let mut verdict = verdict(&run);
    if args.sweep.sweeps().are_wanted() && verdict == Verdict::Safe {
        let outcomes = sweep::sweep(args, &migration, &scenario, &run)?;
        if !outcomes.are_good() {
            verdict = Verdict::Unsafe;
        }
        report = report.with(outcomes);
    } else if args.sweep.sweeps().are_wanted() {
        eprintln!("no sweep is made: the run without interruption does not reach the target");
    }
    print(args, &report)?;
    Ok(verdict)
}

fn print(args: &SimulateArgs, report: &Report) -> Result<(), Failure> {
    if args.json {
        output::json(report)
    } else {
        output::text(&Summary { report, baseline: None }.to_string())
    }
}

/// Safe if the run reached the target.
#[must_use]
pub fn verdict(run: &Run) -> Verdict {
    match run.outcome {
        RunOutcome::TargetRunning { .. } => Verdict::Safe,
        _ => Verdict::Unsafe,
    }
}

/// Starts the server and runs the migration.
///
/// # Errors
///
/// Where an artifact is missing or no server can be started.
pub fn live(
    migration: &OwnedMigration,
    scenario: &Scenario,
    online: bool,
    faults: Vec<bootswap_serve::Fault>,
    until: Until,
    monitor: &RefCell<dyn Monitor>,
) -> Result<Run, Failure> {
    at_hand(migration, online)?;
    let lab = if online {
        Origin::online(migration)
    } else {
        Origin::open(migration, faults, None).map_err(|error| no_server(&error))?
    };
    Ok(run(scenario, &lab, Settings::new(until), monitor))
}

/// Checks that every artifact has its file, or an address if `online`.
pub(crate) fn at_hand(migration: &OwnedMigration, online: bool) -> Result<(), Failure> {
    let missing =
        migration.artifacts.iter().find(|a| a.bytes.is_none() && !(online && a.url.is_some()));
    match missing {
        Some(artifact) => {
            Err(scenario_failure(ScenarioError::NotAtHand { name: artifact.name.clone() }))
        }
        None => Ok(()),
    }
}

pub(crate) fn no_server(error: &std::io::Error) -> Failure {
    Failure::input(
        format_args!("the loopback server does not start: {error}"),
        "check that loopback connections are allowed",
    )
}

/// Writes a file.
///
/// # Errors
///
/// [`Failure`] naming the file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|error| Failure::file("write", path, &error))
}

/// A scenario that cannot be made is bad input.
#[must_use]
pub fn scenario_failure(error: ScenarioError) -> Failure {
    Failure::input(error, "see `bootswap simulate --help` and the migration file's documentation")
}
