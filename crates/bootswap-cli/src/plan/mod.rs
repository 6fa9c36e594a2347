//! `bootswap plan`: what a migration would do to a device, or every reason against it.
//!
//! The steps are those of the planner that runs on the device; here they are only told.

mod contents;
mod cost;
mod flash_map;
mod given_up;
mod report;
#[cfg(test)]
mod tests;
mod text;

use std::path::Path;

use bootswap_plan::{DeviceFacts, Migration, Plan, Reasons, Role, Step, plan, previous_firmware};

use crate::args::PlanArgs;
use crate::{Failure, Verdict, input, output};
use bootswap_migration::OwnedMigration;
use bootswap_migration::facts::{self, Found};

pub use cost::{CostReport, WayBackReport, WindowReport};
pub use flash_map::{FlashMap, MapRow};
pub use given_up::GivenUp;
pub use report::{DeviceReport, PlanReport, ReasonReport, RegionReport, StageReport, StepReport};

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] where migration or dump are not usable; that a migration is refused is no failure of the
/// command but its [`Verdict`].
pub fn command(args: &PlanArgs) -> Result<Verdict, Failure> {
    let mut migration = bootswap_migration::load(&args.migration)?;
    if args.running.is_some() {
        migration.running.clone_from(&args.running);
    }
    let dump = args.flash.as_deref().map(input::read).transpose()?;
    let found = match args.flash.as_deref().zip(dump.as_deref()) {
        Some((path, dump)) => {
            refuse_migrated(&migration, dump, path)?;
            facts::read_flash(migration.chip, dump, migration.running.as_deref())
                .map_err(|error| Failure::of_dump(path, &error))?
        }
        None => facts::assumed(&migration).map_err(|error| {
            Failure::input(format_args!("{}: {error}", args.migration.display()), error.help())
        })?,
    };
    let report = report(&migration, &found, dump.as_deref());
    if args.json {
        output::json(&report)?;
    } else {
        output::text(&report.to_string())?;
    }
    Ok(report.verdict())
}

/// A device that has the target bootloader runs no migrator any more.
fn refuse_migrated(migration: &OwnedMigration, dump: &[u8], path: &Path) -> Result<(), Failure> {
    let bootloader =
        migration.artifact(Role::Bootloader).and_then(|target| target.bytes.as_deref());
    let in_place = dump.get(migration.chip.bootloader_addr().get() as usize..).unwrap_or_default();
    if bootloader.is_some_and(|target| in_place.starts_with(target)) {
        return Err(Failure::input(
            format_args!(
                "{}: the device has the target bootloader already, at {}",
                path.display(),
                migration.chip.bootloader_addr()
            ),
            "name a dump of a device as it was before its migration",
        ));
    }
    Ok(())
}

/// A plan, and what was true when it was made.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    /// The device.
    pub facts: DeviceFacts<'a>,
    /// What is done.
    pub plan: Plan,
}

/// Plans the migration of the device that was found; `dump` is its flash, where it is at hand.
#[must_use]
pub fn report(migration: &OwnedMigration, found: &Found, dump: Option<&[u8]>) -> PlanReport {
    let device = DeviceReport::new(found, dump.is_some());
    migration.with(|migration| match stages(migration, found.facts.lend()) {
        Ok(stages) => PlanReport::planned(device, migration, &stages, dump),
        Err(reasons) => PlanReport::refused(device, &reasons),
    })
}

/// The plan, and the one that follows where the migrator moves to another partition and plans anew.
#[allow(clippy::result_large_err, reason = "as the planner's")]
pub(crate) fn stages<'a>(
    migration: &Migration<'_>,
    facts: DeviceFacts<'a>,
) -> Result<Vec<Stage<'a>>, Reasons> {
    let first = plan(migration, &facts)?;
    let copy = first.steps.iter().find_map(|step| match step {
        Step::CopySelf { to, .. } => Some(to.region),
        _ => None,
    });
    let mut stages = vec![Stage { facts, plan: first }];
    let there =
        copy.and_then(|copy| facts.partitions.iter().find(|p| p.region.contains_region(copy)));
    if let Some(there) = there {
        let previous = previous_firmware(facts.partitions, there.region);
        let facts = DeviceFacts { running: there.region, previous, ..facts };
        stages.push(Stage { facts, plan: plan(migration, &facts)? });
    }
    Ok(stages)
}
