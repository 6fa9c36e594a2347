//! `cargo xtask hazards`: takes each prevention of `xtask/hazards.toml` out, and sees whether its
//! tests fail.
//!
//! ```text
//!   hazards.toml --> page of the book                     compared in every run of the tests
//!        |
//!        '---------> copy of the sources, every prevention behind a switch --> one build
//!                       tests without a switch: must pass
//!                       with the switch of the prevention that names them: must fail
//! ```
//!
//! In the copy, [`TAKEN_OUT`](scratch::TAKEN_OUT) in a replacement asks for an environment
//! variable. So all replacements are built at once, and each is tried in a run of its own: a build
//! for each would take hours.

mod list;
mod page;
mod runner;
mod scratch;

use std::process::ExitCode;
use std::{fmt, fs};

use anyhow::{Context, Result, ensure};

use crate::workspace;
use list::{Hazards, Prevention};
use runner::{Runner, Verdict};

/// Which preventions are taken out.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only those of this row; may be given more than once
    #[arg(long, value_name = "N")]
    only: Vec<u32>,
}

/// Result of taking one prevention out.
struct Tried<'l> {
    row: u32,
    prevention: &'l Prevention,
    outcome: Outcome,
}

enum Outcome {
    /// These fail, or do not end, with every prevention in.
    NotSound(Vec<(String, Verdict)>),
    /// Every test that it names failed.
    Held,
    /// These did not fail, and how they ended.
    NotHeld(Vec<(String, Verdict)>),
    /// The compiler refuses the replacement.
    NotCompiled,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::NotHeld(tests) | Self::NotSound(tests) => {
                let is_held = matches!(self, Self::NotSound(_));
                f.write_str(if is_held { "WITH ALL PREVENTIONS:" } else { "NOT HELD:" })?;
                tests.iter().try_for_each(|(name, ended)| write!(f, " {name} {ended}"))
            }
            Self::NotCompiled => f.write_str("does not compile"),
        }
    }
}

/// Takes the preventions out, one at a time, and prints what their tests said.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let hazards = list::read()?;
    list::check(&hazards, &source)?;
    let page = source(page::FILE)?;
    let is_current = page::update(&page, &hazards)? == page;
    ensure!(is_current, "{} is not that of the list; its test says what writes it", page::FILE);
    let wanted: Vec<_> = hazards
        .preventions()
        .filter(|(hazard, _)| options.only.is_empty() || options.only.contains(&hazard.number))
        .collect();
    ensure!(!wanted.is_empty(), "the list has no prevention for these rows");
    let source = scratch::write(&hazards)?;
    let runner = match Runner::build(&source, wanted.iter().map(|(_, prevention)| *prevention))? {
        Ok(runner) => runner,
        Err(files) => return Ok(not_compiled(&hazards, &files)),
    };
    let mut tried = Vec::new();
    for (hazard, prevention) in wanted {
        let outcome = outcome(&runner, prevention)?;
        let one = Tried { row: hazard.number, prevention, outcome };
        print_row(&one);
        tried.push(one);
    }
    let held = tried.iter().filter(|one| matches!(one.outcome, Outcome::Held)).count();
    println!("{held} of {} preventions are held by their tests", tried.len());
    Ok(if held == tried.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of a prevention, which must pass, and once more without it.
fn outcome(runner: &Runner, prevention: &Prevention) -> Result<Outcome> {
    let others = |taken_out, wanted| {
        let mut others = Vec::new();
        for test in &prevention.tests {
            let ended = runner.run(test, taken_out)?;
            if ended != wanted {
                others.push((test.name.clone(), ended));
            }
        }
        anyhow::Ok(others)
    };
    let not_sound = others(None, Verdict::Passed)?;
    if !not_sound.is_empty() {
        return Ok(Outcome::NotSound(not_sound));
    }
    let not_held = others(Some(prevention.name.as_str()), Verdict::Failed)?;
    Ok(if not_held.is_empty() { Outcome::Held } else { Outcome::NotHeld(not_held) })
}

/// A file of the repository.
fn source(path: &str) -> Result<String> {
    fs::read_to_string(workspace::root()?.join(path)).with_context(|| path.to_owned())
}

fn print_row(one: &Tried<'_>) {
    println!("{:>3}  {:<36} {}", one.row, one.prevention.name, one.outcome);
}

/// Reports the replacements in files that the compiler complained about.
fn not_compiled(hazards: &Hazards, files: &[String]) -> ExitCode {
    for (hazard, prevention) in hazards.preventions() {
        if prevention.edits().any(|edit| files.contains(&edit.file)) {
            let outcome = Outcome::NotCompiled;
            print_row(&Tried { row: hazard.number, prevention, outcome });
        }
    }
    println!("the sources with switches do not compile; nothing was tried");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests;
