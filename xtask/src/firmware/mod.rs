//! `cargo xtask firmware`: the migrator for a chip, ready for any ESP-IDF OTA mechanism.
//!
//! ```text
//!   firmware/esp --cargo--> ELF --espflash--> bootswap-CHIP.bin --esptool--> checked
//!                            '--> sizes by section, against the budgets
//!   firmware/loader --cargo--> ELF --> bootswap-CHIP-loader.bin --esptool--> checked
//! ```

mod budget;
mod build;
mod checks;
mod chip;
mod division;
mod image;
mod loader;
mod ram;
mod size;
mod sources;
mod warnings;
mod xtensa;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

pub(crate) use budget::STACK_USED_BYTES;
pub(crate) use checks::all as check_all;
pub(crate) use chip::{CHIPS, Chip, Firmware, Network};
pub(crate) use loader::{exists as has_loader, file_name as loader_name, make as make_loader};
pub(crate) use xtensa::stand_in;

use crate::process::{command, output};
use crate::{python, workspace};

/// Which firmware is built, and where the images are written.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Chip: esp32, esp32s2, esp32s3, esp32c3, esp32c6 or esp32h2; may be given several times
    #[arg(long = "chip", value_name = "CHIP", required = true)]
    chips: Vec<chip::Chip>,

    /// Network; the chip's own by default; openeth is that of emulators
    #[arg(long)]
    network: Option<Network>,

    /// The loader of carriers and first stages alone
    #[arg(long)]
    loader: bool,

    /// Directory for the images
    #[arg(long, value_name = "DIR", default_value = "target/firmware")]
    out: PathBuf,
}

/// Builds each firmware and prints its size; fails if one is too large to be sent out.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let out = std::path::absolute(&options.out)?;
    std::env::set_current_dir(workspace::root()?)?;
    for chip in &options.chips {
        if !options.loader {
            let firmware = Firmware::new(*chip, options.network)?;
            let built = make(firmware, &out)?;
            println!("{}", built.sizes);
            println!("image      {}", built.image.display());
            built.check(firmware)?;
        }
        if options.loader || loader::exists(*chip) {
            let loader = loader::make(*chip, &out)?;
            println!("{loader}");
            check_with_esptool(*chip, &loader.image)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A firmware that was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// The app image.
    pub(crate) image: PathBuf,
    /// What it was made of.
    elf: PathBuf,
    /// Its size.
    pub(crate) sizes: size::Sizes,
}

/// Builds a firmware into `out`.
///
/// # Errors
///
/// If its target or toolchain is missing, with what to run, or if it does not build.
pub(crate) fn make(firmware: Firmware, out: &Path) -> Result<Built> {
    let elf_path = build::elf(firmware)?;
    let elf = fs::read(&elf_path).with_context(|| elf_path.display().to_string())?;
    let bytes = image::of(&elf, firmware.chip)?;
    let sizes = size::Sizes::of(firmware, &elf, bytes.len())?;
    fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    let path = out.join(firmware.file_name());
    fs::write(&path, &bytes).with_context(|| path.display().to_string())?;
    Ok(Built { image: path, elf: elf_path, sizes })
}

impl Built {
    /// Checks everything that can be seen without running it.
    ///
    /// # Errors
    ///
    /// If it must not be sent out.
    pub(crate) fn check(&self, firmware: Firmware) -> Result<()> {
        check_with_esptool(firmware.chip, &self.image)?;
        self.sizes.within_budget()?;
        let elf = fs::read(&self.elf).with_context(|| self.elf.display().to_string())?;
        if !firmware.chip.is_riscv() {
            division::check(&elf)?;
        }
        let functions = ram::check(&elf)?;
        println!("in memory  {functions} functions that run while the flash is busy");
        Ok(())
    }
}

/// Checks the image with esptool, as a second opinion on headers, checksum and digest.
///
/// # Errors
///
/// If it finds something wrong, or if it cannot be had.
pub(crate) fn check_with_esptool(chip: Chip, image: &Path) -> Result<()> {
    let python = python::set_up()?;
    let mut esptool = command(python, &["-m", "esptool", "--chip", chip.name()]);
    let info = output(esptool.args(["image-info"]).arg(image))?;
    for wanted in ["Checksum:", "Validation hash:"] {
        let line = info.lines().find(|line| line.trim_start().starts_with(wanted));
        let line =
            line.with_context(|| format!("no line {wanted:?} in what esptool prints:\n{info}"))?;
        if !line.contains("(valid)") {
            bail!("{}: esptool prints: {}", image.display(), line.trim());
        }
        println!("esptool    {}", line.trim());
    }
    Ok(())
}
