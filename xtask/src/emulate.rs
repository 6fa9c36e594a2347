//! `cargo xtask emulate`: the real firmware in emulators of ESP32 and ESP32-C3.
//!
//! The emulators are derived from Espressif's QEMU, which is not fetched or built here. There is
//! one program for each kind of core; it is taken from the environment variable in [`MACHINES`] or
//! from the PATH. The tests that need it have `emulated` in their names, in a module named as the
//! chip.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::firmware::{self, Chip, Firmware, Network};
use crate::process::{cargo, command, find, output, run_shown};
use crate::report::TestCounts;
use crate::workspace;

/// An emulated chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    /// The chip, which is also the emulator's name of the machine.
    chip: &'static str,
    /// The emulator's file name.
    program: &'static str,
    /// Environment variable with the emulator's path, for this program and for the tests.
    variable: &'static str,
    /// Environment variables with the files of a real target bootloader and application for the
    /// chip, which some tests start.
    target: [&'static str; 2],
}

/// The chips for which there are emulators.
pub(crate) const MACHINES: [Machine; 2] = [
    Machine {
        chip: "esp32c3",
        program: "qemu-system-riscv32",
        variable: "BOOTSWAP_QEMU",
        target: ["BOOTSWAP_TARGET_BOOTLOADER", "BOOTSWAP_TARGET_APP"],
    },
    Machine {
        chip: "esp32",
        program: "qemu-system-xtensa",
        variable: "BOOTSWAP_QEMU_XTENSA",
        target: ["BOOTSWAP_TARGET_BOOTLOADER_ESP32", "BOOTSWAP_TARGET_APP_ESP32"],
    },
];

/// Environment variable with the directory of the firmware images, for the tests.
const FIRMWARE: &str = "BOOTSWAP_FIRMWARE";
/// Environment variable with the bytes of stack that a migration may use, for the tests.
const STACK: &str = "BOOTSWAP_STACK_BYTES";

/// The beginning of the lines that tests print for the table at the end.
const FIGURE: &str = "figure: ";
/// The figure that has a limit: the time from the first byte received to the reset, in units of the
/// modelled flash time and the transfer together.
const RATIO: &str = "ratio";
const MAX_RATIO: f64 = 1.5;

impl Machine {
    /// Part of the names of the tests that need its emulator, and of no others.
    pub(crate) fn mark(&self) -> String {
        format!("{}::emulated", self.chip)
    }

    /// Part of the names of the tests that need a target as well.
    pub(crate) fn target_mark(&self) -> String {
        format!("banner::{}::", self.chip)
    }

    /// What is not checked without its emulator.
    pub(crate) fn lost(&self) -> String {
        let Self { chip, .. } = self;
        format!(
            "the migrator on an emulated {chip}: all tests with `{}` in their names",
            self.mark()
        )
    }

    /// What is not checked without a target.
    pub(crate) fn lost_without_target(&self) -> String {
        format!("the migrator on an emulated {}, up to the banner of a real target", self.chip)
    }

    /// The chip.
    pub(crate) const fn chip(&self) -> &'static str {
        self.chip
    }
}

/// Which tests are run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Chip: esp32 or esp32c3; may be given twice. By default, each whose emulator is found
    #[arg(long = "chip", value_name = "CHIP", value_parser = machine)]
    chips: Vec<Machine>,

    /// Also cuts the power hundreds of times, which takes minutes
    #[arg(long)]
    long: bool,
}

fn machine(name: &str) -> Result<Machine> {
    let found = MACHINES.into_iter().find(|machine| machine.chip == name);
    let all = MACHINES.map(|machine| machine.chip).join(" and ");
    found.with_context(|| format!("there are emulators of {all} only"))
}

