//! `cargo xtask test`: everything that has to hold before a change is merged.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::process::{cargo, command, find, retry, run as run_program, run_shown, works};
use crate::report::Report;
use crate::standard_library::StandardLibrary;
use crate::{deny, emulate, firmware, gen_esp32part, house, nginx, python, tmux, workspace};

/// Which tests are run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Also runs the tests that take minutes, and property tests with many more cases
    #[arg(long)]
    long: bool,
}

/// The target of the ESP32-C3, the smallest chip that rustup has a target for.
const DEVICE_TARGET: &str = "riscv32imc-unknown-none-elf";
/// A target for the chips with Xtensa cores, for stock rustc, which has no assembly for them.
const XTENSA_SPECIFICATION: &str = "xtask/targets/xtensa-none-elf.json";
/// Cases of each property test in a long run; otherwise it is the library's 256.
const LONG_PROPTEST_CASES: &str = "4096";

/// Runs all checks and prints a summary; the exit status says whether all passed that could be run.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    std::env::set_current_dir(workspace::root()?)?;
    let mut report = Report::default();

    let has_fmt = report.obtain("rustfmt", "format check", || component("rustfmt", "fmt"));
    let has_clippy = report.obtain("clippy", "lints", || component("clippy", "clippy"));
    let device = report.obtain(
        "target of a device",
        "check that what runs on the device builds without the standard library",
        || StandardLibrary::obtain(DEVICE_TARGET),
    );
    let xtensa = report.obtain(
        "target of the Xtensa chips",
        "check that what runs on ESP32, ESP32-S2 and ESP32-S3 compiles for them",
        || StandardLibrary::from_source(XTENSA_SPECIFICATION),
    );
    let deny = report.obtain("cargo-deny", "check of licences and sources", deny::set_up);
    let python = report.obtain("Python", "all conformance tests", python::set_up);
    let emulated = emulate::MACHINES.map(|machine| {
        let name = format!("an emulator of {}", machine.chip());
        let emulator = report.obtain(&name, &machine.lost(), || emulate::Setting::obtain(machine));
        let lost = machine.lost_without_target();
        let target = emulator.as_ref().and_then(|_| {
            report.obtain("a target for it", &lost, || emulate::Target::obtain(machine))
        });
        Emulated { machine, emulator, target }
    });
    let tmux = report.obtain("tmux", "tests of the menu in a real terminal", tmux::set_up);
    let nginx = report.obtain("nginx", "conformance tests with nginx", nginx::set_up);
    let gen_esp32part = report.obtain(
        "ESP-IDF's gen_esp32part.py",
        "comparison of partition tables with it: all tests with `gen_esp32part` in their names",
        gen_esp32part::find,
    );
    let openssl = report.obtain("openssl", "signature of a release: tests with `openssl`", || {
        find("openssl").context("it is not on the PATH")
    });
    let groff = report.obtain("groff", "check that the man pages render", || {
        find("groff").context("it is not on the PATH")
    });

    if has_fmt.is_some() {
        report.step("format", |_| {
            workspace::WORKSPACES.iter().try_for_each(|folder| {
                run_program(cargo().current_dir(folder).args(["fmt", "--all", "--check"]))
            })
        });
    }
    house::check_all(&mut report);
    if let Some(program) = deny {
        report.step("licences and sources", |_| run_program(&mut deny::check(program)));
    }
    if has_clippy.is_some() {
        report.step("lints", |_| {
            let mut clippy = cargo();
            clippy.args(["clippy", "--quiet", "--workspace", "--all-targets", "--all-features"]);
            run_program(clippy.args(["--", "--deny", "warnings"]))
        });
    }
    if let Some(device) = device.as_ref().filter(|_| has_clippy.is_some()) {
        report.step("lints of what runs on the device", |_| {
            // One by one: together, each would get the features that the others need of it.
            workspace::no_std_crates()?.iter().try_for_each(|name| {
                let mut clippy = cargo();
                clippy.args(["clippy", "--quiet", "--lib", "--no-default-features"]);
                device.apply(clippy.args(["--package", name]));
                run_program(clippy.args(["--", "--deny", "warnings"]))
            })
        });
    }
    if let Some(xtensa) = &xtensa {
        report.step("what runs on the device, for Xtensa", |_| {
            // Without generating code: stock LLVM runs out of registers in a function with a large
            // frame.
            let mut check = cargo();
            // In release for the same reason: the library's own routines are always compiled.
            check.args(["check", "--quiet", "--release", "--lib", "--no-default-features"]);
            for name in workspace::no_std_crates()? {
                check.args(["--package", &name]);
            }
            xtensa.apply(&mut check);
            run_program(&mut check)
        });
    }
    report.step("documentation", |_| {
        let mut doc = cargo();
        doc.args(["doc", "--quiet", "--workspace", "--no-deps", "--all-features"]);
        run_program(doc.env("RUSTDOCFLAGS", "--deny warnings"))
    });
    firmware::check_all(&mut report, has_clippy.is_some());
    let programs = Programs {
        python: python.as_ref(),
        nginx: nginx.as_ref(),
        groff: groff.as_ref(),
        openssl: openssl.as_ref(),
        gen_esp32part: gen_esp32part.as_ref(),
        tmux: tmux.as_ref(),
        emulated: &emulated,
    };
    report.step("tests", |report| test_all(report, options, programs));

    eprintln!("\n=== summary");
    println!("{report}");
    Ok(report.exit_code())
}

