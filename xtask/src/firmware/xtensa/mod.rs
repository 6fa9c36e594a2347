//! Toolchains for the chips with Xtensa cores: Espressif's, or one made of separate programs.
//!
//! ```text
//!   espup install: rustc and LLVM of Espressif's, and a GCC that links          the documented way
//!
//!   archive beside the repository: rustc, LLVM and GNU ld as their authors publish them
//!     rustc --LLVM IR in rlibs--> llvm-link --> opt --> llc --> ld --> ELF
//!       '-- compile.rs              '-- link.rs, arguments.rs, external.rs, keep.rs, pad.rs,
//!                                  frames.rs, narrow.rs
//! ```
//!
//! The second way is a stopgap for machines that cannot have the first, and the sources are the
//! same for both. What each file of this folder works around is in its first lines; once rustc's
//! own LLVM generates code for these cores, everything in this folder but [`Toolchain`] can be
//! removed.

mod arguments;
mod compile;
mod external;
mod frames;
mod keep;
mod link;
mod narrow;
mod pad;
mod pieces;
mod settings;

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use self::pieces::{PIECES, PROCESSOR};
use super::chip::Chip;
use crate::process::{cargo, output};
use crate::{archive, workspace};

/// The toolchain that `espup install` brings.
const ESPRESSIF_TOOLCHAIN: &str = "+esp";
/// The archive, without its ending.
const ARCHIVE: &str = "xtensa-toolchain-rust1.98.1-llvm23";
/// The names under which this program is started by cargo and rustc.
const COMPILER: &str = "bootswap-xtensa-rustc";
const LINKER: &str = "bootswap-xtensa-ld";
/// A toolchain for these chips.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Toolchain {
    /// Espressif's, as rustup knows it.
    Espressif,
    /// The one of the archive, unpacked here.
    Pieces(PathBuf),
}

impl Toolchain {
    /// Finds one; Espressif's first.
    ///
    /// # Errors
    ///
    /// If there is none; the message says what to run.
    pub(crate) fn obtain() -> Result<Self> {
        let mut probe = Command::new("cargo");
        plain(&mut probe);
        let Err(missing) = output(probe.args([ESPRESSIF_TOOLCHAIN, "--version"])) else {
            return Ok(Self::Espressif);
        };
        if let Some(pieces) = archive::unpacked(ARCHIVE, "xtensa-toolchain/libexec")? {
            return Ok(Self::Pieces(pieces.join("xtensa-toolchain")));
        }
        Err(missing).context(
            "chips with Xtensa cores need Espressif's toolchain; run `cargo install espup`, then \
             `espup install` and the script that it names",
        )
    }

    /// A cargo that builds for a chip, and the flags for its rustc.
    ///
    /// # Errors
    ///
    /// If this program cannot be put in place of the compiler and the linker.
    pub(super) fn cargo(&self, chip: Chip) -> Result<(Command, Vec<String>)> {
        let Self::Pieces(pieces) = self else {
            let mut cargo = Command::new("cargo");
            plain(&mut cargo);
            cargo.arg(ESPRESSIF_TOOLCHAIN);
            return Ok((cargo, Vec::new()));
        };
        let tools = workspace::target("xtensa-tools")?;
        fs::create_dir_all(&tools).with_context(|| tools.display().to_string())?;
        let program = env::current_exe()?;
        for name in [COMPILER, LINKER] {
            let link = tools.join(name);
            if fs::read_link(&link).ok().as_deref() != Some(&program) {
                drop(fs::remove_file(&link));
                symlink(&program, &link).with_context(|| link.display().to_string())?;
            }
        }
        let settings = settings::of(chip)?;
        let mut cargo = cargo();
        cargo.env("RUSTC", pieces.join("bin/rustc")).env("RUSTC_WRAPPER", tools.join(COMPILER));
        cargo.env(PIECES, pieces).env(PROCESSOR, settings.processor);
        // A stable compiler: this opens -Zbuild-std, and nightly features to the standard library.
        cargo.env("RUSTC_BOOTSTRAP", "1");
        // The profile's LTO would be done by rustc's own LLVM; `link.rs` does it instead.
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
        let mut flags = settings.flags(&tools.join(LINKER));
        let library = pieces.join("lib/rustlib/src/rust");
        flags.push(format!("--remap-path-prefix={}/=", library.display()));
        Ok((cargo, flags))
    }

    /// Deletes what an older version of this program linked, because cargo does not know that this
    /// program is the linker.
    pub(super) fn forget(&self, release: &Path) -> Result<()> {
        let built = env::current_exe()?.metadata()?.modified()?;
        let Self::Pieces(_) = self else { return Ok(()) };
        let Ok(entries) = fs::read_dir(release.join("deps")) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_linked = name.to_string_lossy().starts_with("bootswap-");
            if is_linked && entry.metadata()?.modified()? < built && entry.path().is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// A toolchain in the environment would win over the one on the command line.
fn plain(command: &mut Command) {
    for name in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
}

/// Does the work of the compiler or the linker if this program was started in its place.
///
/// # Errors
///
/// If the work fails.
pub(crate) fn stand_in() -> Result<Option<ExitCode>> {
    let mut arguments = env::args();
    let name = arguments.next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_owned();
    let arguments: Vec<String> = arguments.collect();
    if name == COMPILER {
        return compile::run(&arguments).map(Some);
    }
    if name == LINKER {
        return link::run(arguments).map(Some);
    }
    Ok(None)
}