/// Runs the tests with the emulators; without one, says which tests were not run.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    env::set_current_dir(workspace::root()?)?;
    let asked = match options.chips.as_slice() {
        [] => &MACHINES[..],
        chips => chips,
    };
    let (mut ran, mut failed) = (0, None);
    for machine in asked {
        match Setting::obtain(*machine) {
            Ok(setting) => {
                ran += 1;
                failed = run_one(&setting, options.long).err().or(failed);
            }
            Err(error) => {
                println!("not run: {}\n  because {error:#}", machine.lost());
                for name in names(&machine.mark())? {
                    println!("  not run: {name}");
                }
            }
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let is_enough = ran == asked.len() || options.chips.is_empty() && ran > 0;
    Ok(if is_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of one chip and prints the table.
fn run_one(setting: &Setting, long: bool) -> Result<()> {
    let machine = setting.machine;
    let mut test = tests();
    test.args(["--", &machine.mark()]);
    // One at a time, because they measure times.
    test.args(["--nocapture", "--test-threads", "1"]);
    if long {
        test.arg("--include-ignored");
    }
    let target = Target::obtain(machine);
    match &target {
        Ok(target) => target.apply(&mut test),
        Err(_) => drop(test.args(["--skip", &machine.target_mark()])),
    }
    setting.apply(&mut test);
    let mut summary = Summary { chip: machine.chip, ..Summary::default() };
    let ended = run_shown(&mut test, |line| summary.add_line(line));
    println!("\n{summary}");
    if let Err(error) = target {
        println!("not run: {}\n  because {error:#}", machine.lost_without_target());
        for name in names(&machine.target_mark())? {
            println!("  not run: {name}");
        }
    }
    ended
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
    chip: &'static str,
    tests: TestCounts,
    /// Names and values that the tests printed.
    figures: Vec<(String, String)>,
}

impl Summary {
    fn add_line(&mut self, line: &str) {
        self.tests.add_line(line);
        let figure = line.strip_prefix(FIGURE).and_then(|figure| figure.split_once(": "));
        let Some((name, value)) = figure else { return };
        let value = value.trim();
        // If several tests print a figure, the largest one counts.
        match self.figures.iter_mut().find(|(known, _)| known == name) {
            Some((_, largest)) if number(largest) < number(value) => value.clone_into(largest),
            Some(_) => {}
            None => self.figures.push((name.to_owned(), value.to_owned())),
        }
    }
}

/// The number that a figure begins with.
fn number(figure: &str) -> Option<u64> {
    figure.split_whitespace().next()?.parse().ok()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TestCounts { passed, failed, ignored, filtered_out } = self.tests;
        writeln!(f, "=== the migrator on an emulated {}", self.chip)?;
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
    pub(crate) fn obtain(machine: Machine) -> Result<Self> {
        let file = |name| {
            let named =
                env::var_os(name).with_context(|| format!("{name} does not name a file"))?;
            let path = absolute(named)?;
            ensure!(path.is_file(), "{name} names {}, which is not a file", path.display());
            Ok((name, path))
        };
        Ok(Self { files: machine.target.into_iter().map(file).collect::<Result<_>>()? })
    }

    /// Passes it on to a program.
    pub(crate) fn apply(&self, program: &mut Command) {
        program.envs(self.files.iter().map(|(name, path)| (name, path)));
    }
}

/// What the tests need.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    machine: Machine,
    emulator: PathBuf,
    firmware: PathBuf,
}

impl Setting {
    /// Looks for the emulator, and builds the firmware for it.
    ///
    /// # Errors
    ///
    /// If there is no emulator or the firmware does not build.
    pub(crate) fn obtain(machine: Machine) -> Result<Self> {
        let emulator = emulator(machine)?;
        let firmware = workspace::target("firmware")?;
        let chip: Chip = machine.chip.parse()?;
        for network in [Network::Openeth, Network::None, Network::Wifi] {
            firmware::make(Firmware::new(chip, Some(network))?, &firmware)?;
        }
        if firmware::has_loader(chip) {
            firmware::make_loader(chip, &firmware)?;
        }
        Ok(Self { machine, emulator, firmware })
    }

    /// Passes it on to a program.
    pub(crate) fn apply(&self, program: &mut Command) {
        program.env(self.machine.variable, &self.emulator).env(FIRMWARE, &self.firmware);
        program.env(STACK, firmware::STACK_USED_BYTES.to_string());
    }
}

/// The emulator that the variable names, or the one on the PATH, if it emulates the chip.
fn emulator(machine: Machine) -> Result<PathBuf> {
    let Machine { chip, program, variable, .. } = machine;
    if let Some(named) = env::var_os(variable) {
        // The tests run in another directory.
        let path = absolute(named)?;
        check(&path, chip).with_context(|| format!("{variable} names {}", path.display()))?;
        return Ok(path);
    }
    let path = find(program).with_context(|| {
        format!("there is no {program} on the PATH; set {variable} to one with a machine {chip}")
    })?;
    check(&path, chip)?;
    Ok(path)
}

fn check(path: &Path, chip: &str) -> Result<()> {
    let machines = output(&mut command(path, &["-machine", "help"]))?;
    if !machines.lines().any(|line| line.split_whitespace().next() == Some(chip)) {
        bail!("{} does not emulate the machine {chip}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_are_told_apart_by_the_names_of_their_tests() {
        let [esp32c3, esp32] = ["esp32c3", "esp32"].map(|name| machine(name).unwrap());
        let name = "bad_input::esp32c3::emulated_bad_input_404";
        assert!(name.contains(&esp32c3.mark()) && !name.contains(&esp32.mark()));
        let name = "carrier_to_banner::esp32c3::emulated_carrier";
        assert!(name.contains(&esp32c3.target_mark()) && !name.contains(&esp32.target_mark()));
        assert!(machine("esp32s3").is_err());
    }

    #[test]
    fn the_table_has_counts_figures_and_a_verdict() {
        let mut summary = Summary { chip: "esp32c3", ..Summary::default() };
        for line in [
            "figure: power cuts: 12 times two: 12 survived, 0 in the commit window",
            "figure: ratio: 1.49",
            "figure: stack used: 9000 bytes",
            "figure: stack used: 55104 bytes",
            "figure: stack used: 54000 bytes",
            "figure of speech",
            "test result: ok. 17 passed; 0 failed; 2 ignored; 0 measured; 1 filtered out; \
             finished in 9.01s",
        ] {
            summary.add_line(line);
        }
        let table = summary.to_string();
        assert!(table.contains("emulated esp32c3"), "{table}");
        assert!(table.contains("17 passed, 0 failed, 3 left out"), "{table}");
        assert!(table.contains("12 survived"), "{table}");
        assert!(table.contains("1.49, within the limit of 1.5"), "{table}");
        assert!(table.contains("55104 bytes"), "{table}");
        assert_eq!(table.lines().count(), 5, "{table}");

        let mut slow = Summary::default();
        slow.add_line("figure: ratio: 1.51");
        assert!(slow.to_string().contains("OVER the limit"), "{slow}");
    }
}
