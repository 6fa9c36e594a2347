//! Writing a command's data to stdout, and to files that are written completely or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::CommandError;

/// Writes text to stdout.
///
/// A reader such as `head` may close the pipe early; that is not an error.
///
/// # Errors
///
/// [`CommandError::Input`] where it cannot be written, for example to a full disk.
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

/// Writes one JSON object to stdout.
///
/// # Errors
///
/// As [`text`].
pub fn json(object: &impl Serialize) -> Result<(), CommandError> {
    // Only maps whose keys are not text could fail, and there are none.
    let mut json = serde_json::to_string_pretty(object).unwrap_or_default();
    json.push('\n');
    text(&json)
}

/// Writes a file beside its place and moves it there once it is complete, so that nobody ever finds
/// half a file.
///
/// # Errors
///
/// [`CommandError::Input`] where it cannot be written. What was in its place is still there then.
pub fn file(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        // The partial file is useless; if it cannot be removed either, the first error counts.
        let _ = fs::remove_file(&part);
        CommandError::file("write", path, &error)
    })
}
