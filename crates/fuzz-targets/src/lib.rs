//! The fuzz targets: functions over any bytes that panic if something is wrong.
//!
//! ```text
//!   fuzz/fuzz_targets/NAME.rs (libFuzzer) --.
//!                                            >-- NAME(&[u8])
//!   tests/corpus.rs (stable, in CI) --------'
//!         fuzz/corpus/NAME/*, fuzz/regressions/NAME/*
//! ```
//!
//! Each target is a function over bytes that returns, or fails an assertion. None asserts only that
//! nothing panics: each compares the result with a second opinion that shares nothing with the code
//! under test, or with the input.
//!
//! A target reads its format from the bytes if they have a chance of getting past checksums;
//! otherwise the bytes choose what is built, damaged, cut off and asked for.
#![expect(clippy::expect_used, clippy::panic, reason = "that is how a target fails")]

pub mod cli;
pub mod config;
pub mod container;
mod cut;
pub mod desk;
pub mod engine;
pub mod esp_idf;
pub mod http_client;
pub mod mcuboot;
pub mod planner;
pub mod serve;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct FuzzTarget {
    /// Its name: that of the fuzzing program and of the directories with its inputs.
    pub name: &'static str,
    /// Runs one input; panics if something is wrong.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// All targets.
        pub const TARGETS: &[FuzzTarget] =
            &[$(FuzzTarget { name: stringify!($name), run: $module::$name }),*];
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
    mcuboot::mcuboot_bootloader,
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
    desk::verdicts,
}

/// Random bytes, none of which is that of erased flash.
fn noise(seed: u64, len_bytes: u32) -> Vec<u8> {
    let mut noise = nor_sim::Noise::new(seed);
    (0..len_bytes).map(|_| noise.next_u64() as u8 & 0x7f).collect()
}
