//! The README's walk-through, run as it stands, with the program and the tools that it names.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::Command;

use conformance::program::Ran;
use conformance::{python, workspace_root};

/// The commands of the blocks that the README marks as its walk-through.
fn walk_through() -> String {
    let readme = std::fs::read_to_string(workspace_root().join("README.md")).unwrap();
    let mut commands = String::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```sh walk-through";
        } else if inside {
            commands.push_str(line);
            commands.push('\n');
        }
    }
    commands
}

#[test]
fn the_walk_through_works_as_written() {
    let commands = walk_through();
    assert!(commands.lines().count() >= 8, "the README's walk-through is gone:\n{commands}");
    let dir = tempfile::tempdir().unwrap();
    let tools = python::interpreter().parent().unwrap().to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [program().parent().unwrap().to_path_buf(), tools]
        .into_iter()
        .chain(std::env::split_paths(&path));
    let ran = Ran::of(
        Command::new("bash")
            .args(["-euc", &commands])
            .current_dir(dir.path())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("PYTHONUTF8", "1"),
    )
    .expect_success();
    for wanted in [
        "Image was correctly validated",
        "Validation hash",
        "(valid)",
        "\"outcome\": \"target-running\"",
        "commit bootloader to 0x0",
    ] {
        assert!(ran.stdout.contains(wanted), "{wanted:?} is missing: {ran}");
    }
}

/// The README shows what `bootswap demo` prints. What came over the network depends a little on how TCP
/// cuts it; everything else is the same each time.
#[test]
fn the_figures_are_those_of_the_demo() {
    let readme = std::fs::read_to_string(workspace_root().join("README.md")).unwrap();
    let demo = Ran::of(Command::new(program()).arg("demo")).expect_success();
    let lines: Vec<&str> = demo.stdout.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(lines.len() > 10, "{demo}");
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let shown = if line.starts_with("bytes downloaded") {
            let received: u32 = words[2].replace(',', "").parse().unwrap();
            (177_000..=185_000).contains(&received)
        } else {
            readme.lines().any(|shown| shown.split_whitespace().eq(words.iter().copied()))
        };
        assert!(shown, "the README does not show this line of `bootswap demo`: {line}");
    }
}

/// The program, built from what is there now into the directory that this test came from.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap().to_path_buf();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(workspace_root()).args(["build", "--quiet", "--package", "bootswap-cli"]);
    build.arg("--target-dir").arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    Ran::of(&mut build).expect_success();
    profile.join("bootswap")
}
