//! `cargo xtask emulate`: the real firmware in an emulator of the ESP32-C3.
//!
//! The emulator is one derived from Espressif's QEMU, which is not fetched or built here: it is taken from
//! `BOOTSWAP_QEMU` or from the PATH. The tests that need it have `emulated` in their names.

use std::env;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};

use crate::firmware::{self, Chip, Firmware, Network};
use crate::process::{cargo, command, find, output, run as run_program};
use crate::workspace;

/// Names the emulator, for this program and for the tests.
const EMULATOR: &str = "BOOTSWAP_QEMU";
/// Names the directory with the firmware images, for the tests.
const FIRMWARE: &str = "BOOTSWAP_FIRMWARE";
/// Name the files of a real bootloader and a real application that tests go on to, for who has them.
const TARGET: [&str; 2] = ["BOOTSWAP_TARGET_BOOTLOADER", "BOOTSWAP_TARGET_APP"];
/// What the tests that need them have in their names.
pub(crate) const TARGET_TESTS: &str = "banner::";
/// What is not done without them.
pub(crate) const WITHOUT_TARGET: &str =
    "the migrator on an emulated chip, up to the banner of a real target application";
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
    if options.long {
        test.arg("--include-ignored");
    }
    let target = Target::obtain();
    match &target {
        Ok(target) => target.apply(&mut test),
        Err(_) => drop(test.args(["--skip", TARGET_TESTS])),
    }
    setting.apply(&mut test);
    run_program(&mut test)?;
    if let Err(error) = target {
        println!("not run: {WITHOUT_TARGET}\n  because {error:#}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A real bootloader and a real application to go on to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    files: Vec<(&'static str, PathBuf)>,
}

impl Target {
    /// The one that is given.
    ///
    /// # Errors
    ///
    /// With what is missing.
    pub(crate) fn obtain() -> Result<Self> {
        let file = |name| {
            let named =
                env::var_os(name).with_context(|| format!("{name} does not name a file"))?;
            let path = absolute(named)?;
            ensure!(path.is_file(), "{name} names {}, which is no file", path.display());
            Ok((name, path))
        };
        Ok(Self { files: TARGET.into_iter().map(file).collect::<Result<_>>()? })
    }

    /// Tells a program about it.
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
        // The tests run in another directory.
        let path = absolute(named)?;
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
