//! What a command writes: its data to stdout, and files.
//!
//! ```text
//!   args: a path ──> Destination::new   no input, and new unless --force      before the work
//!                        |
//!                        v
//!                    Destination::write ──> whole: beside it, then renamed    after it
//! ```
//!
//! Nothing else in the program writes files, except the menu, which writes its file with `whole`,
//! too.

mod destination;
pub(crate) mod whole;

use std::fmt;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::error::CommandError;

pub use destination::{Destination, Force};

/// Writes text to stdout.
///
/// A reader such as `head` may close the pipe early; that is not an error.
///
/// # Errors
///
/// [`CommandError::Input`] if it cannot be written, for example to a full disk.
pub fn text(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::input(
            format_args!("cannot write to stdout: {error}"),
            "check where the output goes, and whether there is room",
        )),
        _ => Ok(()),
    }
}

/// Writes a line to stderr: progress, a warning, what was done.
///
/// Whoever reads stderr may have seen enough; that ends no command, so that nothing comes of an
/// error.
pub fn note(line: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes one JSON object to stdout.
///
/// # Errors
///
/// As [`text`].
pub fn json(object: &impl Serialize) -> Result<(), CommandError> {
    // Only maps whose keys are not text could fail, and no object has any.
    let mut json = serde_json::to_string_pretty(object).unwrap_or_default();
    json.push('\n');
    text(&json)
}
