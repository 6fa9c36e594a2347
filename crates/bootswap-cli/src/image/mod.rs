//! `bootswap image`: shows and verifies files, and makes MCUboot images and carriers.

mod carrier;
mod confirm;
mod file;
mod sign;
mod verify;

use bootswap_migration::image::Description;

use crate::args::{ImageCommand, InfoArgs};
use crate::error::{CommandError, Verdict};
use crate::output;
use file::read_known;

/// Runs a command.
///
/// # Errors
///
/// [`CommandError`] if files cannot be read or written, or options do not apply to them; a failed
/// verification is the command's [`Verdict`].
pub fn command(command: &ImageCommand) -> Result<Verdict, CommandError> {
    match command {
        ImageCommand::Info(args) => info(args),
        ImageCommand::Verify(args) => verify::command(args),
        ImageCommand::Sign(args) => sign::command(args),
        ImageCommand::Confirm(args) => confirm::command(args),
        ImageCommand::Carrier(args) => carrier::carrier(args),
        ImageCommand::FirstStage(args) => carrier::first_stage(args),
    }
}

fn info(args: &InfoArgs) -> Result<Verdict, CommandError> {
    let (bytes, kind) = read_known(&args.file)?;
    let description = Description::of(&bytes, kind);
    if args.json {
        output::json(&description)?;
    } else {
        output::text(&description.to_string())?;
    }
    Ok(Verdict::Safe)
}
