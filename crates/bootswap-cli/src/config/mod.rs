//! `bootswap config`: a menu for a migration file.
//!
//! ```text
//!   keys ──> terminal ──> session ──> menu ──> Document   values change, all else stays
//!                |            |        |  └──> Judge      what the planner says, the flash map
//!                |            v        v
//!                |          store     keys                which there are, of which kind
//!                v
//!   screen <── view
//! ```
//!
//! Document, judge and the table of keys are in [`bootswap_migration`]. Everything except
//! `terminal` works without a terminal, and is tested without one.

mod editor;
mod menu;
mod session;
mod store;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;

use bootswap_migration::document::Document;
use bootswap_migration::{LoadError, template};

use crate::args::ConfigArgs;
use crate::error::{CommandError, Verdict};

use session::Session;
use store::Store;

/// Runs the command.
///
/// # Errors
///
/// [`CommandError::Input`] if there is no terminal, no file to open, or a file already where a new
/// one should be.
pub fn command(args: &ConfigArgs) -> Result<Verdict, CommandError> {
    let path = args.migration.as_path();
    let mut session = open(args)?;
    if !terminal::is_there() {
        return Err(CommandError::input(
            "the menu needs a terminal, and stdin or stdout is not one",
            format_args!(
                "run it in a terminal, or edit {} with an editor and check it with `bootswap plan`",
                path.display()
            ),
        ));
    }
    terminal::run(&mut session).map_err(|error| {
        CommandError::input(
            format_args!("the terminal fails: {error}"),
            "run it in another terminal, or edit the file with an editor",
        )
    })?;
    Ok(Verdict::Safe)
}

/// Opens the file, or begins a new one.
fn open(args: &ConfigArgs) -> Result<Session, CommandError> {
    let path = args.migration.as_path();
    let store = Store::open(path).map_err(|error| CommandError::file("read", path, &error))?;
    let text = match (store.bytes(), args.chip.zip(args.partitions.as_deref())) {
        (Some(_), Some(_)) => {
            return Err(CommandError::input(
                format_args!("{} exists already", path.display()),
                "leave out --chip and --partitions to edit it, or name a new file",
            ));
        }
        (Some(bytes), None) => bootswap_migration::of_bytes(path, bytes.to_vec())?,
        (None, Some((chip, partitions))) => {
            template::new(chip, partitions, args.bootloader.as_deref(), path)
                .map_err(|error| CommandError::input(&error.message, &error.help))?
        }
        (None, None) => {
            return Err(CommandError::input(
                format_args!("{} does not exist", path.display()),
                "check the path; or name --chip and --partitions to begin a new migration",
            ));
        }
    };
    let dir = path.parent().unwrap_or(Path::new(""));
    Ok(Session::new(path.display().to_string(), dir, document(text, path)?, store))
}

/// The document of a text, which must be valid TOML.
fn document(text: String, path: &Path) -> Result<Document, CommandError> {
    Document::new(text.clone()).map_err(|error| match bootswap_migration::check(&text) {
        Some(problem) => LoadError::new(problem, path, &text).into(),
        None => CommandError::input(
            format_args!("{}: {error}", path.display()),
            "see https://toml.io for the syntax of TOML",
        ),
    })
}
