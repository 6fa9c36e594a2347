//! The README's walk-through, run exactly as written, with the program and the tools that it names.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

use conformance::program::Ran;
use conformance::walk_through::{commands, program, run};
use conformance::workspace_root;

#[test]
fn the_walk_through_works_as_written() {
    let commands = commands(&std::fs::read_to_string(workspace_root().join("README.md")).unwrap());
    assert!(commands.lines().count() >= 8, "the README's walk-through is gone:\n{commands}");
    let dir = tempfile::tempdir().unwrap();
    let ran = run(&commands, dir.path()).expect_success();
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

/// The README shows what `bootswap demo` prints. The number of bytes downloaded varies a little;
/// everything else is the same each time.
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
