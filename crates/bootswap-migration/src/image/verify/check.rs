//! The results of checks.

use std::fmt;

use serde::Serialize;

use super::super::kind::FileKind;
use super::super::lines::Lines;
use crate::bootloader::Assumption;

/// What `--json` prints. Keys are never renamed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Verification {
    /// `verified` or `failed`.
    pub outcome: &'static str,
    /// What the file is.
    pub kind: &'static str,
    /// Everything that was checked.
    pub checks: Vec<Check>,
    /// What could not be checked.
    pub assumed: Vec<Assumption>,
}

/// One thing that was checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// What was checked.
    pub what: &'static str,
    /// Whether it passed.
    pub good: bool,
    /// What was found, with its offset if something is wrong.
    pub message: String,
}

impl Check {
    pub(super) fn new(what: &'static str, result: Result<String, String>) -> Self {
        let good = result.is_ok();
        Self { what, good, message: result.unwrap_or_else(|message| message) }
    }
}

impl Verification {
    pub(super) fn new(kind: FileKind, checks: Vec<Check>, assumed: Vec<Assumption>) -> Self {
        let outcome = if checks.iter().all(|check| check.good) { "verified" } else { "failed" };
        Self { outcome, kind: kind.name(), checks, assumed }
    }

    /// Whether every check passed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.checks.iter().all(|check| check.good)
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Lines::default();
        lines.line(format_args!("{}: {}", self.kind, self.outcome));
        lines.inside(|lines| {
            for Check { what, good, message } in &self.checks {
                let mark = if *good { "" } else { "FAILED: " };
                lines.field(what, format_args!("{mark}{message}"));
            }
            for assumption in &self.assumed {
                lines.field("assumed", assumption);
            }
        });
        lines.fmt(f)
    }
}
