//! `cargo xtask emulate`: the real firmware in an emulator of the ESP32-C3.
//!
//! The emulator is one derived from Espressif's QEMU, which is not fetched or built here: it is
//! taken from `BOOTSWAP_QEMU` or from the PATH. The tests that need it have `emulated` in their
//! names.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::firmware::{self, Chip, Firmware, Network};
use crate::process::{cargo, command, find, output, run_shown};
use crate::report::TestCounts;
use crate::workspace;

/// Environment variable with the emulator's path, for this program and for the tests.
const EMULATOR: &str = "BOOTSWAP_QEMU";
/// Environment variable with the directory of the firmware images, for the tests.
const FIRMWARE: &str = "BOOTSWAP_FIRMWARE";
/// Environment variables with the files of a real target bootloader and application, which some
/// tests start.
const TARGET: [&str; 2] = ["BOOTSWAP_TARGET_BOOTLOADER", "BOOTSWAP_TARGET_APP"];
/// Part of the names of the tests that need them.
pub(crate) const TARGET_TESTS: &str = "banner::";
/// What is not checked without them.
pub(crate) const WITHOUT_TARGET: &str =
    "the migrator on an emulated chip, up to the banner of a real target application";
/// The emulator's file name.
const PROGRAM: &str = "qemu-system-riscv32";
/// The machine that it has to emulate.
const MACHINE: &str = "esp32c3";

/// Part of the names of all tests that need the emulator.
pub(crate) const MARK: &str = "emulated";
/// The beginning of the lines that tests print for the table at the end.
const FIGURE: &str = "figure: ";
/// The figure that has a limit: the time from the first byte received to the reset, in units of the
/// modelled flash time and the transfer together.
const RATIO: &str = "ratio";
const MAX_RATIO: f64 = 1.5;

/// Which tests are run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Also cuts the power hundreds of times, which takes minutes
    #[arg(long)]
    long: bool,
}

