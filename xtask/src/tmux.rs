//! tmux, in which the menu is tested as in a real terminal.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::debian;
use crate::process::{command, find, output, works};
use crate::workspace;

/// Gives the path of tmux: the system's, or one that is brought into `target/tmux`.
///
/// # Errors
///
/// If there is no tmux and no package of it to unpack, or if it does not run on this system.
pub(crate) fn set_up() -> Result<PathBuf> {
    let unpacked = workspace::target("tmux")?;
    let own = unpacked.join("with-its-libraries");
    let found = find("tmux").into_iter().chain([own.clone()]).find(|tmux| runs(tmux));
    if let Some(tmux) = found {
        return Ok(tmux);
    }
    debian::unpack_with_libraries("tmux", &unpacked)?;
    start_script(&unpacked, &own)?;
    output(&mut command(&own, &["-V"]))
        .context("tmux from its package does not run on this system")?;
    Ok(own)
}

/// A script that starts the unpacked program with the libraries that were unpacked beside it.
fn start_script(unpacked: &Path, script: &Path) -> Result<()> {
    let mut folders = vec![unpacked.join("usr/lib"), unpacked.join("lib")];
    for base in folders.clone() {
        // Debian puts them into a folder named after the architecture.
        for entry in fs::read_dir(base).into_iter().flatten() {
            folders.push(entry?.path());
        }
    }
    let folders: Vec<String> =
        folders.iter().filter(|f| f.is_dir()).map(|f| f.display().to_string()).collect();
    let program = unpacked.join("usr/bin/tmux");
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        folders.join(":"),
        program.display()
    );
    fs::write(script, text).with_context(|| script.display().to_string())?;
    output(command("chmod", &["+x"]).arg(script))?;
    Ok(())
}

fn runs(tmux: &Path) -> bool {
    works(&mut command(tmux, &["-V"]))
}
