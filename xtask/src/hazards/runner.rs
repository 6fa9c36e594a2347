//! Builds the copy's tests and runs them one by one.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::list::{Prevention, Test};
use super::scratch::VARIABLE;
use crate::process::{cargo, output};
use crate::workspace;

/// A test that takes longer hangs.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Exit status of a test program of which a test failed.
const FAILED_STATUS: i32 = 101;

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Passed,
    Failed,
    /// It took too long and was ended.
    Hung,
    /// It ended otherwise, as by a signal.
    Broke,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passes",
            Self::Failed => "fails",
            Self::Hung => "hangs",
            Self::Broke => "breaks off",
        })
    }
}

/// A program with tests.
struct Program {
    /// Folder of its package, from the root of the copy.
    package: PathBuf,
    path: PathBuf,
    /// Full names of its tests.
    tests: Vec<String>,
}

/// The test programs of the copy.
pub(super) struct Runner {
    source: PathBuf,
    output: PathBuf,
    programs: Vec<Program>,
}

impl Runner {
    /// Builds all that these preventions need; gives the files that the compiler complains about if
    /// it does.
    pub(super) fn build<'p>(
        source: &Path,
        preventions: impl Iterator<Item = &'p Prevention>,
    ) -> Result<Result<Self, Vec<String>>> {
        let folder = workspace::target("hazards")?;
        let mut packages = BTreeSet::new();
        for test in preventions.flat_map(|prevention| &prevention.tests) {
            packages.insert(test.package()?.trim_start_matches("crates/"));
        }
        let mut build = cargo();
        build.current_dir(source).env("CARGO_TARGET_DIR", folder.join("target"));
        build.args(["test", "--no-run", "--lib", "--tests", "--all-features"]);
        build.args(["--message-format", "json-render-diagnostics"]);
        for name in &packages {
            build.args(["--package", name]);
        }
        let said = folder.join("build.txt");
        eprintln!("=== building {} with switches", Vec::from_iter(packages).join(", "));
        let ended = build.stderr(File::create(&said)?).output()?;
        if !ended.status.success() {
            let said = fs::read_to_string(&said)?;
            eprint!("{said}");
            return Ok(Err(complaints(&said)));
        }
        let mut programs = Vec::new();
        for line in String::from_utf8_lossy(&ended.stdout).lines() {
            let message: Value = serde_json::from_str(line)?;
            let text = |value: &Value| value.as_str().map(PathBuf::from);
            let is_test = message.pointer("/profile/test").and_then(Value::as_bool) == Some(true);
            let (Some(path), Some(manifest)) =
                (message.get("executable").and_then(text), message.get("manifest_path"))
            else {
                continue;
            };
            if let (true, Some(manifest)) = (is_test, text(manifest)) {
                let package = manifest.strip_prefix(source)?.parent().context("no folder")?;
                programs.push(Program { package: package.into(), tests: tests(&path)?, path });
            }
        }
        let output = folder.join("output.txt");
        Ok(Ok(Self { source: source.into(), output, programs }))
    }

    /// Runs one test, with a prevention taken out or with all of them.
    pub(super) fn run(&self, test: &Test, taken_out: Option<&str>) -> Result<Verdict> {
        let folder = Path::new(test.package()?);
        let is_it = |name: &&String| name.rsplit("::").next() == Some(&test.name);
        let mut found = Vec::new();
        for program in self.programs.iter().filter(|program| program.package == folder) {
            found.extend(program.tests.iter().filter(is_it).map(|name| (program, name)));
        }
        let count = found.len();
        let (program, name) = found.pop().with_context(|| format!("no test {}", test.name))?;
        ensure!(count == 1, "{}: {count} tests have that name", test.name);
        let folder = self.source.join(folder);
        let mut run = Command::new(&program.path);
        run.args(["--exact", name]).current_dir(&folder).env("CARGO_MANIFEST_DIR", &folder);
        run.env_remove(VARIABLE).envs(taken_out.map(|name| (VARIABLE, name)));
        let said = File::create(&self.output)?;
        run.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said);
        let ended = wait(&mut run)?;
        let verdict = match ended.map(|status| (status.success(), status.code())) {
            None => Verdict::Hung,
            Some((true, _)) => Verdict::Passed,
            Some((_, Some(FAILED_STATUS))) => Verdict::Failed,
            Some(_) => Verdict::Broke,
        };
        if taken_out.is_none() && verdict != Verdict::Passed {
            eprint!("{}", fs::read_to_string(&self.output)?);
        }
        Ok(verdict)
    }
}

/// Waits until a program ends, and ends it if that takes too long.
fn wait(run: &mut Command) -> Result<Option<ExitStatus>> {
    let mut child = run.spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > TIMEOUT {
            child.kill()?;
            let _ = child.wait()?;
            return Ok(None);
        }
        sleep(Duration::from_millis(20));
    }
}

/// The full names of a program's tests.
fn tests(program: &Path) -> Result<Vec<String>> {
    let listed = output(Command::new(program).arg("--list"))?;
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(ToOwned::to_owned).collect())
}

/// The files of which the compiler speaks in what it said.
fn complaints(said: &str) -> Vec<String> {
    let places = said.lines().filter_map(|line| line.trim_start().strip_prefix("--> "));
    places.filter_map(|place| place.split(':').next()).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::command;

    #[test]
    fn the_files_of_a_complaint_are_found() {
        let said = "error[E0308]: mismatched types\n  --> crates/bootswap-plan/src/a.rs:3:9\n   |";
        assert_eq!(complaints(said), ["crates/bootswap-plan/src/a.rs"]);
    }

    #[test]
    fn a_program_is_waited_for() {
        let ended = wait(&mut command("sh", &["-c", "exit 101"])).unwrap();
        assert_eq!(ended.and_then(|status| status.code()), Some(FAILED_STATUS));
    }
}
