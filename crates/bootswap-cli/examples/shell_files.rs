//! Writes shell completions and man pages, made from the program's own command line.
//!
//! ```text
//!   DIR/completions/   bootswap.bash  _bootswap (zsh)  bootswap.fish  _bootswap.ps1  bootswap.elv
//!   DIR/man/man1/      bootswap.1, bootswap-plan.1, ... : a page for each command
//! ```
//!
//! `cargo xtask dist` puts them into a release. By hand:
//! `cargo run --package bootswap-cli --example shell_files -- DIR`.

use std::io;
use std::path::Path;

use bootswap_cli::args::Cli;
use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;

const NAME: &str = "bootswap";

fn main() -> io::Result<()> {
    let wrong = "expected one argument: the directory to write to";
    let mut args = std::env::args_os().skip(1);
    match (args.next(), args.next()) {
        (Some(dir), None) => write(Path::new(&dir)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, wrong)),
    }
}

fn write(dir: &Path) -> io::Result<()> {
    let (completions, man) = (dir.join("completions"), dir.join("man/man1"));
    std::fs::create_dir_all(&completions)?;
    std::fs::create_dir_all(&man)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), NAME, &completions)?;
    }
    clap_mangen::generate_to(Cli::command(), man)
}
