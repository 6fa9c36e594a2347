//! The width of lines in Rust files.
//!
//! rustfmt leaves a statement unformatted if a string in it is too long to fit, and says nothing:
//! `error_on_line_overflow` needs a nightly toolchain. Where no line is too long, it formatted all.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, bail};

use super::files;
use crate::workspace;

/// `max_width` in `rustfmt.toml`, in characters.
const MAX_WIDTH: usize = 100;

/// Fails with file and line number of each line that is too long.
pub(super) fn check() -> Result<()> {
    let mut report = String::new();
    for path in files(".rs")? {
        let text = fs::read_to_string(workspace::root()?.join(&path))
            .with_context(|| path.display().to_string())?;
        for (number, width) in too_long(&text) {
            writeln!(report, "{}:{number}: {width} characters", path.display())?;
        }
    }
    if !report.is_empty() {
        bail!(
            "lines of more than {MAX_WIDTH} characters, which rustfmt may have left as they are; \
             break them, a string with a `\\` at the end of the line:\n{report}"
        );
    }
    Ok(())
}

/// Number and width of each line that is too long and can be broken.
fn too_long(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let widths = text.lines().enumerate().map(|(index, line)| (index, line, line.chars().count()));
    widths
        .filter(|(_, line, width)| *width > MAX_WIDTH && !is_unbreakable(line))
        .map(|(index, _, width)| (index + 1, width))
}

/// The only exception: a comment that is one word, such as a URL.
fn is_unbreakable(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let marker = words.next().unwrap_or_default();
    ["//", "///", "//!"].contains(&marker) && words.count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_can_be_broken_is_reported_with_its_number() {
        let (fits, word) = ("ä".repeat(MAX_WIDTH), "w".repeat(MAX_WIDTH));
        let text = format!("{fits}\n{fits}x\n/// https://{word}\n/// see {word}\n\"{word}\"\n");
        assert_eq!(too_long(&text).collect::<Vec<_>>(), [(2, 101), (4, 108), (5, 102)]);
    }

    #[test]
    fn the_width_is_that_of_rustfmt() {
        let settings = fs::read_to_string(workspace::root().unwrap().join("rustfmt.toml")).unwrap();
        assert!(settings.contains(&format!("max_width = {MAX_WIDTH}\n")), "{settings}");
    }
}
