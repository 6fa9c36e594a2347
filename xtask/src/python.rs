//! The Python interpreter with the tools that the conformance tests compare with.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::debian;
use crate::process::{command, find, output, retry, works};
use crate::workspace;

/// What is installed, and in which versions.
const REQUIREMENTS: &str = include_str!("../python-requirements.txt");

/// Sets up the interpreter in `target/python` unless it is there already, and returns its path.
///
/// # Errors
///
/// If there is no Python, or if the packages cannot be fetched.
pub(crate) fn set_up() -> Result<PathBuf> {
    let environment = workspace::target("python")?;
    let python = environment.join("bin/python");
    let stamp = environment.join("requirements.txt");
    if works(&mut command(&python, &["-c", ""]))
        && fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS)
    {
        return Ok(python);
    }
    if environment.exists() {
        fs::remove_dir_all(&environment).with_context(|| environment.display().to_string())?;
    }
    let system = find("python3").context("there is no python3 on this machine")?;
    let pip = create(&system, &environment)?;
    let requirements = workspace::root()?.join("xtask/python-requirements.txt");
    retry(|| {
        let mut install = command(&python, &[]);
        install.arg(&pip).args(["install", "--quiet", "--requirement"]).arg(&requirements);
        output(install.env("PIP_DISABLE_PIP_VERSION_CHECK", "1"))
    })?;
    fs::write(&stamp, REQUIREMENTS).with_context(|| stamp.display().to_string())?;
    Ok(python)
}

/// Creates the virtual environment; returns the path of pip, for the interpreter to run.
fn create(system: &Path, environment: &Path) -> Result<PathBuf> {
    let with_pip = output(command(system, &["-m", "venv"]).arg(environment));
    let Err(error) = with_pip else {
        return Ok(environment.join("bin/pip"));
    };
    eprintln!("{error:#}\nthis Python comes without pip, so pip is taken from its Debian package");
    output(command(system, &["-m", "venv", "--clear", "--without-pip"]).arg(environment))?;
    let unpacked = environment.join("pip-package");
    debian::unpack(&["python3-pip-whl"], &unpacked)?;
    let wheels = unpacked.join("usr/share/python-wheels");
    let wheel = fs::read_dir(&wheels)
        .with_context(|| wheels.display().to_string())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-"))
        })
        .context("there is no wheel in the package of pip")?;
    // A wheel is an archive, and Python can run a package inside an archive.
    Ok(wheel.join("pip"))
}
