//! The steps of a run: which passed, which failed, and which could not be done.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The counts of a test run, as `cargo test` prints them for each program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestCounts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    pub(crate) filtered_out: u64,
}

impl TestCounts {
    /// Adds the counts of a line of output, if it has any.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split([';', '.']) {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                "filtered out" => self.filtered_out += number,
                _ => {}
            }
        }
    }
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// With the reason.
    Failed(String),
    /// Something could not be had: with what is not done without it, and the reason.
    Missing(String, String),
}

/// The steps of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
    pub(crate) tests: TestCounts,
    /// Names of tests that were left out because something is missing, where they should be listed.
    pub(crate) left_out: Vec<String>,
}

impl Report {
    /// Does a step and records its outcome. A failure does not stop the run, so that one run shows
    /// everything.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<()>) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let outcome = match work(self) {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        self.steps.push(Step { name: name.to_owned(), took: start.elapsed(), outcome });
    }

    /// Gets something that later steps need; if it cannot be had, records what is not done without
    /// it.
    pub(crate) fn obtain<T>(
        &mut self,
        name: &str,
        lost_without: &str,
        get: impl FnOnce() -> Result<T>,
    ) -> Option<T> {
        let name = format!("getting {name}");
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let (value, outcome) = match get() {
            Ok(value) => (Some(value), Outcome::Passed),
            Err(error) => {
                eprintln!("NOT DONE: {lost_without}: {name} failed: {error:#}");
                (None, Outcome::Missing(lost_without.to_owned(), format!("{error:#}")))
            }
        };
        self.steps.push(Step { name, took: start.elapsed(), outcome });
        value
    }

    /// Whether no step failed.
    pub(crate) fn succeeded(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_))) == 0
    }

    /// The exit status of the whole run.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn count(&self, is_counted: impl Fn(&Outcome) -> bool) -> usize {
        self.steps.iter().filter(|step| is_counted(&step.outcome)).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { name, took, outcome } in &self.steps {
            let word = match outcome {
                Outcome::Passed => "ok",
                Outcome::Failed(_) => "FAILED",
                Outcome::Missing(..) => "MISSING",
            };
            writeln!(f, "{word:8} {name:40} {:6.1} s", took.as_secs_f64())?;
        }
        let TestCounts { passed, failed, ignored, filtered_out } = self.tests;
        writeln!(f, "\ntests: {passed} passed, {failed} failed")?;
        if ignored > 0 {
            writeln!(
                f,
                "{ignored} tests were left out because they take minutes: cargo xtask test --long"
            )?;
        }
        if filtered_out > 0 {
            writeln!(f, "{filtered_out} tests were left out because something is missing")?;
        }
        for name in &self.left_out {
            writeln!(f, "  not run: {name}")?;
        }
        for Step { name, outcome, .. } in &self.steps {
            match outcome {
                Outcome::Passed => {}
                Outcome::Failed(why) => writeln!(f, "\nFAILED: {name}: {why}")?,
                Outcome::Missing(what, why) => {
                    writeln!(f, "\nNOT DONE: {what}\n  because {name} failed: {why}")?;
                }
            }
        }
        let failures = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        let missing = self.count(|outcome| matches!(outcome, Outcome::Missing(..)));
        match (failures, missing) {
            (0, 0) => write!(f, "\neverything passed"),
            (0, _) => write!(f, "\nall that could be done passed; {missing} could not be done"),
            (_, 0) => write!(f, "\n{failures} failed"),
            (_, _) => write!(f, "\n{failures} failed, {missing} could not be done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn counts_of_programs_add_up() {
        let mut counts = TestCounts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 13 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; \
             finished in 0.01s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; \
             finished in 0.48s",
        ] {
            counts.add_line(line);
        }
        assert_eq!(counts, TestCounts { passed: 15, failed: 1, ignored: 1, filtered_out: 2 });
    }

    #[test]
    fn one_failure_fails_the_run_and_stops_nothing() {
        let mut report = Report::default();
        report.step("first", |_| bail!("it broke"));
        let mut second = false;
        report.step("second", |_| {
            second = true;
            Ok(())
        });
        assert!(second && !report.succeeded());
        let text = report.to_string();
        assert!(text.contains("FAILED: first: it broke") && text.ends_with("\n1 failed"), "{text}");
    }

    #[test]
    fn what_is_missing_is_named_and_counted() {
        let mut report = Report::default();
        let got: Option<()> = report.obtain("tool", "the comparison", || bail!("no network"));
        assert_eq!(got, None);
        report.left_out.push("compares_with_the_tool".to_owned());
        let text = report.to_string();
        assert!(report.succeeded());
        assert!(
            text.contains("NOT DONE: the comparison\n  because getting tool failed: no network"),
            "{text}"
        );
        assert!(text.contains("  not run: compares_with_the_tool\n"), "{text}");
        assert!(text.ends_with("1 could not be done"), "{text}");
    }
}
