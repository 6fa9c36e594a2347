//! The book for device owners in `docs/`: its links, its commands, its tables.
// Everything here is test code: a failure has no caller to be reported to but the test's output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bootswap_migration::keys;
use conformance::program::Ran;
use conformance::{walk_through, workspace_root};

/// The chapters show its output.
#[allow(dead_code, reason = "`main` is for running the example")]
#[path = "../examples/commit_window.rs"]
mod commit_window;

fn book() -> PathBuf {
    workspace_root().join("docs/src")
}

fn chapter(name: &str) -> String {
    fs::read_to_string(book().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn source(path: &str) -> String {
    fs::read_to_string(workspace_root().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files of the book.
fn files() -> BTreeSet<String> {
    let entries = fs::read_dir(book()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Every target of a link in a text, blocks of code left out.
fn links(text: &str) -> Vec<String> {
    let mut inside = false;
    let prose = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    // A link's text may be broken over two lines, its target may not.
    let prose: Vec<&str> = prose.collect();
    let prose = prose.join("\n");
    prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

/// The name that mdBook gives a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The texts in the first cells of the tables of a text.
fn first_cells(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.map(|(cell, _)| cell).collect()
}

/// The quoted words of a piece of source.
fn quoted(source: &str) -> Vec<&str> {
    source.split('"').skip(1).step_by(2).collect()
}

/// The text between two others.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} behind {start:?}")).0
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for name in files() {
        for link in links(&chapter(&name)) {
            count += 1;
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let file = if file.is_empty() { &name } else { file };
            assert!(files().contains(file), "{name}: no file {file}");
            let target = chapter(file);
            let mut headings = target.lines().filter(|line| line.starts_with('#')).map(anchor);
            let found = heading.is_empty() || headings.any(|found| found == heading);
            assert!(found, "{name}: {file} has no heading {heading}");
        }
    }
    assert!(count > 20, "{count} links");
}

#[test]
fn the_summary_names_every_chapter_once() {
    let named = links(&chapter("SUMMARY.md"));
    let mut wanted = files();
    wanted.remove("SUMMARY.md");
    assert_eq!(named.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    assert_eq!(named.len(), wanted.len(), "a chapter is named twice");
}

/// Runs a chapter's walk-through.
fn walk(name: &str) -> Ran {
    let commands = walk_through::commands(&chapter(name));
    assert!(commands.lines().count() >= 5, "{name}: the walk-through is gone:\n{commands}");
    let dir = tempfile::tempdir().unwrap();
    walk_through::run(&commands, dir.path()).expect_success()
}

#[test]
fn the_chapter_on_fleets_works_as_written() {
    let ran = walk("fleet.md");
    for wanted in ["commit bootloader to 0x0..0x6af0", "target running", "image 1.0.0+0"] {
        assert!(ran.stdout.contains(wanted), "{wanted:?} is missing: {ran}");
    }
    let failed = ran.stdout.lines().filter(|line| line.trim_start().starts_with("FAILED"));
    let failed: Vec<_> = failed.map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(failed, [Some("0")], "{ran}");
    // The text of the console without its times.
    let console: Vec<&str> = ran.stderr.lines().filter_map(said).collect();
    let shown = walk_through::blocks(&chapter("fleet.md"), "```text console");
    assert!(shown.lines().count() > 10, "{shown}");
    for line in shown.lines() {
        let line = said(line).unwrap_or_else(|| panic!("not a line of the console: {line}"));
        assert!(console.contains(&line), "the console does not show {line:?}: {ran}");
    }
}

/// The text of a line of the migrator's console.
fn said(line: &str) -> Option<&str> {
    line.split_once(") bootswap: ").map(|(_, said)| said)
}

#[test]
fn the_recovery_works_as_written() {
    let ran = walk("recovery.md");
    for wanted in
        ["there is no complete bootloader", "ESP image: verified", "partition table: verified"]
    {
        assert!(ran.stdout.contains(wanted), "{wanted:?} is missing: {ran}");
    }
}

#[test]
fn every_refusal_is_explained_and_no_other() {
    let reasons = source("crates/bootswap-plan/src/reason/code.rs");
    let codes = quoted(between(&reasons, "fn code(&self)", "}\n    }\n"));
    let numbers = between(&reasons, "fn number(&self)", "}\n    }\n");
    let numbers = numbers.lines().filter_map(|line| line.split_once("=> ")?.1.strip_suffix(','));
    assert!(codes.len() >= 32, "{codes:?}");
    let text = chapter("trouble.md");
    let section = between(&text, "## Refusals", "\n## ");
    let explained: BTreeSet<_> = first_cells(section).into_iter().collect();
    assert_eq!(explained, codes.iter().copied().collect());
    let wanted: BTreeSet<String> = numbers.map(ToOwned::to_owned).collect();
    let given = section.lines().filter(|line| line.starts_with("| `"));
    let given: BTreeSet<String> =
        given.map(|line| line.split('|').nth(2).unwrap().trim().to_owned()).collect();
    assert_eq!(given, wanted);
}

#[test]
fn every_failure_has_its_number() {
    let failures = source("crates/bootswap-engine/src/error/mod.rs");
    let numbers = between(&failures, "fn number(&self)", "}\n    }\n");
    let wanted = numbers.lines().filter_map(|line| line.split_once("=> ")?.1.strip_suffix(','));
    let text = chapter("trouble.md");
    let section = between(&text, "### The end of an attempt", "\n## ");
    let given = section.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let given = given.map(|(cell, _)| cell).filter(|cell| cell.parse::<u16>().is_ok());
    assert!(given.eq(wanted), "{section}");
}

/// Environment variable: with `BOOTSWAP_BOOK=write` the test updates the book's tables of keys
/// instead of comparing them. Read the changes before you commit them.
const WRITE_ENV: &str = "BOOTSWAP_BOOK";

#[test]
fn the_tables_of_keys_are_those_of_the_program() {
    let text = chapter("migration.md");
    let wanted = keys::update_chapter(&text).expect("every table of keys has an end");
    if std::env::var_os(WRITE_ENV).is_some_and(|value| value == "write") {
        fs::write(book().join("migration.md"), &wanted).unwrap();
    } else {
        let hint = format!("{WRITE_ENV}=write writes the chapter anew");
        assert!(text == wanted, "{hint}; its tables are to be\n{wanted}");
    }
}

#[test]
fn every_key_of_a_migration_is_explained_and_no_other() {
    let text = chapter("migration.md");
    let mut explained = Vec::new();
    for part in text.split("<!-- keys of ").skip(1) {
        let (table, rest) = part.split_once(" -->").unwrap();
        let rows = first_cells(rest.split("<!-- end -->").next().unwrap());
        assert!(!rows.is_empty(), "{table}");
        explained.extend(rows.into_iter().map(|key| match table {
            "the document" => key.to_owned(),
            table => format!("{table}.{key}"),
        }));
    }
    let found: BTreeSet<&str> = explained.iter().map(String::as_str).collect();
    assert_eq!(found.len(), explained.len(), "a key is explained twice");
    assert_eq!(found, keys::all().map(|key| key.path).collect());
    // Tables have headings of their own.
    for table in ["mcuboot", "app", "bootloader", "artifact", "staging", "allow", "network", "log"]
    {
        let heading = |line: &str| line.starts_with("## ") && line.contains(&format!("[{table}]"));
        assert!(text.lines().any(heading), "{table}");
    }
}

#[test]
fn the_migration_that_is_shown_can_be_planned() {
    let dir = tempfile::tempdir().unwrap();
    let lab = dir.path().join("lab");
    let program = || Command::new(walk_through::program());
    let _ =
        Ran::of(program().args(["demo", "--chip", "esp32c3", "--out"]).arg(&lab)).expect_success();
    let file = lab.join("shown.toml");
    fs::write(&file, walk_through::blocks(&chapter("migration.md"), "```toml migration")).unwrap();
    let ran = Ran::of(program().arg("plan").arg(&file)).expect_success();
    assert!(ran.stdout.contains("commit bootloader"), "{ran}");
}

#[test]
fn the_commit_windows_are_computed() {
    let table = commit_window::table();
    assert!(
        chapter("commit-window.md").contains(&format!("\n\n{table}\n")),
        "the chapter does not show what `cargo run -p conformance --example commit_window` \
         prints:\n{table}"
    );
}
