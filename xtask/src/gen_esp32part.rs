//! ESP-IDF's `gen_esp32part.py`, which partition tables are compared with.
//!
//! It comes with ESP-IDF and cannot be installed by itself; the package esp-idf-defs has its code
//! without the command line. Where there is no ESP-IDF, tables are compared with the package.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What the names of the tests that need it have in common.
pub(crate) const MARK: &str = "gen_esp32part";
/// Environment variable that names it.
const VARIABLE: &str = "BOOTSWAP_GEN_ESP32PART";
/// Where it is in ESP-IDF.
const INSIDE: &str = "components/partition_table/gen_esp32part.py";
/// The version of ESP-IDF 6: earlier ones know less of partition tables.
const LEAST: (u32, u32) = (1, 5);

/// What partition tables are compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tool {
    /// The script of an ESP-IDF.
    Script(PathBuf),
    /// Its code in a package, which the interpreter of the other tests has.
    Package,
}

/// Gives the script that is named, or that in the ESP-IDF of `IDF_PATH`, else the package.
///
/// # Errors
///
/// If a script that is named is not there, or is older than that of ESP-IDF 6.
pub(crate) fn find() -> Result<Tool> {
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    let inside = env::var_os("IDF_PATH").map(|dir| PathBuf::from(dir).join(INSIDE));
    let Some(path) = named.or(inside) else { return Ok(Tool::Package) };
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    if version(&text).is_none_or(|version| version < LEAST) {
        bail!("{} is older than that of ESP-IDF 6", path.display());
    }
    Ok(Tool::Script(path))
}

fn version(script: &str) -> Option<(u32, u32)> {
    let line = script.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    let (major, minor) = line.trim_matches(['\'', '"']).split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found() {
        assert_eq!(version("import sys\n__version__ = '1.5'\n"), Some(LEAST));
        assert_eq!(version("__version__ = \"1.10\"\n"), Some((1, 10)));
        assert_eq!(version("import sys\n"), None);
    }
}
