//! Archives beside the repository, for what a machine without rustup or espup cannot fetch.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{command, run};
use crate::workspace;

/// Where the archives lie, seen from the repository.
pub(crate) const FOLDER: &str = "../shared/toolchain";

/// The archive of this name, unpacked under `target/`; `None` if there is none. `proof` is a folder
/// in it.
///
/// # Errors
///
/// If it cannot be unpacked.
pub(crate) fn unpacked(name: &str, proof: &str) -> Result<Option<PathBuf>> {
    let archive = workspace::root()?.join(format!("{FOLDER}/{name}.tar.xz"));
    if !archive.is_file() {
        return Ok(None);
    }
    let into = workspace::target(name)?;
    if !into.join(proof).is_dir() {
        // Renamed when it is complete, so that a part of it is never taken for all.
        let partial = workspace::target(&format!("{name}.partial"))?;
        if partial.exists() {
            fs::remove_dir_all(&partial).with_context(|| partial.display().to_string())?;
        }
        fs::create_dir_all(&partial).with_context(|| partial.display().to_string())?;
        run(command("tar", &["-xJf"]).arg(&archive).arg("-C").arg(&partial))?;
        fs::rename(&partial, &into).with_context(|| into.display().to_string())?;
    }
    Ok(Some(into))
}