/// Installs a component of the toolchain, a cargo subcommand, unless it is there.
fn component(name: &str, subcommand: &str) -> Result<()> {
    let is_there = || works(cargo().args([subcommand, "--version"]));
    if !is_there() {
        retry(|| run_program(&mut command("rustup", &["component", "add", name])))?;
        ensure!(is_there(), "rustup added it, but it does not run");
    }
    Ok(())
}

/// The third-party programs that were found.
#[derive(Clone, Copy)]
struct Programs<'a> {
    python: Option<&'a PathBuf>,
    nginx: Option<&'a PathBuf>,
    groff: Option<&'a PathBuf>,
    openssl: Option<&'a PathBuf>,
    gen_esp32part: Option<&'a gen_esp32part::Tool>,
    tmux: Option<&'a PathBuf>,
    emulated: &'a [Emulated],
}

/// What was found for the tests on an emulated chip.
#[derive(Debug)]
struct Emulated {
    machine: emulate::Machine,
    emulator: Option<emulate::Setting>,
    target: Option<emulate::Target>,
}

impl Emulated {
    /// Has the tests use it; part of the names of those that cannot be run.
    fn apply(&self, test: &mut Command) -> Option<String> {
        if let Some(target) = &self.target {
            target.apply(test);
        }
        let Some(emulator) = &self.emulator else { return Some(self.machine.mark()) };
        emulator.apply(test);
        self.target.is_none().then(|| self.machine.target_mark())
    }
}

fn test_all(report: &mut Report, options: &Options, programs: Programs<'_>) -> Result<()> {
    let Programs { python, nginx, groff, openssl, gen_esp32part, tmux, emulated } = programs;
    let mut test = cargo();
    test.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
    match python {
        Some(path) => drop(test.env("BOOTSWAP_PYTHON", path)),
        None => drop(test.args(["--exclude", "conformance"])),
    }
    test.arg("--");
    match nginx {
        Some(path) => drop(test.env("BOOTSWAP_NGINX", path)),
        // Tests that need a program have its name in theirs.
        None => drop(test.args(["--skip", "nginx"])),
    }
    match gen_esp32part {
        Some(gen_esp32part::Tool::Script(path)) => {
            let _ = test.env("BOOTSWAP_GEN_ESP32PART", path);
        }
        Some(gen_esp32part::Tool::Package) => {}
        None => drop(test.args(["--skip", gen_esp32part::MARK])),
    }
    if groff.is_none() {
        test.args(["--skip", "groff"]);
    }
    if openssl.is_none() {
        test.args(["--skip", "openssl"]);
    }
    match tmux {
        Some(path) => drop(test.env("BOOTSWAP_TMUX", path)),
        None => drop(test.args(["--skip", "tmux"])),
    }
    let missing: Vec<_> = emulated.iter().filter_map(|chip| chip.apply(&mut test)).collect();
    for part in &missing {
        test.args(["--skip", part]);
    }
    if options.long {
        test.arg("--include-ignored").env("PROPTEST_CASES", LONG_PROPTEST_CASES);
    }
    let ended = run_counted(report, &mut test);
    if python.is_some() {
        for part in &missing {
            report.left_out.extend(emulate::names(part)?);
        }
    }
    ended
}

/// Runs tests, shows what they print and counts their results.
fn run_counted(report: &mut Report, test: &mut Command) -> Result<()> {
    let ended = run_shown(test, |line| report.tests.add_line(line));
    ended.with_context(|| format!("{} tests failed", report.tests.failed))?;
    ensure!(report.tests.passed > 0, "no test ran");
    Ok(())
}
