//! The check of the dependencies' licences and sources, by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, command, output, retry, run};
use crate::workspace;

/// The version that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Installs cargo-deny in `target/cargo-deny` unless it is there already, and returns its path.
///
/// # Errors
///
/// If it cannot be fetched or built.
pub(crate) fn set_up() -> Result<PathBuf> {
    let place = workspace::target("cargo-deny")?;
    let program = place.join("bin/cargo-deny");
    if output(&mut command(&program, &["--version"])).is_ok_and(|text| text.contains(VERSION)) {
        return Ok(program);
    }
    eprintln!("building cargo-deny {VERSION}, which takes a minute or two");
    retry(|| {
        // Unoptimised: it runs for a second, and optimising it would take minutes.
        let mut install = cargo();
        install
            .args(["install", "cargo-deny", "--version", VERSION, "--locked", "--debug", "--quiet"])
            .arg("--root")
            .arg(&place)
            .env("CARGO_TARGET_DIR", place.join("build"))
            // The flags are meant for this workspace.
            .env_remove("RUSTFLAGS")
            .current_dir(std::env::temp_dir());
        run(&mut install)
    })?;
    Ok(program)
}

/// The command that checks against `deny.toml`.
pub(crate) fn check(program: PathBuf) -> Command {
    command(program, &["--locked", "check", "licenses", "bans", "sources"])
}
