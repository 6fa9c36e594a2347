//! The list as the page of the book.

use std::fmt::Write;

use anyhow::{Context, Result};

use super::list::{Hazards, Prevention};

/// Where the page is.
pub(super) const FILE: &str = "docs/src/hazards.md";
/// Width of the book's text, in characters.
const WIDTH: usize = 120;
const START: &str = "<!-- hazards -->\n";
const END: &str = "<!-- end -->";

/// The page with the list as it is now.
pub(super) fn update(page: &str, hazards: &Hazards) -> Result<String> {
    let (before, rest) = page.split_once(START).context("the page has no start of the list")?;
    let (_, after) = rest.split_once(END).context("the page has no end of the list")?;
    Ok(format!("{before}{START}{}{END}{after}", text(hazards)?))
}

fn fill(text: &str) -> String {
    textwrap::fill(text, WIDTH)
}

fn text(hazards: &Hazards) -> Result<String> {
    let mut text = String::new();
    for hazard in &hazards.hazard {
        writeln!(text, "\n## {}. {}\n", hazard.number, hazard.what)?;
        writeln!(text, "{}", fill(&hazard.answer))?;
        if let Some(seen) = &hazard.seen {
            writeln!(text, "\nSeen: {seen}")?;
        }
        if let Some(missing) = &hazard.missing {
            writeln!(text, "\n{}", fill(&format!("**Not yet:** {missing}")))?;
        }
        for name in &hazard.see {
            let found = hazards.preventions().find(|(_, prevention)| prevention.name == *name);
            let (of, Prevention { rule, .. }) = found.with_context(|| name.clone())?;
            writeln!(text, "\nSee also {}: {rule}.", of.number)?;
        }
        if hazard.prevention.is_empty() {
            continue;
        }
        writeln!(text, "\n| rule | where | tests that fail without it |\n| --- | --- | --- |")?;
        for prevention in &hazard.prevention {
            let Prevention { rule, edit, tests, .. } = prevention;
            let tests = tests.iter().map(|test| {
                let package = test.package()?.trim_start_matches("crates/");
                Ok(format!("`{}` (`{package}`)", test.name))
            });
            let tests: Vec<_> = tests.collect::<Result<_>>()?;
            let place = edit.file.trim_start_matches("crates/");
            writeln!(text, "| {rule} | `{place}` | {} |", tests.join(", "))?;
        }
    }
    writeln!(text)?;
    Ok(text)
}
