//! What is done in this repository besides building it, as `cargo xtask`.
//!
//! ```text
//! cargo xtask test          all checks that a change has to pass
//! cargo xtask test --long   also the tests that take minutes
//! cargo xtask house         the rules of the house alone, in a second
//! cargo xtask hazards       takes each prevention of a hazard out, and sees its tests fail
//! cargo xtask firmware      the migrator for a chip
//! cargo xtask dist          the folder of a release
//! cargo xtask emulate       the migrator in emulators of ESP32 and ESP32-C3
//! ```
//!
//! Each subcommand is a module. [`python`], [`nginx`], [`tmux`] and [`deny`] install in `target/`
//! what the tests compare with; the summary of [`report`] names what could not be had.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod archive;
mod debian;
mod deny;
mod dist;
mod emulate;
mod firmware;
mod gen_esp32part;
mod hazards;
mod house;
mod licences;
mod nginx;
mod process;
mod python;
mod report;
mod shell_files;
mod signature;
mod standard_library;
mod test;
mod tmux;
mod workspace;

/// Tasks of this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Checks everything: format, rules of the house, lints, licences, documentation, tests
    Test(test::Options),
    /// Checks the rules of the house alone: width of lines, circles of imports, layers of crates
    House,
    /// Takes out what prevents each hazard, one at a time, and sees its tests fail
    Hazards(hazards::Options),
    /// Builds the migrator for a chip, as an app image for any ESP-IDF OTA mechanism
    Firmware(firmware::Options),
    /// Makes the folder of a release: program, prebuilt firmware, completions, man pages,
    /// checksums, licences
    Dist(dist::Options),
    /// Runs the migrator in emulators of ESP32 and ESP32-C3, as far as they are found
    Emulate(emulate::Options),
}

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = firmware::stand_in()? {
        return Ok(code);
    }
    match Arguments::parse().task {
        Task::Test(options) => test::run(&options),
        Task::House => Ok(house::run()),
        Task::Hazards(options) => hazards::run(&options),
        Task::Firmware(options) => firmware::run(&options),
        Task::Emulate(options) => emulate::run(&options),
        Task::Dist(options) => dist::run(&options),
    }
}
