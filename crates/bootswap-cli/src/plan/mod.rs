//! `bootswap plan`: what a migration would do to a device, or every reason why it is refused.

mod fleet;
#[cfg(test)]
mod tests;

use bootswap_migration::{facts, plan::DevicePlans};

use crate::args::PlanArgs;
use crate::delivery::{Device, refuse_unknown_labels, sent};
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::output;

/// Runs the command.
///
/// # Errors
///
/// [`CommandError`] if the migration or a dump is not usable; a refusal is the command's
/// [`Verdict`].
pub fn command(args: &PlanArgs) -> Result<Verdict, CommandError> {
    let mut inputs = Inputs::default();
    let mut migration = inputs.migration(&args.migration)?;
    let sent = sent(&mut migration, args.migrator.as_deref(), &mut inputs)?;
    let running = args.running.as_deref();
    let plans = match args.dumps().as_slice() {
        [] => {
            if args.running.is_some() {
                migration.running.clone_from(&args.running);
            }
            let found = facts::assumed_with(&migration, &sent).map_err(|error| {
                let name = args.migration.display();
                CommandError::input(format_args!("{name}: {error}"), error.help())
            })?;
            refuse_unknown_labels(&migration, &found.facts.partitions)?;
            DevicePlans::assumed(&migration, &found)
        }
        [path] => {
            let device = Device::of_dump(path, &migration, running, &sent, &mut inputs)?;
            fleet::planned(&device, &migration)?
        }
        paths => {
            let fleet = fleet::Fleet::new(paths, &migration, running, &sent);
            if args.json {
                output::json(&fleet.report())?;
            } else {
                output::text(&fleet.to_string())?;
            }
            return fleet.verdict();
        }
    };
    if args.json {
        output::json(&plans)?;
    } else {
        output::text(&plans.to_string())?;
    }
    Ok(if plans.is_safe() { Verdict::Safe } else { Verdict::Unsafe })
}
