//! Running a program and keeping its output.

use std::process::{Command, ExitStatus};

/// A program that has run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// What it wrote to standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

impl Ran {
    /// Runs `command` without input.
    ///
    /// # Panics
    ///
    /// If the program cannot be started.
    #[must_use]
    pub fn of(command: &mut Command) -> Self {
        let line = format!("{command:?}");
        match command.stdin(std::process::Stdio::null()).output() {
            Ok(output) => Self {
                command: line,
                status: output.status,
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            },
            Err(error) => panic!("cannot start {line}: {error}"),
        }
    }

    /// Whether the program exited with status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// Returns itself if the program exited with status 0.
    ///
    /// # Panics
    ///
    /// If it did not, with everything that it wrote.
    pub fn expect_success(self) -> Self {
        assert!(self.succeeded(), "{self}");
        self
    }

    /// Returns itself if the program exited with another status than 0.
    ///
    /// # Panics
    ///
    /// If it exited with 0, with everything that it wrote.
    pub fn expect_failure(self) -> Self {
        assert!(!self.succeeded(), "did not fail: {self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
