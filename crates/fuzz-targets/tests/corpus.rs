//! Every kept input passes its target, and each input and program belongs to a target.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz_targets::TARGETS;

/// Limits of an input and of all inputs, because they are in every clone.
const MAX_INPUT_BYTES: u64 = 4096;
const MAX_ALL_BYTES: u64 = 1_500_000;
const MAX_INPUTS: usize = 2000;

fn fuzz_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The entries of a directory, sorted; none if it does not exist.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn names(dir: &Path) -> BTreeSet<String> {
    entries(dir).iter().map(|path| name(path)).collect()
}

fn target_names() -> BTreeSet<String> {
    TARGETS.iter().map(|target| target.name.to_owned()).collect()
}

#[test]
fn every_kept_input_passes() {
    let mut failed = Vec::new();
    for target in TARGETS {
        for kept in ["corpus", "regressions"] {
            for path in entries(&fuzz_dir().join(kept).join(target.name)) {
                let input = fs::read(&path).unwrap();
                // The panic's message has been printed by then.
                if catch_unwind(|| (target.run)(&input)).is_err() {
                    failed.push(format!("{}: fuzz/{kept}/{0}/{}", target.name, name(&path)));
                }
            }
        }
    }
    assert!(failed.is_empty(), "inputs that fail:\n{}", failed.join("\n"));
}

#[test]
fn every_target_has_a_corpus_and_every_directory_a_target() {
    let fuzz = fuzz_dir();
    let targets = target_names();
    assert_eq!(names(&fuzz.join("corpus")), targets);
    for target in &targets {
        assert!(!entries(&fuzz.join("corpus").join(target)).is_empty(), "{target} has no input");
    }
    let regressions = names(&fuzz.join("regressions"));
    let of_none: Vec<_> = regressions.difference(&targets).collect();
    assert!(of_none.is_empty(), "regressions of no target: {of_none:?}");
}

#[test]
fn every_target_has_its_program() {
    let fuzz = fuzz_dir();
    let manifest: toml::Table =
        fs::read_to_string(fuzz.join("Cargo.toml")).unwrap().parse().unwrap();
    let programs = manifest["bin"].as_array().unwrap();
    let listed: Vec<&str> = programs.iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    let unique: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!((unique, listed.len()), (target_names(), TARGETS.len()));
    for program in programs {
        let name = program["name"].as_str().unwrap();
        let path = program["path"].as_str().unwrap();
        assert_eq!(path, format!("fuzz_targets/{name}.rs"));
        let source = fs::read_to_string(fuzz.join(path)).unwrap();
        assert!(source.contains(&format!("::{name}(input)")), "{path} runs something else");
    }
    let files: BTreeSet<String> = listed.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz.join("fuzz_targets")), files);
}

#[test]
fn inputs_are_small() {
    let (mut count, mut all_bytes) = (0, 0);
    for kept in ["corpus", "regressions"] {
        for target in TARGETS {
            for path in entries(&fuzz_dir().join(kept).join(target.name)) {
                let len_bytes = fs::metadata(&path).unwrap().len();
                assert!(len_bytes <= MAX_INPUT_BYTES, "{} has {len_bytes} bytes", path.display());
                count += 1;
                all_bytes += len_bytes;
            }
        }
    }
    assert!(count <= MAX_INPUTS, "{count} inputs are too many to keep");
    assert!(all_bytes <= MAX_ALL_BYTES, "{all_bytes} bytes are too many to keep");
}
