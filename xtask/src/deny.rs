//! The check of licences and sources of what is built on, by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, command, output, retry, run};
use crate::workspace;

/// The version that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Brings cargo-deny into `target/cargo-deny` unless it is there already, and gives its path.
///
/// # Errors
///
/// Where it cannot be fetched or built.
pub(crate) fn set_up() -> Result<PathBuf> {
    let place = workspace::target("cargo-deny")?;
    let program = place.join("bin/cargo-deny");
    if output(&mut command(&program, &["--version"])).is_ok_and(|text| text.contains(VERSION)) {
        return Ok(program);
    }
    eprintln!("building cargo-deny {VERSION}, which takes a minute or two");
    retry(|| {
        // Unoptimised: it runs for a second, and takes minutes more to build otherwise.
        let mut install = cargo();
        install
            .args(["install", "cargo-deny", "--version", VERSION, "--locked", "--debug", "--quiet"])
            .arg("--root")
            .arg(&place)
            .env("CARGO_TARGET_DIR", place.join("build"))
            // Flags and lints of this workspace are not meant for it.
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
