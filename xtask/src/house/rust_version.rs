//! The oldest Rust that builds the project: one number, in every manifest and document.

use std::fs;
use std::path::Path;

use super::files;
use crate::workspace;

fn read(path: &Path) -> String {
    fs::read_to_string(workspace::root().unwrap().join(path)).unwrap()
}

/// Versions of Rust such as 1.95 in a line of a document.
fn versions(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let words = words.map(|word| word.trim_end_matches('.')).filter(|_| line.contains("Rust"));
    words.filter(|word| {
        word.strip_prefix("1.").is_some_and(|minor| minor.len() == 2 && minor.parse::<u8>().is_ok())
    })
}

#[test]
fn versions_of_rust_are_found_in_text() {
    let found = |line| versions(line).collect::<Vec<_>>();
    assert_eq!(found("With Rust (`rustup`, stable, 1.95 or newer): 2.31 s"), ["1.95"]);
    assert_eq!(found("Rust 1.97."), ["1.97"]);
    assert_eq!(found("version 1.95 of the migrator"), [""; 0]);
}

#[test]
fn there_is_one_number() {
    let root = read(Path::new("Cargo.toml"));
    let (_, rest) = root.split_once("\nrust-version = \"").unwrap();
    let (wanted, _) = rest.split_once('"').unwrap();
    let mut documents = 0;
    for path in files(".md").unwrap() {
        // The history has the numbers of its time.
        if path == Path::new("CHANGELOG.md") {
            continue;
        }
        for line in read(&path).lines() {
            for found in versions(line) {
                assert_eq!(found, wanted, "{}: {line}", path.display());
                documents += 1;
            }
        }
    }
    assert!(documents >= 2, "README.md and CONTRIBUTING.md name no version of Rust");
    for path in files("Cargo.toml").unwrap() {
        let text = read(&path);
        let mut lines = text.lines().filter(|line| line.starts_with("rust-version"));
        let line = lines.next().unwrap_or_else(|| panic!("{}: no rust-version", path.display()));
        let own = format!("rust-version = \"{wanted}\"");
        assert!(line == own || line == "rust-version.workspace = true", "{}", path.display());
    }
}
