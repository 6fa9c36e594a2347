//! `bootswap simulate`: runs a migration on a simulated device, whose flash is a dump or generated.

use std::cell::RefCell;

use bootswap_migration::OwnedMigration;

use crate::args::SimulateArgs;
use crate::delivery::{Device, refuse_unknown_labels, sent};
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::monitor::TerminalMonitor;
use crate::output::{self, Destination, note};
use crate::simulation::{live, scenario_failure, verdict};
use crate::sweep;
use bootswap_sim::summary::Summary;
use bootswap_sim::{Report, Scenario, check_faults, kept};

/// Runs the command.
///
/// # Errors
///
/// [`CommandError`] if the input is not usable. A migration that is refused or fails is the
/// command's [`Verdict`], not an error.
pub fn command(args: &SimulateArgs) -> Result<Verdict, CommandError> {
    let mut inputs = Inputs::default();
    let mut migration = inputs.migration(&args.migration)?;
    let sent = sent(&mut migration, args.migrator.as_deref(), &mut inputs)?;
    check_faults(&migration, &args.faults)
        .map_err(|error| CommandError::input(&error, error.help()))?;
    let running = args.running.as_deref();
    let device = args
        .flash
        .as_deref()
        .map(|path| Device::of_dump(path, &migration, running, &sent, &mut inputs));
    let device = device.transpose()?;
    let out = args.out.as_deref().map(|path| Destination::new(path, &inputs, args.force));
    let out = out.transpose()?;
    let Some(device) = device else {
        if args.running.is_some() {
            migration.running.clone_from(&args.running);
        }
        refuse_unknown_labels(&migration, &[])?;
        let scenario = Scenario::synthetic_with(&migration, &sent).map_err(scenario_failure)?;
        let (report, verdict) = simulated(args, &migration, &scenario, out.as_ref())?;
        print(args, &report)?;
        return Ok(verdict);
    };
    let (mut first, mut partitions, mut worst) = (None, Vec::new(), Verdict::Safe);
    for delivered in device.delivered {
        let (is_first, next_update) = (first.is_none(), delivered.is_next);
        if !is_first && args.sweep.replay.is_some() {
            break;
        }
        let scenario =
            Scenario::delivered(&migration, &device.dump, delivered).map_err(scenario_failure)?;
        note(format_args!("--- the migrator is in {}", scenario.running.label));
        let (report, verdict) =
            simulated(args, &migration, &scenario, out.as_ref().filter(|_| is_first))?;
        if verdict == Verdict::Unsafe {
            worst = Verdict::Unsafe;
        }
        partitions.push(report.of_partition(next_update));
        first = first.or(Some(report));
    }
    if let Some(mut report) = first {
        report.partitions = partitions;
        print(args, &report)?;
    }
    Ok(worst)
}

/// Simulates the migration of this device, with its sweeps, or replays a case of them. The flash
/// afterwards is written to `out`.
fn simulated(
    args: &SimulateArgs,
    migration: &OwnedMigration,
    scenario: &Scenario,
    out: Option<&Destination>,
) -> Result<(Report, Verdict), CommandError> {
    let running = Some(scenario.running.label.to_string());
    let assumed = scenario.assumed.clone();
    if let Some(case) = &args.sweep.replay {
        let (report, verdict) = sweep::replay(args, migration, scenario, case, out)?;
        return Ok((Report { running, assumed, ..report }, verdict));
    }
    let monitor = RefCell::new(TerminalMonitor::new());
    let run =
        live(migration, scenario, args.online, args.faults.clone(), args.until.into(), &monitor)?;
    if let Some(out) = out {
        out.write(&run.after.to_bytes())?;
    }
    let mut report = Report { running, assumed, ..Report::new(&run, &kept(migration, scenario)) };
    let mut verdict = verdict(&run);
    if args.sweep.sweeps().are_wanted() && verdict == Verdict::Safe {
        let outcomes = sweep::sweep(args, migration, scenario, &run)?;
        if !outcomes.are_good() {
            verdict = Verdict::Unsafe;
        }
        report = report.with(outcomes);
    } else if args.sweep.sweeps().are_wanted() {
        note("no sweep is run, because the run without interruption does not reach the target");
    }
    Ok((report, verdict))
}

fn print(args: &SimulateArgs, report: &Report) -> Result<(), CommandError> {
    if args.json {
        output::json(report)
    } else {
        output::text(&Summary { report, baseline: None }.to_string())
    }
}
