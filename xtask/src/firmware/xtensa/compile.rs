//! Runs in place of rustc: the libraries of crates with module-level assembly get IR as text.
//!
//! To write bitcode, LLVM assembles module-level assembly for the symbol table. rustc's LLVM does
//! that without the processor's features, and fails. Writing text needs no assembler, and the
//! linker accepts both.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, ensure};

use super::pieces::piece;
use crate::process::run as run_program;

/// The crates with `global_asm!` for Xtensa, of those in the firmware's lockfile.
const WITH_ASSEMBLY: [&str; 4] = ["compiler_builtins", "xtensa_lx_rt", "esp_hal", "esp_rtos"];

/// Does for cargo what rustc would do. The first argument is rustc, the others are its own.
///
/// # Errors
///
/// If rustc cannot be started, or if the library cannot be put together.
pub(super) fn run(arguments: &[String]) -> Result<ExitCode> {
    let (rustc, arguments) = arguments.split_first().context("no compiler is named")?;
    let name = value(arguments, "--crate-name").unwrap_or_default();
    let is_for_chip = value(arguments, "--target").is_some_and(|t| t.starts_with("xtensa"));
    if !is_for_chip {
        return Err(Command::new(rustc).args(arguments).exec()).context(rustc.clone());
    }
    let has_assembly = WITH_ASSEMBLY.contains(&name);
    let arguments_now = if has_assembly { with_text(arguments) } else { arguments.to_vec() };
    if !quietly(Command::new(rustc).args(arguments_now))? {
        return Ok(ExitCode::FAILURE);
    }
    if !has_assembly {
        return Ok(ExitCode::SUCCESS);
    }
    let folder = Path::new(value(arguments, "--out-dir").context("no --out-dir")?);
    let extra = arguments.iter().find_map(|argument| argument.strip_prefix("extra-filename="));
    library(folder, &format!("{name}{}", extra.context("no extra-filename")?))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs rustc, without the message of its LLVM for each function that it does not know the
/// processor of ESP32-S2. The LLVM that generates the code knows it.
fn quietly(rustc: &mut Command) -> Result<bool> {
    let mut child = rustc.stderr(Stdio::piped()).spawn()?;
    let said = BufReader::new(child.stderr.take().context("rustc's output is not there")?);
    for line in said.split(b'\n') {
        let line = line?;
        if !String::from_utf8_lossy(&line).contains("is not a recognized processor") {
            // Cargo waits for rustc's messages about files, so each line is passed on at once.
            io::stderr().write_all(&[&line[..], b"\n"].concat())?;
        }
    }
    Ok(child.wait()?.success())
}

/// What follows an option.
fn value<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|argument| argument == option)?;
    arguments.get(at + 1).map(String::as_str)
}

/// The arguments, changed so that rustc writes text.
fn with_text(arguments: &[String]) -> Vec<String> {
    let mut changed: Vec<String> = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            // With this option rustc writes bitcode, whatever is emitted.
            "-Clinker-plugin-lto" => {}
            "linker-plugin-lto" if changed.last().is_some_and(|last| last == "-C") => {
                changed.pop();
            }
            emit if emit.starts_with("--emit=") => {
                changed.push("--emit=dep-info,metadata,llvm-ir".to_owned());
            }
            _ => changed.push(argument.clone()),
        }
    }
    changed
}

/// Makes the library, because rustc makes none unless it links. It contains the metadata, then the
/// text, in members whose names end in `.o`: rustc ignores all others.
fn library(folder: &Path, stem: &str) -> Result<()> {
    let path = folder.join(format!("lib{stem}.rlib"));
    let parts = folder.join(format!("lib{stem}.parts"));
    drop(fs::remove_dir_all(&parts));
    fs::create_dir_all(&parts)?;
    fs::copy(folder.join(format!("lib{stem}.rmeta")), parts.join("lib.rmeta"))?;
    let mut members = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(stem) && name.ends_with(".ll") {
            fs::rename(folder.join(&name), parts.join(format!("{name}.o")))?;
            members.push(format!("{name}.o"));
        }
    }
    ensure!(!members.is_empty(), "rustc wrote no text for {stem}");
    members.sort();
    drop(fs::remove_file(&path));
    let mut archiver = Command::new(piece("llvm-ar-23")?);
    archiver.current_dir(&parts).arg("rcS").arg(&path).arg("lib.rmeta").args(members);
    run_program(&mut archiver)?;
    Ok(fs::remove_dir_all(&parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_instead_of_bitcode() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let given = words("--crate-name esp_hal --emit=dep-info,link -C linker-plugin-lto -C lto");
        let wanted = "--crate-name esp_hal --emit=dep-info,metadata,llvm-ir -C lto";
        assert_eq!(with_text(&given), words(wanted));
        let given = words("-Clinker-plugin-lto --emit=link");
        assert_eq!(with_text(&given), words("--emit=dep-info,metadata,llvm-ir"));
    }

    #[test]
    fn the_value_of_an_option_is_found() {
        let words = ["--crate-name", "core", "--target"].map(str::to_owned);
        assert_eq!(value(&words, "--crate-name"), Some("core"));
        assert_eq!(value(&words, "--target"), None);
    }
}
