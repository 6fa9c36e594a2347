//! Debian packages, unpacked into a folder instead of installed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::{command, find, is_root, output, retry};

/// Like [`unpack`], for a package and the libraries that it depends on, except the C library.
pub(crate) fn unpack_with_libraries(package: &str, into: &Path) -> Result<()> {
    let ask = || output(&mut command("apt-cache", &["depends", "--no-recommends", package]));
    let answer = match ask() {
        Ok(answer) => answer,
        // A new machine has no package lists.
        Err(_) if is_root() => {
            output(&mut command("apt-get", &["update"]))?;
            ask()?
        }
        Err(error) => return Err(error),
    };
    let needed = answer.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let libraries = needed.filter(|name| name.starts_with("lib") && *name != "libc6");
    let packages: Vec<&str> = std::iter::once(package).chain(libraries).collect();
    unpack(&packages, into)
}

/// Downloads packages and unpacks them into `into`, which is emptied first; nothing is installed.
///
/// What the packages depend on is not fetched, and none of their scripts is run.
pub(crate) fn unpack(packages: &[&str], into: &Path) -> Result<()> {
    for tool in ["apt-get", "dpkg-deb"] {
        if find(tool).is_none() {
            bail!("{tool} is missing: only Debian packages can be unpacked here");
        }
    }
    if into.exists() {
        fs::remove_dir_all(into).with_context(|| into.display().to_string())?;
    }
    let downloads = into.join("packages");
    fs::create_dir_all(&downloads).with_context(|| downloads.display().to_string())?;
    let mut is_first = true;
    retry(|| {
        // A new machine has no package lists; those of an old one may name packages that are gone.
        if !is_first && is_root() {
            output(&mut command("apt-get", &["update"]))?;
        }
        is_first = false;
        let mut download = command("apt-get", &["download"]);
        output(download.args(packages).current_dir(&downloads))
    })?;
    for entry in fs::read_dir(&downloads)? {
        output(command("dpkg-deb", &["-x"]).arg(entry?.path()).arg(into))?;
    }
    Ok(())
}
