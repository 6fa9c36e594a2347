//! Commands in Markdown files, run exactly as written: blocks that begin with
//! ```` ```sh walk-through ````.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::Ran;
use crate::{python, workspace_root};

/// The contents of all blocks of a Markdown text that begin with this line.
#[must_use]
pub fn blocks(markdown: &str, opened_with: &str) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            inside = line == opened_with;
        } else if inside {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The commands of the blocks that are marked as a walk-through.
#[must_use]
pub fn commands(markdown: &str) -> String {
    blocks(markdown, "```sh walk-through")
}

/// Runs commands in `dir` up to the first that fails, with the project's program and Python's tools
/// on the PATH.
#[must_use]
pub fn run(commands: &str, dir: &Path) -> Ran {
    let tools = python::interpreter().parent().expect("it is in a directory").to_path_buf();
    let program = program();
    let ours = [program.parent().expect("it is in a directory").to_path_buf(), tools];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut bash = Command::new("bash");
    bash.args([OsStr::new("-euc"), OsStr::new(commands)]).current_dir(dir);
    Ran::of(bash.env("PATH", path).env("PYTHONUTF8", "1"))
}

/// The path of the program, which is built first, in the same profile as this test.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("tests are files");
    let profile = test.parent().and_then(Path::parent).expect("in `deps` of a profile");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(workspace_root()).args(["build", "--quiet", "--package", "bootswap-cli"]);
    build.arg("--target-dir").arg(profile.parent().expect("a profile is in a target directory"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let _ = Ran::of(&mut build).expect_success();
    profile.join("bootswap")
}
