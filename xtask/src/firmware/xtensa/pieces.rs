//! Where the programs of the archive are, for this program in the place of compiler and linker.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Environment variables: where the pieces are, and LLVM's name of the processor.
pub(super) const PIECES: &str = "BOOTSWAP_XTENSA_PIECES";
pub(super) const PROCESSOR: &str = "BOOTSWAP_XTENSA_PROCESSOR";

/// The program of this name among the pieces.
pub(super) fn piece(name: &str) -> Result<PathBuf> {
    let pieces = env::var_os(PIECES).with_context(|| format!("{PIECES} is not set"))?;
    let path = Path::new(&pieces).join("bin").join(name);
    if !path.is_file() {
        bail!("there is no {}", path.display());
    }
    Ok(path)
}
