//! The Python interpreter that has imgtool, esptool and the NVS partition generator installed.
//!
//! ```no_run
//! let said = conformance::python::imgtool(["verify", "app.bin"]).expect_success().stdout;
//! assert!(said.contains("Image was correctly validated"));
//! ```

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use crate::program::Ran;
use crate::workspace_root;

/// Environment variable that names the interpreter; `cargo xtask test` sets it.
pub const ENV: &str = "BOOTSWAP_PYTHON";
/// Where the interpreter is looked for without the variable, from the workspace's root.
pub const DEFAULT: &str = "target/python/bin/python";

/// The path of the interpreter: the value of [`ENV`], else [`DEFAULT`].
///
/// # Panics
///
/// If there is none, with a message that says how to get it.
#[must_use]
pub fn interpreter() -> PathBuf {
    let path = match std::env::var_os(ENV) {
        Some(path) => PathBuf::from(path),
        None => workspace_root().join(DEFAULT),
    };
    assert!(
        path.is_file(),
        "no Python interpreter at {}: run `cargo xtask test`, which installs one with the tools \
         that these tests compare with, or set {ENV}",
        path.display()
    );
    path
}

/// A command that starts the interpreter, to which a working directory can be added.
#[must_use]
pub fn command() -> Command {
    let mut command = Command::new(interpreter());
    // The output must not depend on terminal and language.
    command.env("PYTHONUTF8", "1").env("NO_COLOR", "1").env("COLUMNS", "200");
    command
}

/// Runs the interpreter with `args`, among them `-c` and a script.
pub fn run<I>(args: I) -> Ran
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    Ran::of(command().args(args))
}

/// Runs an installed module, as `python -m module args...`.
pub fn module<I>(module: &str, args: I) -> Ran
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    Ran::of(command().args(["-m", module]).args(args))
}

/// Runs MCUboot's imgtool.
pub fn imgtool<I>(args: I) -> Ran
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    // The package has no `__main__`, so `-m imgtool` alone does not start it.
    module("imgtool.main", args)
}

/// Runs Espressif's esptool.
pub fn esptool<I>(args: I) -> Ran
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    module("esptool", args)
}

/// Runs Espressif's NVS partition generator.
pub fn nvs_partition_gen<I>(args: I) -> Ran
where
    I: IntoIterator<Item: AsRef<OsStr>>,
{
    module("esp_idf_nvs_partition_gen", args)
}

/// Environment variable that names ESP-IDF's `gen_esp32part.py`.
pub const GEN_ESP32PART_ENV: &str = "BOOTSWAP_GEN_ESP32PART";

/// The path of ESP-IDF's `gen_esp32part.py`, a script for the interpreter: the value of
/// [`GEN_ESP32PART_ENV`], else the one in the ESP-IDF that `IDF_PATH` names.
///
/// `None` if neither is set: the interpreter has the same code then, without its command line, in
/// the package `esp_idf_defs`.
///
/// # Panics
///
/// If one is set and there is no such file.
#[must_use]
pub fn gen_esp32part() -> Option<PathBuf> {
    let named = std::env::var_os(GEN_ESP32PART_ENV).map(PathBuf::from);
    let esp_idf = std::env::var_os("IDF_PATH").map(PathBuf::from);
    let inside = esp_idf.map(|dir| dir.join("components/partition_table/gen_esp32part.py"));
    let path = named.or(inside)?;
    assert!(path.is_file(), "no gen_esp32part.py at {}", path.display());
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_are_installed() {
        assert!(imgtool(["version"]).expect_success().stdout.starts_with("2."));
        assert!(esptool(["version"]).expect_success().stdout.contains("esptool"));
        nvs_partition_gen(["--help"]).expect_success();
    }

    #[test]
    fn a_failing_program_keeps_its_output_and_status() {
        let ran = run(["-c", "import sys; print('out'); sys.exit('err')"]).expect_failure();
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(ran.status.code(), Some(1));
    }
}
