//! nginx, a server that downloads are tested with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::debian;
use crate::process::{command, find, output, works};
use crate::workspace;

/// Gives the path of nginx: the system's, or one that is brought into `target/nginx`.
///
/// # Errors
///
/// If there is no nginx and no package of it to unpack, or if it does not run on this system.
pub(crate) fn set_up() -> Result<PathBuf> {
    // Distributions put it where only root's shell looks.
    let system = find("nginx").unwrap_or_else(|| "/usr/sbin/nginx".into());
    let unpacked = workspace::target("nginx")?;
    let own = unpacked.join("usr/sbin/nginx");
    if let Some(nginx) = [&system, &own].into_iter().find(|nginx| runs(nginx)) {
        return Ok(nginx.clone());
    }
    debian::unpack(&["nginx"], &unpacked)?;
    output(&mut command(&own, &["-v"]))
        .context("nginx from its package does not run on this system")?;
    Ok(own)
}

fn runs(nginx: &Path) -> bool {
    works(&mut command(nginx, &["-v"]))
}
