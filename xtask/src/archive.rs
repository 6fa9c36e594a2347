//! Archives of toolchains for machines that cannot use rustup or espup. They are in a folder
//! `shared` beside the checkout, if there is one.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{command, run};
use crate::workspace;

/// The folder of the archives, relative to the repository.
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
        // It gets its name only when it is complete, so that a part is never mistaken for the
        // whole.
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
