//! Rules of the house that no other tool checks; CONTRIBUTING.md gives the reasons.

mod circles;
mod layers;
mod lines;
mod modules;
#[cfg(test)]
mod rust_version;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::process::{command, output};
use crate::report::Report;
use crate::workspace;

/// Checks nothing but these rules, in a second.
pub(crate) fn run() -> ExitCode {
    let mut report = Report::default();
    check_all(&mut report);
    report.exit_code()
}

/// Checks each rule.
pub(crate) fn check_all(report: &mut Report) {
    report.step("width of lines", |_| lines::check());
    report.step("circles of imports", |_| circles::check());
    report.step("layers of crates", |_| layers::check());
}

/// The files of all workspaces whose names end like this, from the repository's root on: those that
/// git tracks or would add.
fn files(ending: &str) -> Result<Vec<PathBuf>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z", "--"];
    let mut git = command("git", &list);
    let listed = output(git.arg(format!("*{ending}")).current_dir(workspace::root()?))?;
    let names = listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    // Git goes on listing a file that was deleted until the deletion is added.
    Ok(names.filter(|name| workspace::root().is_ok_and(|root| root.join(name).exists())).collect())
}
