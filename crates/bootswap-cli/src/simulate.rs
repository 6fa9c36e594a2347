//! `bootswap simulate`: a migration on a simulated device, from a dump or generated.

use std::cell::RefCell;

use crate::args::SimulateArgs;
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::monitor::TerminalMonitor;
use crate::output::{self, Destination};
use crate::simulation::{live, scenario_failure, verdict};
use crate::sweep;
use bootswap_sim::summary::Summary;
use bootswap_sim::{Report, Scenario, kept};

/// Runs the command.
///
/// # Errors
///
/// [`CommandError`] where the input is not usable; that a migration is refused or fails is no
/// failure of the command but its [`Verdict`].
pub fn command(args: &SimulateArgs) -> Result<Verdict, CommandError> {
    let mut inputs = Inputs::default();
    let mut migration = inputs.migration(&args.migration)?;
    if args.running.is_some() {
        migration.running.clone_from(&args.running);
    }
    let scenario = match &args.flash {
        Some(path) => {
            let dump = inputs.read(path)?;
            let running = migration.running.as_deref();
            let found = bootswap_migration::facts::read_flash(migration.chip, &dump, running)
                .map_err(|error| CommandError::of_dump(path, &error))?;
            Scenario::from_dump(&migration, &dump, found.facts.running).map_err(scenario_failure)?
        }
        None => Scenario::synthetic(&migration).map_err(scenario_failure)?,
    };
    let out = args.out.as_deref().map(|path| Destination::new(path, &inputs, args.force));
    let out = out.transpose()?;
    if let Some(case) = &args.sweep.replay {
        let (report, verdict) = sweep::replay(args, &migration, &scenario, case)?;
        print(args, &report)?;
        return Ok(verdict);
    }
    let monitor = RefCell::new(TerminalMonitor::new());
    let run =
        live(&migration, &scenario, args.online, args.faults.clone(), args.until.into(), &monitor)?;
    if let Some(out) = &out {
        out.write(&run.after.to_bytes())?;
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

fn print(args: &SimulateArgs, report: &Report) -> Result<(), CommandError> {
    if args.json {
        output::json(report)
    } else {
        output::text(&Summary { report, baseline: None }.to_string())
    }
}
