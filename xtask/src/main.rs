//! What has to be done in this repository besides building it, as `cargo xtask`.
//!
//! ```text
//! cargo xtask test          everything that has to hold before a change is merged
//! cargo xtask test --long   the tests that take minutes, too
//! cargo xtask firmware      the migrator for a chip
//! cargo xtask dist          the folder of a release
//! cargo xtask emulate       the migrator in an emulator of the ESP32-C3
//! ```
//!
//! Each subcommand is a module. What the tests compare with is brought into `target/` by
//! [`python`], [`nginx`], [`tmux`] and [`deny`]; what cannot be had is named in the summary of [`report`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod debian;
mod deny;
mod dist;
mod emulate;
mod firmware;
mod licences;
mod nginx;
mod process;
mod python;
mod report;
mod standard_library;
mod test;
mod tmux;
mod workspace;

/// What has to be done in this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Checks everything: format, lints, licences, documentation, tests
    Test(test::Options),
    /// Builds the migrator for a chip, as an app image for any ESP-IDF OTA mechanism
    Firmware(firmware::Options),
    /// Makes the folder of a release: command line, prebuilt firmware, checksums, licences
    Dist(dist::Options),
    /// Runs the migrator in an emulator of the ESP32-C3, where one is found
    Emulate(emulate::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::Firmware(options) => firmware::run(&options),
        Task::Emulate(options) => emulate::run(&options),
        Task::Dist(options) => dist::run(&options),
    }
}
