//! The program `bootswap`; its commands are in the library of the same package.

use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use bootswap_cli::args::Cli;
use bootswap_cli::output::note;
use bootswap_cli::run;
use clap::Parser;
use miette::{MietteHandlerOpts, set_hook};

fn main() -> ExitCode {
    // Usage errors end here, with the status 2 that they have everywhere.
    let cli = Cli::parse();
    // Scripts need a message in one line; for people it is wrapped to the terminal.
    let wrap_lines = stderr().is_terminal();
    let handler = move |_: &_| -> Box<dyn miette::ReportHandler> {
        Box::new(MietteHandlerOpts::new().wrap_lines(wrap_lines).build())
    };
    // Fails only if there is a hook already.
    let _ = set_hook(Box::new(handler));
    match run(&cli.command) {
        Ok(verdict) => verdict.into(),
        Err(failure) => {
            note(format_args!("{:?}", failure.report()));
            ExitCode::from(&failure)
        }
    }
}
