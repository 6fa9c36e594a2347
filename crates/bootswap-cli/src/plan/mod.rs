//! `bootswap plan`: what a migration would do to a device, or every reason against it.

#[cfg(test)]
mod tests;

use std::path::Path;

use bootswap_migration::{OwnedMigration, facts, plan};
use bootswap_plan::Role;

use crate::args::PlanArgs;
use crate::error::{CommandError, Verdict};
use crate::{input, output};

/// Runs the command.
///
/// # Errors
///
/// [`CommandError`] where migration or dump are not usable; a refusal is the command's
/// [`Verdict`].
pub fn command(args: &PlanArgs) -> Result<Verdict, CommandError> {
    let mut migration = bootswap_migration::load(&args.migration)?;
    if args.running.is_some() {
        migration.running.clone_from(&args.running);
    }
    let dump = args.flash.as_deref().map(input::read).transpose()?;
    let found = match args.flash.as_deref().zip(dump.as_deref()) {
        Some((path, dump)) => {
            refuse_migrated(&migration, dump, path)?;
            facts::read_flash(
                migration.chip,
                dump,
                migration.table_addr,
                migration.running.as_deref(),
            )
            .map_err(|error| CommandError::of_dump(path, &error))?
        }
        None => facts::assumed(&migration).map_err(|error| {
            CommandError::input(format_args!("{}: {error}", args.migration.display()), error.help())
        })?,
    };
    let report = plan::report(&migration, &found, dump.as_deref());
    if args.json {
        output::json(&report)?;
    } else {
        output::text(&report.to_string())?;
    }
    Ok(if report.is_safe() { Verdict::Safe } else { Verdict::Unsafe })
}

/// A device that has the target bootloader does not run a migrator any more.
fn refuse_migrated(
    migration: &OwnedMigration,
    dump: &[u8],
    path: &Path,
) -> Result<(), CommandError> {
    let bootloader =
        migration.artifact(Role::Bootloader).and_then(|target| target.bytes.as_deref());
    let in_place = dump.get(migration.chip.bootloader_addr().get() as usize..).unwrap_or_default();
    if bootloader.is_some_and(|target| in_place.starts_with(target)) {
        return Err(CommandError::input(
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
