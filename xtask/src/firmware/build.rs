//! Building the ELF of a firmware.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::chip::Firmware;
use super::{sources, warnings};
use crate::process::{cargo, output};
use crate::standard_library::StandardLibrary;
use crate::workspace;

/// The toolchain that `espup install` brings, for chips with Xtensa cores.
const ESPRESSIF_TOOLCHAIN: &str = "+esp";

/// Builds a firmware and returns the path of its ELF.
///
/// # Errors
///
/// If the toolchain or the target is missing; the message says what to run.
pub(super) fn elf(firmware: Firmware) -> Result<PathBuf> {
    let target_dir = workspace::target("firmware-build")?;
    let chip = firmware.chip;
    let mut build = if chip.is_riscv() { cargo() } else { espressifs_cargo()? };
    build.current_dir(workspace::root()?.join("firmware"));
    build.args(["build", "--locked", "--release", "--quiet", "--package", "bootswap-esp"]);
    build.args(["--features", &firmware.features(), "--config", "size.toml"]);
    build.arg("--target-dir").arg(&target_dir);
    if chip.is_riscv() {
        StandardLibrary::obtain(chip.target())?.apply(&mut build);
    } else {
        build.args(["--target", chip.target(), "-Zbuild-std=core,alloc"]);
    }
    sources::shorten(&mut build, chip.target())?;
    warnings::deny(&mut build)?;
    Ok(target_dir.join(chip.target()).join("release/bootswap"))
}

/// The cargo of Espressif's fork, under the name that rustup has for it.
fn espressifs_cargo() -> Result<Command> {
    let mut probe = Command::new("cargo");
    // A toolchain in the environment would win over the one on the command line.
    let plain = |command: &mut Command| {
        for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
    };
    plain(&mut probe);
    output(probe.args([ESPRESSIF_TOOLCHAIN, "--version"])).context(
        "chips with Xtensa cores need Espressif's toolchain; run `cargo install espup`, then \
         `espup install` and the script that it names",
    )?;
    let mut cargo = Command::new("cargo");
    plain(&mut cargo);
    cargo.arg(ESPRESSIF_TOOLCHAIN);
    Ok(cargo)
}
