//! Shortens the names of source files in panic messages: the directories of this machine are
//! removed.
//!
//! ```text
//!   /home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/smoltcp-0.13.1/src/iface/mod.rs
//!                                                                 smoltcp-0.13.1/src/iface/mod.rs
//! ```
//!
//! This makes an image kilobytes smaller, and the same on every machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{cargo, run};
use crate::workspace;

/// Makes the compiler shorten them, in addition to the flags of `firmware/size.toml` and to `more`.
///
/// # Errors
///
/// If there is no directory of dependencies and cargo cannot fetch them.
pub(super) fn shorten(build: &mut Command, target: &str, more: Vec<String>) -> Result<()> {
    let mut directories = dependencies()?;
    if directories.is_empty() {
        let firmware = workspace::root()?.join("firmware");
        run(cargo().current_dir(firmware).args(["fetch", "--locked", "--quiet"]))?;
        directories = dependencies()?;
    }
    directories.push(workspace::root()?.to_owned());
    build.arg("--config").arg(setting(target, &directories, more)?);
    Ok(())
}

/// The directories that cargo unpacks packages into, one for each registry.
fn dependencies() -> Result<Vec<PathBuf>> {
    let home = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => env::home_dir().context("there is no home directory")?.join(".cargo"),
    };
    let Ok(entries) = fs::read_dir(home.join("registry/src")) else { return Ok(Vec::new()) };
    let mut directories: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    directories.sort();
    Ok(directories)
}

/// The setting, for cargo's command line.
fn setting(target: &str, directories: &[impl AsRef<Path>], more: Vec<String>) -> Result<String> {
    let flag = |path: &Path| format!("--remap-path-prefix={}=", path.display());
    // The compiler removes the last prefix that matches.
    let flags = directories.iter().map(|directory| flag(directory.as_ref())).chain(more);
    let flags: Vec<_> = flags.collect();
    // A list of strings is the same in JSON and TOML.
    Ok(format!("target.{target}.rustflags={}", serde_json::to_string(&flags)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directory_is_taken_off() {
        let written = setting("some-target", &["/a/b", "/c \"d\""], Vec::new()).unwrap();
        let flags = r#"["--remap-path-prefix=/a/b=","--remap-path-prefix=/c \"d\"="]"#;
        assert_eq!(written, format!("target.some-target.rustflags={flags}"));
    }

    #[test]
    fn the_dependencies_of_this_program_are_found() {
        let directories = dependencies().unwrap();
        let holds = |name: &str| {
            directories
                .iter()
                .filter_map(|dir| dir.read_dir().ok())
                .flatten()
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(name))
        };
        assert!(holds("anyhow-"), "{directories:?}");
    }
}
