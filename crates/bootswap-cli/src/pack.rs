//! `bootswap pack`: makes a migrator by putting a migration into a prebuilt firmware image.

use std::env;
use std::path::PathBuf;

use bootswap_migration::pack::{Firmware, Rehearsal, choose_sources, pack};
use bootswap_migration::{OwnedIdentity, OwnedMigration};
use esp_idf_format::Chip;

use crate::args::PackArgs;
use crate::delivery::refuse_unknown_labels;
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;
use crate::output::{Destination, note};

/// Environment variable that names the directory with the firmware images.
const DIR_VARIABLE: &str = "BOOTSWAP_FIRMWARE";
/// Directory with the firmware images, beside the program.
const DIR: &str = "firmware";

/// Runs the command.
///
/// # Errors
///
/// [`CommandError::Input`] if migration and firmware do not fit together, [`CommandError::Unsafe`]
/// if no device could carry the migration out.
pub fn command(args: &PackArgs) -> Result<Verdict, CommandError> {
    let name = args.migration.display();
    let mut inputs = Inputs::default();
    let mut migration = inputs.migration(&args.migration)?;
    let identity = OwnedIdentity {
        version: args.version.clone(),
        project: args.project.clone(),
        secure_version: args.secure_version,
    };
    migration.identity = identity.or(&migration.identity);
    choose_sources(&mut migration, args.chip, args.embed)
        .map_err(|error| CommandError::input(format_args!("{name}: {error}"), error.help()))?;

    let path = match &args.firmware {
        Some(path) => path.clone(),
        None => prebuilt(migration.chip)?,
    };
    let bytes = inputs.read(&path)?;
    let out = Destination::new(&args.out, &inputs, args.force)?;
    let firmware = Firmware::new(bytes, migration.chip).map_err(|error| {
        CommandError::input(format_args!("{}: {error}", path.display()), error.help())
    })?;
    let packed = pack(&migration, firmware)
        .map_err(|error| CommandError::input(format_args!("{name}: {error}"), error.help()))?;

    if migration.partition_table.is_some() {
        refuse_unknown_labels(&migration, &[])?;
    }
    let rehearsal = Rehearsal::new(&migration, &packed);
    if let Some(error) = rehearsal.unusable() {
        return Err(CommandError::input(format_args!("{name}: {error}"), error.help()));
    }
    if let Some(refused) = rehearsal.refused() {
        return Err(CommandError::unsafe_because(
            format_args!("{name}: {refused}"),
            "`bootswap plan` shows everything; nothing was written",
        ));
    }
    out.write(&packed.image)?;
    for warning in rehearsal.warnings().chain(unknown_contents(&migration)) {
        note(format_args!("warning: {warning}"));
    }
    note(format_args!("wrote {out}: {packed}"));
    Ok(Verdict::Safe)
}

/// Artifacts without a file, of which a device accepts whatever it gets.
fn unknown_contents(migration: &OwnedMigration) -> impl Iterator<Item = String> {
    let unknown = migration.artifacts.iter().filter(|artifact| artifact.bytes.is_none());
    unknown.map(|artifact| {
        format!(
            "{}: without its `file`, devices accept whatever they get from its URL",
            artifact.name
        )
    })
}

/// The path of the prebuilt image for a chip.
///
/// # Errors
///
/// [`CommandError::Input`] that names the directories that were searched.
pub(crate) fn prebuilt(chip: Chip) -> Result<PathBuf, CommandError> {
    beside(chip, ".bin", "firmware image", "--firmware")
}

/// The path of a chip's prebuilt file, whose name ends in `end`; `what` says what it is, and
/// `option` how one is named.
///
/// # Errors
///
/// [`CommandError::Input`] that names the directories that were searched.
pub(crate) fn beside(
    chip: Chip,
    end: &str,
    what: &str,
    option: &str,
) -> Result<PathBuf, CommandError> {
    let program = || Some(env::current_exe().ok()?.parent()?.join(DIR));
    let dir = match env::var_os(DIR_VARIABLE) {
        Some(dir) => PathBuf::from(dir),
        None => program().unwrap_or_else(|| PathBuf::from(DIR)),
    };
    let path = dir.join(format!("bootswap-{chip}{end}"));
    if path.is_file() {
        return Ok(path);
    }
    Err(CommandError::input(
        format_args!("there is no {what} {}", path.display()),
        format_args!(
            "`cargo xtask firmware --chip {chip}` in bootswap's sources makes it, and releases \
             have it; then name it with {option}, or its directory in {DIR_VARIABLE}"
        ),
    ))
}
