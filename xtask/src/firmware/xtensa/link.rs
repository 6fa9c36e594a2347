//! Runs in place of the linker: makes the ELF from the IR of all crates.
//!
//! rustc's own LLVM misplaces the literals of these cores, so a later LLVM generates the code. It
//! does so for all crates together, since code that was optimised as a whole meets fewer of its
//! faults.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use super::arguments::{self, Arguments};
use super::pieces::{PIECES, PROCESSOR, piece};
use super::{external, frames, keep, narrow, pad};
use crate::process::run as run_program;

/// Optimises all crates together, after everything that is not used was removed.
const PASSES: &str = "-passes=internalize,globaldce,lto<O2>,mergefunc,globaldce";
/// The only fault that LLVM finds in the IR, and corrects itself: alias scopes of functions that an
/// older version inlined.
const HARMLESS: &str = "second domain operand must be string";

/// Links. The arguments are those of GNU ld.
///
/// # Errors
///
/// If one of the programs fails.
pub(super) fn run(arguments: Vec<String>) -> Result<ExitCode> {
    let folder = PathBuf::from(format!("{}.parts", arguments::out(&arguments)?.display()));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    // After a failure the files stay, to be looked at.
    let linked = link(Arguments::sorted(arguments, &folder)?, &folder);
    if linked.is_ok() {
        fs::remove_dir_all(&folder)?;
    }
    linked.map(|()| ExitCode::SUCCESS)
}

fn link(arguments: Arguments, folder: &Path) -> Result<()> {
    let processor = env::var(PROCESSOR).with_context(|| format!("{PROCESSOR} is not set"))?;
    let whole = folder.join("all.ll");
    let mut together = Command::new(piece("llvm-link-23")?);
    llvm(together.arg("-S").arg("-o").arg(&whole).args(&arguments.modules))?;
    let ir = external::encoded(fs::read_to_string(&whole)?);
    fs::write(&whole, &ir)?;

    let kept = folder.join("keep");
    fs::write(&kept, keep::list(&ir, &arguments)?)?;
    drop(ir);
    let source = folder.join("optimised.ll");
    let mut optimise = Command::new(piece("opt-23")?);
    optimise.arg(format!("-mcpu={processor}")).arg(PASSES);
    optimise.arg(format!("-internalize-public-api-file={}", kept.display()));
    // The image contains no debug information, so it is dropped here.
    llvm(optimise.arg("-strip-debug").arg("-S").arg("-o").arg(&source).arg(&whole))?;

    let (ir, first) = narrow::split(&fs::read_to_string(&source)?);
    fs::write(&source, &ir)?;
    let llc = piece("llc-23")?;
    let processor = format!("-mcpu={processor}");
    let flags = ["-O2", &processor, "-function-sections", "-data-sections"];
    let assembly = folder.join("narrow.s");
    pad::compile(&llc, &source, &[&flags[..], &["-filetype=asm"]].concat(), &assembly)?;
    let narrow = folder.join("narrow.ll");
    let assembly = frames::shortened(&fs::read_to_string(&assembly)?);
    fs::write(&narrow, narrow::program(&ir, &first, &assembly)?)?;
    let object = folder.join("all.o");
    llvm(Command::new(llc).args(flags).arg("-filetype=obj").arg("-o").arg(&object).arg(&narrow))?;

    let mut ld = Command::new(piece("xtensa-lx106-elf-ld")?);
    // This ld is made for the core of the ESP8266; its plugin tells it about the others.
    let pieces = env::var_os(PIECES).with_context(|| format!("{PIECES} is not set"))?;
    ld.env("XTENSA_GNU_CONFIG", Path::new(&pieces).join("lib/xtensa.so"));
    // The radio's libraries say nothing of the stack, and memory of these chips is never protected.
    ld.args(["--no-warn-execstack", "--no-warn-rwx-segments"]);
    run_program(ld.arg(&object).args(&arguments.rest).arg("--gc-sections"))
}

/// Runs a program of LLVM's, and shows what it complains about.
fn llvm(program: &mut Command) -> Result<()> {
    let run = program.output()?;
    let said = String::from_utf8_lossy(&run.stderr);
    let name = Path::new(program.get_program()).file_name().unwrap_or_default().to_string_lossy();
    if !run.status.success() {
        bail!("{name}: {}", said.chars().take(3000).collect::<String>());
    }
    let worth = said.lines().filter(|line| !line.contains(HARMLESS) && !line.starts_with('!'));
    worth.for_each(|line| eprintln!("{name}: {line}"));
    Ok(())
}
