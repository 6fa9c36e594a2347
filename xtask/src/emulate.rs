//! `cargo xtask emulate`: the real firmware in an emulator of the ESP32-C3.
//!
//! The emulator is one derived from Espressif's QEMU, which is not fetched or built here: it is taken from
//! `BOOTSWAP_QEMU` or from the PATH. The tests that need it have `emulated` in their names.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::firmware::{self, Chip, Firmware, Network};
use crate::process::{cargo, command, find, output, run as run_program};
use crate::workspace;

/// Names the emulator, for this program and for the tests.
const EMULATOR: &str = "BOOTSWAP_QEMU";
/// Names the directory with the firmware images, for the tests.
const FIRMWARE: &str = "BOOTSWAP_FIRMWARE";
/// What an emulator is called.
const PROGRAM: &str = "qemu-system-riscv32";
/// The machine that it has to have.
const MACHINE: &str = "esp32c3";

/// What is run in the emulator.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Cuts the power hundreds of times, too; takes minutes
    #[arg(long)]
    long: bool,
}

/// Runs the tests with the emulator; says so where there is none.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    env::set_current_dir(workspace::root()?)?;
    let setting = match Setting::obtain() {
        Ok(setting) => setting,
        Err(error) => {
            println!("not run: the migrator on an emulated ESP32-C3\n  because {error:#}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let mut test = cargo();
    test.args(["test", "--package", "conformance", "--test", "emulator", "--"]);
    // One at a time: what is printed are also times.
    test.args(["--nocapture", "--test-threads", "1"]);
    let has_target = env::var_os("BOOTSWAP_TARGET_BOOTLOADER").is_some();
    match (options.long, has_target) {
        (true, true) => drop(test.arg("--include-ignored")),
        (true, false) => drop(test.args(["--include-ignored", "--skip", "banner"])),
        (false, true) => drop(test.args(["--include-ignored", "--skip", "many"])),
        (false, false) => {}
    }
    setting.apply(&mut test);
    run_program(&mut test)?;
    Ok(ExitCode::SUCCESS)
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
    /// Where there is no emulator or the firmware does not build.
    pub(crate) fn obtain() -> Result<Self> {
        let emulator = emulator()?;
        let firmware = workspace::target("firmware")?;
        let chip: Chip = MACHINE.parse()?;
        for network in [Network::Openeth, Network::None] {
            firmware::make(Firmware::new(chip, Some(network))?, &firmware)?;
        }
        Ok(Self { emulator, firmware })
    }

    /// Tells a program about it.
    pub(crate) fn apply(&self, program: &mut Command) {
        program.env(EMULATOR, &self.emulator).env(FIRMWARE, &self.firmware);
    }
}

/// The emulator that is named, or the one on the PATH, if it has the machine.
fn emulator() -> Result<PathBuf> {
    if let Some(named) = env::var_os(EMULATOR) {
        let path = PathBuf::from(named);
        check(&path).with_context(|| format!("{EMULATOR} names {}", path.display()))?;
        return Ok(path);
    }
    let path = find(PROGRAM).with_context(|| {
        format!(
            "there is no {PROGRAM} on the PATH; name one with a machine {MACHINE} in {EMULATOR}"
        )
    })?;
    check(&path)?;
    Ok(path)
}

fn check(path: &Path) -> Result<()> {
    let machines = output(&mut command(path, &["-machine", "help"]))?;
    if !machines.lines().any(|line| line.split_whitespace().next() == Some(MACHINE)) {
        bail!("{} has no machine {MACHINE}", path.display());
    }
    Ok(())
}
