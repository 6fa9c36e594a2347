//! What `demo` and `simulate` have in common.

use std::cell::RefCell;

use bootswap_migration::OwnedMigration;
use bootswap_sim::{
    Monitor, OriginServer, Run, RunOutcome, Scenario, ScenarioError, Settings, Until, run,
};

use crate::error::{CommandError, Verdict};

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
/// If an artifact's file is missing or the server cannot be started.
pub fn live(
    migration: &OwnedMigration,
    scenario: &Scenario,
    online: bool,
    faults: Vec<bootswap_serve::ServerFault>,
    until: Until,
    monitor: &RefCell<dyn Monitor>,
) -> Result<Run, CommandError> {
    at_hand(migration, online)?;
    let origin = if online {
        OriginServer::online(migration)
    } else {
        OriginServer::open(migration, faults, None).map_err(|error| no_server(&error))?
    };
    Ok(run(scenario, &origin, Settings::new(until), monitor))
}

/// Checks that every artifact has its file, or a URL if `online`.
pub(crate) fn at_hand(migration: &OwnedMigration, online: bool) -> Result<(), CommandError> {
    let missing =
        migration.artifacts.iter().find(|a| a.bytes.is_none() && !(online && a.url.is_some()));
    match missing {
        Some(artifact) => {
            Err(scenario_failure(ScenarioError::NotAtHand { name: artifact.name.clone() }))
        }
        None => Ok(()),
    }
}

pub(crate) fn no_server(error: &std::io::Error) -> CommandError {
    CommandError::input(
        format_args!("the loopback server does not start: {error}"),
        "check that loopback connections are allowed",
    )
}

/// A scenario that cannot be set up is bad input.
#[must_use]
pub fn scenario_failure(error: ScenarioError) -> CommandError {
    if let ScenarioError::Facts(error) = &error {
        return CommandError::input(error, error.help());
    }
    CommandError::input(
        error,
        "see `bootswap simulate --help` and the chapter `migration.toml` of the book",
    )
}
