//! How a command ends: the exit statuses that scripts rely on, and the error messages.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use bootswap_migration::LoadError;
use bootswap_migration::facts::FactsError;
use miette::{Diagnostic, MietteDiagnostic, Report};

/// The result of a command that ran to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Done, or it would be safe: exit status 0.
    Safe,
    /// It would not be safe, or a verification failed, and the command has printed why: exit status
    /// 1.
    Unsafe,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Safe => Self::SUCCESS,
            Verdict::Unsafe => Self::from(1),
        }
    }
}

/// Why a command could not run to its end.
///
/// The report names the file, the field and the offset if there are any, and what to do.
#[derive(Debug)]
pub enum CommandError {
    /// Something failed its verification or is unsafe: exit status 1.
    Unsafe(Report),
    /// The input or the environment is wrong: exit status 2.
    Input(Report),
}

impl CommandError {
    /// A verification failed: `message` says what, `help` what to do.
    pub fn unsafe_because(message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self::Unsafe(report(&message, &help))
    }

    /// The input is wrong: `message` says what, `help` what to do.
    pub fn input(message: impl fmt::Display, help: impl fmt::Display) -> Self {
        Self::Input(report(&message, &help))
    }

    /// Wraps a diagnostic about the input.
    pub fn diagnostic(diagnostic: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self::Input(Report::new(diagnostic))
    }

    /// A file could not be read or written; `doing` is the verb, such as `read`.
    pub fn file(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::input(
            format_args!("cannot {doing} {}: {error}", path.display()),
            bootswap_migration::input::help(error),
        )
    }

    /// The facts of a device could not be read from its dump.
    #[must_use]
    pub fn of_dump(path: &Path, error: &FactsError) -> Self {
        Self::input(format_args!("{}: {error}", path.display()), error.help())
    }

    /// The report to show.
    #[must_use]
    pub const fn report(&self) -> &Report {
        match self {
            Self::Unsafe(report) | Self::Input(report) => report,
        }
    }

    /// The exit status.
    #[must_use]
    pub const fn status(&self) -> u8 {
        match self {
            Self::Unsafe(_) => 1,
            Self::Input(_) => 2,
        }
    }
}

impl From<LoadError> for CommandError {
    fn from(error: LoadError) -> Self {
        if error.is_unsafe() {
            Self::Unsafe(Report::new(error))
        } else {
            Self::Input(Report::new(error))
        }
    }
}

impl From<&CommandError> for ExitCode {
    fn from(failure: &CommandError) -> Self {
        Self::from(failure.status())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.report(), f)
    }
}

fn report(message: &dyn fmt::Display, help: &dyn fmt::Display) -> Report {
    MietteDiagnostic::new(message.to_string()).with_help(help.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dump without facts is bad input: status 2, with the file, the cause and what to do.
    #[test]
    fn a_dump_without_facts_is_bad_input() {
        let error = FactsError::Length { len_bytes: 3 };
        let failure = CommandError::of_dump(Path::new("dump.bin"), &error);
        assert!(matches!(failure, CommandError::Input(_)));
        assert_eq!(failure.status(), 2);
        assert_eq!(failure.to_string(), format!("dump.bin: {error}"));
        let help = failure.report().help().map(|help| help.to_string());
        assert_eq!(help, Some(error.help()));
    }
}
