//! Runs a target over random inputs and counts, without libFuzzer and on stable Rust:
//! `cargo run --release -p fuzz-targets --example long -- verdicts --minutes 30`.
//!
//! `--input FILE` runs that one alone. Half of the inputs are those that are kept, changed in a few
//! bytes; the others are random. One that fails is written to `fuzz/artifacts/TARGET`, where
//! libFuzzer puts its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a tool for developers, who see where it fails"
)]

use std::collections::BTreeMap;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use fuzz_targets::{TARGETS, desk};
use nor_sim::Noise;

/// Bytes of the longest random input.
const MAX_LEN_BYTES: u64 = 512;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().expect("the name of a target");
    let number = |key: &str, default: u64| {
        let at = args.iter().position(|arg| arg == key);
        at.map_or(default, |at| args[at + 1].parse().expect("a number"))
    };
    if let Some(path) = args.iter().position(|arg| arg == "--input").map(|at| &args[at + 1]) {
        let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
        return (target.run)(&fs::read(path).unwrap());
    }
    let until = Instant::now() + Duration::from_secs(60 * number("--minutes", 1));
    let mut noise = Noise::new(number("--seed", 1));
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let kept = kept(&fuzz.join("corpus").join(name));
    let (mut cases, mut failed) = (0u64, 0u64);
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    while Instant::now() < until {
        let input = input(&mut noise, &kept);
        let ended = catch_unwind(|| {
            if target.name == "verdicts" {
                return format!("{:?}", desk::verdict(&input));
            }
            (target.run)(&input);
            "passed".to_owned()
        });
        cases += 1;
        let kind = ended.unwrap_or_else(|_| {
            failed += 1;
            let dir = fuzz.join("artifacts").join(name);
            fs::create_dir_all(&dir).unwrap();
            let path = dir.join(format!("long-{failed}"));
            fs::write(&path, &input).unwrap();
            eprintln!("failed: {}", path.display());
            "failed".to_owned()
        });
        *kinds.entry(kind).or_default() += 1;
        if cases.is_power_of_two() {
            eprintln!("{cases} cases: {kinds:?}");
        }
    }
    println!("{name}: {cases} cases: {kinds:?}");
    assert_eq!(failed, 0, "some failed");
}

fn kept(dir: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

fn input(noise: &mut Noise, kept: &[Vec<u8>]) -> Vec<u8> {
    if kept.is_empty() || noise.below(2) == 0 {
        let mut input = vec![0; noise.below(MAX_LEN_BYTES) as usize];
        noise.fill(&mut input);
        return input;
    }
    let mut input = kept[noise.below(kept.len() as u64) as usize].clone();
    for _ in 0..=noise.below(4) {
        if input.is_empty() || noise.below(8) == 0 {
            input.push(noise.next_u64() as u8);
        }
        let at = noise.below(input.len() as u64) as usize;
        input[at] = noise.next_u64() as u8;
    }
    input
}
