//! `bootswap plan`: what a migration would do to a device, or every reason against it.
//!
//! The steps are those of the planner that runs on the device; here they are only told.

mod flash_map;
mod report;

use std::fs;

use bootswap_plan::{Migration, plan};

use crate::args::PlanArgs;
use crate::facts::{self, Found};
use crate::migration::{self, OwnedMigration};
use crate::{Failure, Verdict, output};

pub use flash_map::{FlashMap, MapRow};
pub use report::{DeviceReport, PlanReport, ReasonReport, RegionReport, StepReport};

/// Runs the command.
///
/// # Errors
///
/// [`Failure`] where migration or dump are not usable; that a migration is refused is no failure of the
/// command but its [`Verdict`].
pub fn command(args: &PlanArgs) -> Result<Verdict, Failure> {
    let mut migration = migration::load(&args.migration)?;
    if args.running.is_some() {
        migration.running.clone_from(&args.running);
    }
    let found = match &args.flash {
        Some(path) => {
            let dump = fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
            facts::found_in_flash(migration.chip, &dump, migration.running.as_deref(), path)?
        }
        None => facts::assumed(&migration).map_err(|error| {
            Failure::input(format_args!("{}: {error}", args.migration.display()), error.help())
        })?,
    };
    let report = report(&migration, &found, args.flash.is_some());
    if args.json {
        output::json(&report)?;
    } else {
        output::text(&report.to_string())?;
    }
    Ok(report.verdict())
}

/// Plans the migration of the device that was found.
#[must_use]
pub fn report(migration: &OwnedMigration, found: &Found, from_dump: bool) -> PlanReport {
    let facts = found.facts.lend();
    let device = DeviceReport::new(found, from_dump);
    migration.with(|migration: &Migration<'_>| match plan(migration, &facts) {
        Ok(plan) => PlanReport::planned(device, migration, &facts, &plan),
        Err(reasons) => PlanReport::refused(device, &reasons),
    })
}
