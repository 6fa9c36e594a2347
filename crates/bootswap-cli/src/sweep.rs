//! The part of `bootswap simulate` that runs sweeps and replays their cases.

use bootswap_sim::origin::over_http;
use bootswap_sim::report::{ReplayReport, Report};
use bootswap_sim::sweep::{Case, Replay, SweepContext, SweepError, SweepOutcome, Sweeps, Worker};
use bootswap_sim::{Run, Scenario, Settings, kept};

use crate::args::{SimulateArgs, UntilArg};
use crate::error::{CommandError, Verdict};
use crate::monitor::{self, TerminalMonitor};
use crate::output::{Destination, note};
use crate::simulation::{at_hand, no_server, verdict};
use bootswap_migration::OwnedMigration;

/// Runs the sweeps of `run` that the arguments ask for, and prints on stderr which cases failed.
///
/// # Errors
///
/// [`CommandError`] if they cannot be run.
pub fn sweep(
    args: &SimulateArgs,
    migration: &OwnedMigration,
    scenario: &Scenario,
    run: &Run,
) -> Result<SweepOutcome, CommandError> {
    let running = scenario.running.label.to_string();
    let sweeps = args.sweep.sweeps();
    let sweeps = Sweeps { pool: sweeps.pool.with_progress(monitor::progress), ..sweeps };
    let mut outcomes = in_context(args, migration, scenario, |bench| sweeps.run(bench, run))?;
    for failure in outcomes.failures_mut() {
        failure.replay = replay_command(args, &running, &failure.case);
        note(format_args!("FAILED {}: {}\n  {}", failure.case, failure.detail, failure.replay));
    }
    Ok(outcomes)
}

/// Replays one case and shows all of it on stderr.
///
/// # Errors
///
/// [`CommandError`] if there is no such case.
pub fn replay(
    args: &SimulateArgs,
    migration: &OwnedMigration,
    scenario: &Scenario,
    case: &Case,
    out: Option<&Destination>,
) -> Result<(Report, Verdict), CommandError> {
    let Replay { run, in_window, missing, left } =
        in_context(args, migration, scenario, |bench| {
            Worker::with_monitor(bench, Box::new(TerminalMonitor::new()))?.replay(case)
        })?;
    if let Some(out) = out {
        out.write(&left.to_bytes())?;
    }
    let mut report = Report::new(&run, &kept(migration, scenario));
    let verdict = if missing.is_none() { verdict(&run) } else { Verdict::Unsafe };
    let case = case.to_string();
    report.replayed = Some(ReplayReport { case, in_commit_window: in_window, missing });
    Ok((report, verdict))
}

/// Makes the context of a sweep and uses it.
fn in_context<R>(
    args: &SimulateArgs,
    migration: &OwnedMigration,
    scenario: &Scenario,
    use_it: impl FnOnce(&SweepContext<'_>) -> Result<R, SweepError>,
) -> Result<R, CommandError> {
    at_hand(migration, false)?;
    let served = over_http(migration);
    let result = served.with(|lent| {
        let bench = SweepContext::new(scenario, &served, lent, Settings::new(args.until.into()));
        use_it(&SweepContext { faults: args.faults.clone(), ..bench })
    });
    result.map_err(|error| match error {
        SweepError::Server(error) => no_server(&error),
        SweepError::NeverCut { .. } => CommandError::input(
            error,
            "use a smaller number, or the options of the sweep that printed the case",
        ),
        error => CommandError::unsafe_because(error, "report this as a bug"),
    })
}

/// The command line that replays a case of this command's sweeps.
///
/// With a dump, it names the partition, since there can be several.
fn replay_command(args: &SimulateArgs, running: &str, case: &str) -> String {
    let mut words = vec!["bootswap".to_owned(), "simulate".to_owned()];
    words.push(args.migration.display().to_string());
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(path) = &args.flash {
        option("--flash", path.display().to_string());
    }
    if args.running.is_some() || args.flash.is_some() {
        option("--running", running.to_owned());
    }
    if let Some(path) = &args.migrator {
        option("--migrator", path.display().to_string());
    }
    if args.until == UntilArg::Reboot {
        option("--until", "reboot".to_owned());
    }
    for fault in &args.faults {
        option("--fault", fault.to_string());
    }
    option("--replay", case.to_owned());
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}

/// Quotes a word for a POSIX shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn simulate(words: &[&str]) -> SimulateArgs {
        match Cli::try_parse_from(words).unwrap().command {
            Command::Simulate(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_that_replays_a_case_says_what_the_sweep_was_made_with() {
        let sweep = [
            ["bootswap", "simulate", "my fleet/m.toml", "--power-cuts"],
            ["all", "--fault", "/app.bin:drop=13000*1", "--running"],
            ["it's", "--flash", "dump.bin", "--torn"],
            ["--until", "reboot", "--depth", "2"],
        ];
        let case = "cut:1234:middle:7,cut:15:after";
        let command = replay_command(&simulate(&sweep.concat()), "it's", case);
        assert_eq!(
            command,
            "bootswap simulate 'my fleet/m.toml' --flash dump.bin --running 'it'\\''s' \
             --until reboot \
             --fault '/app.bin:drop=13000*1' --replay cut:1234:middle:7,cut:15:after"
        );
        let words = ["bootswap", "simulate", "m.toml", "--replay", case];
        assert_eq!(simulate(&words).sweep.replay.unwrap().to_string(), case);
    }
}
