//! What rustc is told for each chip.

use std::path::Path;

use anyhow::{Result, bail};

use super::super::chip::Chip;

/// The settings of a chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Settings {
    /// LLVM's name of the processor.
    pub(super) processor: &'static str,
    /// What this processor has or lacks, where LLVM assumes otherwise.
    attributes: &'static str,
}

/// Why floating point is off: LLVM's code for these units is young, and nothing of ours calculates
/// with floating point. It is one argument of rustc's and not of the chip's target, so that
/// `xtensa-lx-rt` still saves the unit's registers for the radio's libraries, which do.
pub(super) fn of(chip: Chip) -> Result<Settings> {
    Ok(match chip.name() {
        "esp32" => Settings { processor: "esp32", attributes: "-fp" },
        // rustc's own LLVM does not know this processor and says so; the LLVM that generates the
        // code does.
        "esp32s2" => Settings { processor: "esp32s2", attributes: "-fp" },
        // LLVM knows ESP32-S3 only from version 24 on. The chip runs what is compiled for ESP32,
        // except for the unit that helps with double precision.
        "esp32s3" => Settings { processor: "esp32", attributes: "-fp,-dfpaccel" },
        other => bail!("{other} has no Xtensa core"),
    })
}

impl Settings {
    /// The flags for rustc, with this program in the linker's place.
    pub(super) fn flags(&self, linker: &Path) -> Vec<String> {
        vec![
            format!("-Ctarget-cpu={}", self.processor),
            format!("-Ctarget-feature={}", self.attributes),
            // IR instead of machine code in the libraries: rustc's own LLVM misplaces literals.
            "-Clinker-plugin-lto".to_owned(),
            format!("-Clinker={}", linker.display()),
            // The form of the arguments; this target's default is that of gcc.
            "-Clinker-flavor=ld".to_owned(),
            // Inlining would turn noalias into alias scopes, in which the later LLVM finds faults.
            "-Cllvm-args=-enable-noalias-to-md-conversion=false".to_owned(),
        ]
    }
}
