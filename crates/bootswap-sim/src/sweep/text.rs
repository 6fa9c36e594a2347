//! Results of sweeps as text for people.

use std::fmt;

use super::report::{FaultsReport, PowerCutsReport, SecondCutsReport, Worst};
use crate::summary::number;

impl fmt::Display for PowerCutsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let torn = if self.torn { ", in the middle" } else { "" };
        let operations = count(self.operations);
        heading(f, "power cuts", self.cases, self.seconds, self.seed)?;
        writeln!(f, "  before{torn} and after     {operations:>16} flash operations")?;
        if let Some(second) = &self.second_cuts {
            write!(f, "{second}")?;
        }
        row(f, "target running in the end", self.recovered)?;
        row(f, "in the commit window", self.in_commit_window)?;
        row(f, "  lost there", self.lost_in_commit_window)?;
        row(f, "FAILED", self.failed)?;
        worst(f, "bytes downloaded again", &self.downloaded_again_bytes)?;
        worst(f, "flash operations again", &self.operations_again)?;
        worst(f, "  by the new bootloader", &self.bootloader_operations_again)
    }
}

impl fmt::Display for SecondCutsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cases, possible) = (count(self.cases), count(self.possible));
        let how = if self.cases == self.possible { "all" } else { "picked at random of" };
        writeln!(f, "  and again while it recovers {cases:>14} pairs, {how} {possible}")
    }
}

impl FaultsReport {
    /// The report under a heading.
    #[must_use]
    pub const fn titled<'a>(&'a self, title: &'a str) -> Titled<'a> {
        Titled { title, report: self }
    }
}

/// A report with its heading, from [`FaultsReport::titled`].
#[derive(Clone, Copy, Debug)]
pub struct Titled<'a> {
    title: &'a str,
    report: &'a FaultsReport,
}

impl fmt::Display for Titled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FaultsReport { cases, target_running, old_firmware, failed, seconds, seed, .. } =
            *self.report;
        heading(f, self.title, cases, seconds, seed)?;
        row(f, "target running", target_running)?;
        row(f, "old firmware running", old_firmware)?;
        row(f, "FAILED", failed)
    }
}

fn heading(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    cases: u64,
    seconds: f64,
    seed: u64,
) -> fmt::Result {
    writeln!(f, "\n{title:<28}{:>14} cases in {seconds:.1} s, seed {seed}", count(cases))
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, value: u64) -> fmt::Result {
    writeln!(f, "  {what:<26}{:>14}", count(value))
}

fn worst(f: &mut fmt::Formatter<'_>, what: &str, worst: &Worst) -> fmt::Result {
    write!(f, "  {what:<26}{:>14} at most", count(worst.most))?;
    match &worst.case {
        Some(case) => writeln!(f, ", after {case}"),
        None => writeln!(f),
    }
}

/// Counts of a sweep are far below the 53 bits that a double holds exactly.
fn count(value: u64) -> String {
    number(value as f64)
}
