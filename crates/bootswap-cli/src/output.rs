//! Writing a command's data to stdout.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::Failure;

/// Writes text to stdout.
///
/// Whoever reads it may stop when he has seen enough, as `head` does: that is no failure.
///
/// # Errors
///
/// [`Failure::Input`] where it cannot be written, for example to a full disk.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::input(
            format_args!("cannot write to stdout: {error}"),
            "check where the output goes, and whether there is room",
        )),
        _ => Ok(()),
    }
}

/// Writes one JSON object to stdout.
///
/// # Errors
///
/// As [`text`].
pub fn json(object: &impl Serialize) -> Result<(), Failure> {
    // Only maps with keys that are no text could fail, and there are none.
    let mut json = serde_json::to_string_pretty(object).unwrap_or_default();
    json.push('\n');
    text(&json)
}
