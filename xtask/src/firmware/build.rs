//! Building the ELF of a firmware.

use std::path::PathBuf;

use anyhow::Result;

use super::chip::Firmware;
use super::xtensa::Toolchain;
use super::{sources, warnings};
use crate::process::cargo;
use crate::standard_library::StandardLibrary;
use crate::workspace;

/// Builds a firmware and returns the path of its ELF.
///
/// # Errors
///
/// If the toolchain or the target is missing; the message says what to run.
pub(super) fn elf(firmware: Firmware) -> Result<PathBuf> {
    let target_dir = workspace::target("firmware-build")?;
    let chip = firmware.chip;
    let release = target_dir.join(chip.target()).join("release");
    let (mut build, flags) = if chip.is_riscv() {
        (cargo(), Vec::new())
    } else {
        let toolchain = Toolchain::obtain()?;
        toolchain.forget(&release)?;
        toolchain.cargo(chip)?
    };
    build.current_dir(workspace::root()?.join("firmware"));
    build.args(["build", "--locked", "--release", "--quiet", "--package", "bootswap-esp"]);
    build.args(["--features", &firmware.features(), "--config", "size.toml"]);
    build.arg("--target-dir").arg(&target_dir);
    if chip.is_riscv() {
        StandardLibrary::obtain(chip.target())?.apply(&mut build);
    } else {
        build.args(["--target", chip.target(), "-Zbuild-std=core,alloc"]);
    }
    sources::shorten(&mut build, chip.target(), flags)?;
    warnings::deny(&mut build)?;
    Ok(release.join("bootswap"))
}
