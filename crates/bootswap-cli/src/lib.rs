//! The program `bootswap`, as a library: what its commands do, without its `main`.
//!
//! ```text
//!   args ──> plan, config, pack, image ──> bootswap-migration ──> bootswap-plan, formats
//!        ├─> demo, simulate (sweep) ─────> bootswap-sim
//!        └─> serve ──────────────────────> bootswap-serve
//! ```
//!
//! Each command is a function from its validated arguments to a [`Verdict`] or a [`CommandError`]:
//! data goes to stdout, everything else to stderr, and only `main` ends the process. Start reading
//! at [`run`].

// A closed pipe is no reason to panic: `output` writes to both.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod args;
pub mod config;
mod delivery;
mod demo;
pub mod error;
pub mod image;
pub mod input;
mod interrupt;
mod monitor;
pub mod output;
pub mod pack;
pub mod plan;
pub mod serve;
mod simulate;
mod simulation;
mod sweep;

pub use error::{CommandError, Verdict};

use args::Command;

/// Runs a command.
///
/// # Errors
///
/// The command's [`CommandError`].
pub fn run(command: &Command) -> Result<Verdict, CommandError> {
    match command {
        Command::Demo(args) => demo::command(args),
        Command::Plan(args) => plan::command(args),
        Command::Config(args) => config::command(args),
        Command::Simulate(args) => simulate::command(args),
        Command::Image(command) => image::command(command),
        Command::Pack(args) => pack::command(args),
        Command::Serve(args) => serve::command(args),
    }
}