/// Runs the tests with the emulator; without one, says which tests were not run.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    env::set_current_dir(workspace::root()?)?;
    let setting = match Setting::obtain() {
        Ok(setting) => setting,
        Err(error) => {
            println!("not run: the migrator on an emulated ESP32-C3\n  because {error:#}");
            for name in names(MARK)? {
                println!("  not run: {name}");
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut test = tests();
    test.arg("--");
    // One at a time, because they measure times.
    test.args(["--nocapture", "--test-threads", "1"]);
    if options.long {
        test.arg("--include-ignored");
    }
    let target = Target::obtain();
    match &target {
        Ok(target) => target.apply(&mut test),
        Err(_) => drop(test.args(["--skip", TARGET_TESTS])),
    }
    setting.apply(&mut test);
    let mut summary = Summary::default();
    let ended = run_shown(&mut test, |line| summary.add_line(line));
    println!("\n{summary}");
    if let Err(error) = target {
        println!("not run: {WITHOUT_TARGET}\n  because {error:#}");
        for name in names(TARGET_TESTS)? {
            println!("  not run: {name}");
        }
    }
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// The tests with the same options as in `cargo xtask test`, so that nothing is built twice.
fn tests() -> Command {
    let mut test = cargo();
    test.args(["test", "--workspace", "--all-features", "--test", "emulator"]);
    test
}

/// The names of the tests in the emulator that contain `part`.
///
/// # Errors
///
/// If the tests cannot be built.
pub(crate) fn names(part: &str) -> Result<Vec<String>> {
    let mut list = tests();
    let listed = output(list.args(["--quiet", "--", "--list", "--format", "terse", part]))?;
    Ok(listed.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// The results of the tests: the table at the end.
#[derive(Debug, Default)]
struct Summary {
    tests: TestCounts,
    /// Names and values that the tests printed.
    figures: Vec<(String, String)>,
}

impl Summary {
    fn add_line(&mut self, line: &str) {
        self.tests.add_line(line);
        let figure = line.strip_prefix(FIGURE).and_then(|figure| figure.split_once(": "));
        if let Some((name, value)) = figure {
            self.figures.push((name.to_owned(), value.trim().to_owned()));
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TestCounts { passed, failed, ignored, filtered_out } = self.tests;
        writeln!(f, "=== the migrator on an emulated ESP32-C3")?;
        writeln!(
            f,
            "{:36} {passed} passed, {failed} failed, {} left out",
            "tests",
            ignored + filtered_out
        )?;
        for (name, value) in &self.figures {
            write!(f, "{name:36} {value}")?;
            if name == RATIO {
                let verdict = match value.parse::<f64>() {
                    Ok(ratio) if ratio <= MAX_RATIO => "within",
                    _ => "OVER",
                };
                write!(f, ", {verdict} the limit of {MAX_RATIO}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// A real target bootloader and application.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    files: Vec<(&'static str, PathBuf)>,
}

impl Target {
    /// The target that the variables name.
    ///
    /// # Errors
    ///
    /// If one of the variables or files is missing.
    pub(crate) fn obtain() -> Result<Self> {
        let file = |name| {
            let named =
                env::var_os(name).with_context(|| format!("{name} does not name a file"))?;
            let path = absolute(named)?;
            ensure!(path.is_file(), "{name} names {}, which is not a file", path.display());
            Ok((name, path))
        };
        Ok(Self { files: TARGET.into_iter().map(file).collect::<Result<_>>()? })
    }

    /// Passes it on to a program.
    pub(crate) fn apply(&self, program: &mut Command) {
        program.envs(self.files.iter().map(|(name, path)| (name, path)));
    }
}

/// What the tests need.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    emulator: PathBuf,
    firmware: PathBuf,
}

impl Setting {
    /// Looks for the emulator, and builds the firmware for it.
    ///
    /// # Errors
    ///
    /// If there is no emulator or the firmware does not build.
    pub(crate) fn obtain() -> Result<Self> {
        let emulator = emulator()?;
        let firmware = workspace::target("firmware")?;
        let chip: Chip = MACHINE.parse()?;
        for network in [Network::Openeth, Network::None] {
            firmware::make(Firmware::new(chip, Some(network))?, &firmware)?;
        }
        firmware::make_loader(chip, &firmware)?;
        Ok(Self { emulator, firmware })
    }

    /// Passes it on to a program.
    pub(crate) fn apply(&self, program: &mut Command) {
        program.env(EMULATOR, &self.emulator).env(FIRMWARE, &self.firmware);
    }
}

/// The emulator that the variable names, or the one on the PATH, if it emulates the chip.
fn emulator() -> Result<PathBuf> {
    if let Some(named) = env::var_os(EMULATOR) {
        // The tests run in another directory.
        let path = absolute(named)?;
        check(&path).with_context(|| format!("{EMULATOR} names {}", path.display()))?;
        return Ok(path);
    }
    let path = find(PROGRAM).with_context(|| {
        format!("there is no {PROGRAM} on the PATH; set {EMULATOR} to one with a machine {MACHINE}")
    })?;
    check(&path)?;
    Ok(path)
}

fn check(path: &Path) -> Result<()> {
    let machines = output(&mut command(path, &["-machine", "help"]))?;
    if !machines.lines().any(|line| line.split_whitespace().next() == Some(MACHINE)) {
        bail!("{} does not emulate the machine {MACHINE}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_counts_figures_and_a_verdict() {
        let mut summary = Summary::default();
        for line in [
            "figure: power cuts: 12 times two: 12 survived, 0 in the commit window",
            "figure: ratio: 1.49",
            "figure of speech",
            "test result: ok. 17 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; \
             finished in 9.01s",
        ] {
            summary.add_line(line);
        }
        let table = summary.to_string();
        assert!(table.contains("17 passed, 0 failed, 3 left out"), "{table}");
        assert!(table.contains("12 survived"), "{table}");
        assert!(table.contains("1.49, within the limit of 1.5"), "{table}");
        assert_eq!(table.lines().count(), 4, "{table}");

        let mut slow = Summary::default();
        slow.add_line("figure: ratio: 1.51");
        assert!(slow.to_string().contains("OVER the limit"), "{slow}");
    }
}
