//! Running other programs.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The cargo that started this program, so that the toolchain stays the same.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.env("CARGO_NET_RETRY", "10");
    cargo
}

/// Runs a program; fails with its command line unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{}: {status}", line(command));
    }
    Ok(())
}

/// Runs a program to its end, shows what it writes to standard output and hands over each line of
/// it; fails as [`run`] does.
pub(crate) fn run_shown(command: &mut Command, mut see: impl FnMut(&str)) -> Result<()> {
    run_lines(command, |line| {
        println!("{line}");
        see(line);
    })
}

/// Runs a program to its end and hands over each line that it writes to standard output; fails as
/// [`run`] does.
pub(crate) fn run_lines(command: &mut Command, mut see: impl FnMut(&str)) -> Result<()> {
    let started = command.stdout(Stdio::piped()).spawn();
    let mut child = started.with_context(|| format!("cannot start {}", line(command)))?;
    let stdout = child.stdout.take().context("the program's output is not there")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        see(&String::from_utf8_lossy(&line));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("{}: {status}", line(command));
    }
    Ok(())
}

/// Runs a program to its end and gives what it wrote to standard output; what it wrote to standard
/// error is part of the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{}: {}: {}", line(command), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command line as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = [name].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program can be run and exits with 0.
pub(crate) fn works(command: &mut Command) -> bool {
    output(command).is_ok()
}

/// Tries something that needs the network up to three times.
pub(crate) fn retry<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    for pause in [Duration::from_secs(2), Duration::from_secs(10)] {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) => eprintln!("{error:#}\ntrying again in {} s", pause.as_secs()),
        }
        sleep(pause);
    }
    attempt()
}

/// The path of a program that the shell would find.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// Whether this process may install packages.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// A program with its arguments.
pub(crate) fn command<S: AsRef<OsStr>>(program: S, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_says_why() {
        let error = output(&mut command("sh", &["-c", "echo no such thing >&2; exit 3"]));
        let text = format!("{:#}", error.unwrap_err());
        assert!(text.contains("no such thing") && text.contains('3'), "{text}");
        let text = format!("{:#}", run(&mut command("/no/such/program", &["-v"])).unwrap_err());
        assert!(text.contains("program -v"), "{text}");
    }

    #[test]
    fn each_line_is_passed_on_and_a_failure_is_reported() {
        let mut lines = Vec::new();
        let ended = run_shown(&mut command("sh", &["-c", "echo one; echo two; exit 3"]), |line| {
            lines.push(line.to_owned());
        });
        assert_eq!(lines, ["one", "two"]);
        assert!(format!("{:#}", ended.unwrap_err()).contains('3'));
    }

    #[test]
    fn what_works_is_not_tried_again() {
        let mut attempts = 0;
        let value = retry(|| {
            attempts += 1;
            Ok(attempts)
        });
        assert_eq!(value.unwrap(), 1);
    }

    #[test]
    fn programs_are_found_as_the_shell_finds_them() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program"), None);
    }
}
