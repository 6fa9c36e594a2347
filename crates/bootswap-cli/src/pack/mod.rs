//! `bootswap pack`: a migration into a prebuilt firmware image, so that it becomes a migrator.
//!
//! ```text
//!   migration.toml ──> OwnedMigration ──> configuration ───┐
//!                            |                             v
//!   bootswap-CHIP.bin ──> Firmware ──> | ESP image: ... | section | ... | sums | container |
//!                            |                                                  (--embed)
//!                            v
//!                 rehearsal: the planner, with the image's true length ──> written, or refused
//! ```

mod firmware;
mod migrator;
mod refusal;
mod rehearsal;

pub use firmware::{Firmware, FirmwareError};
pub use migrator::{PackError, Packed, pack};
pub use refusal::{Refusal, settle};
pub use rehearsal::Rehearsal;

use crate::args::PackArgs;
use crate::{Failure, Verdict, input, output};
use bootswap_migration::OwnedMigration;

/// Runs the command.
///
/// # Errors
///
/// [`Failure::Input`] where migration and firmware do not go together, [`Failure::Unsafe`] where no
/// device could carry the migration out.
pub fn command(args: &PackArgs) -> Result<Verdict, Failure> {
    let name = args.migration.display();
    let mut migration = bootswap_migration::load(&args.migration)?;
    settle(&mut migration, args.chip, args.embed)
        .map_err(|refusal| Failure::input(format_args!("{name}: {refusal}"), refusal.help()))?;

    let path = match &args.firmware {
        Some(path) => path.clone(),
        None => firmware::prebuilt(migration.chip)?,
    };
    let bytes = input::read(&path)?;
    let firmware = Firmware::new(bytes, migration.chip).map_err(|error| {
        Failure::input(format_args!("{}: {error}", path.display()), error.help())
    })?;
    let packed = pack(&migration, firmware)
        .map_err(|error| Failure::input(format_args!("{name}: {error}"), error.help()))?;

    let rehearsal = Rehearsal::new(&migration, &packed);
    if let Some(refused) = rehearsal.refused() {
        return Err(Failure::unsafe_because(
            format_args!("{name}: {refused}"),
            "see all of it with `bootswap plan`; nothing was written",
        ));
    }
    output::file(&args.out, &packed.image)?;
    for warning in rehearsal.warnings().chain(unknown_contents(&migration)) {
        eprintln!("warning: {warning}");
    }
    eprintln!("wrote {}: {packed}", args.out.display());
    Ok(Verdict::Safe)
}

/// Artifacts of which nothing is known, so that a device takes what it gets.
fn unknown_contents(migration: &OwnedMigration) -> impl Iterator<Item = String> {
    let unknown = migration.artifacts.iter().filter(|artifact| artifact.bytes.is_none());
    unknown.map(|artifact| {
        format!(
            "{}: without its `file` at hand, devices take whatever its address gives them",
            artifact.name
        )
    })
}
