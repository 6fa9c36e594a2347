//! What is fuzzed: from arbitrary bytes to a panic where something does not hold.
//!
//! ```text
//!   fuzz/fuzz_targets/NAME.rs (libFuzzer) --.
//!                                            >-- NAME(&[u8])
//!   tests/corpus.rs (stable, in CI) --------'
//!         fuzz/corpus/NAME/*, fuzz/regressions/NAME/*
//! ```
//!
//! Each target is a function over bytes that returns, whatever they are, or fails an assertion. None
//! asserts only that nothing panics: what comes out is held against a second opinion that knows
//! nothing of the code under test, or against what went in.
//!
//! A target takes its format as it is, where that has any chance of getting past checksums; otherwise
//! the bytes say what is to be built, bent, cut and asked.
#![expect(clippy::expect_used, clippy::panic, reason = "that is how a target fails")]

pub mod cli;
pub mod config;
pub mod container;
mod cut;
pub mod engine;
pub mod esp_idf;
pub mod http_client;
pub mod mcuboot;
pub mod planner;
pub mod serve;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of the fuzzing program and of the directories with its inputs.
    pub name: &'static str,
    /// Runs one input; panics where something does not hold.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// All targets.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $module::$name }),*];
    };
}

targets! {
    esp_idf::partition_table,
    esp_idf::partition_csv,
    esp_idf::otadata,
    esp_idf::esp_image,
    mcuboot::mcuboot_header,
    mcuboot::mcuboot_tlvs,
    mcuboot::mcuboot_image,
    mcuboot::mcuboot_trailer,
    mcuboot::mcuboot_keys,
    mcuboot::mcuboot_boot,
    planner::planner,
    container::container,
    config::config_section,
    engine::engine_journal,
    http_client::http_client,
    http_client::http_download,
    serve::serve_faults,
    serve::serve_requests,
    serve::serve_answers,
    cli::migration_toml,
    cli::sweep_case,
    cli::file_info,
}

/// Bytes without a pattern, none of which is that of erased flash.
fn noise(seed: u64, len_bytes: u32) -> Vec<u8> {
    let mut noise = nor_sim::Noise::new(seed);
    (0..len_bytes).map(|_| noise.next_u64() as u8 & 0x7f).collect()
}
