//! Sorts what rustc passes to the linker: IR for LLVM, and the rest for GNU ld.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::pieces::piece;
use crate::process::run;

/// What rustc passes to every ld, and only systems with dynamic linking need.
const DROPPED: [&str; 7] = [
    "--as-needed",
    "-Bstatic",
    "-Bdynamic",
    "--eh-frame-hdr",
    "-znoexecstack",
    "-z",
    "noexecstack",
];
/// Options with a value of their own.
const WITH_VALUE: [&str; 6] = ["-o", "-T", "-L", "-l", "-e", "-u"];

/// The arguments.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// Files of IR.
    pub(super) modules: Vec<PathBuf>,
    /// Everything else, in its order, for ld.
    pub(super) rest: Vec<String>,
    /// Directories with libraries and linker scripts.
    pub(super) folders: Vec<PathBuf>,
}

impl Arguments {
    /// Sorts them. Libraries are unpacked into `folder`, since they may contain both.
    ///
    /// # Errors
    ///
    /// If a library cannot be unpacked.
    pub(super) fn sorted(arguments: Vec<String>, folder: &Path) -> Result<Self> {
        let mut sorted = Self::default();
        let mut arguments = arguments.into_iter().enumerate();
        while let Some((number, argument)) = arguments.next() {
            let path = Path::new(&argument);
            if WITH_VALUE.contains(&argument.as_str()) {
                let value = arguments.next().context("an option has no value")?.1;
                if argument == "-L" {
                    sorted.folders.push(value.clone().into());
                }
                sorted.rest.extend([argument, value]);
            } else if argument.ends_with(".rlib") && path.is_file() {
                sorted.unpack(path, &folder.join(number.to_string()))?;
            } else if argument.ends_with(".o") && path.is_file() && is_ir(path)? {
                sorted.modules.push(path.to_owned());
            } else if !DROPPED.contains(&argument.as_str())
                && !argument.starts_with("-plugin")
                && !argument.starts_with("--plugin")
            {
                if let Some(folder) = argument.strip_prefix("-L") {
                    sorted.folders.push(folder.into());
                }
                sorted.rest.push(argument);
            }
        }
        Ok(sorted)
    }

    fn unpack(&mut self, library: &Path, into: &Path) -> Result<()> {
        fs::create_dir_all(into)?;
        run(Command::new(piece("llvm-ar-23")?).arg("x").arg("--output").arg(into).arg(library))?;
        let mut native = Vec::new();
        let entries = fs::read_dir(into)?.collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let ends = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
            if ends("rmeta") {
                continue;
            }
            if is_ir(&path)? {
                self.modules.push(path);
            } else if ends("o") || ends("obj") {
                native.push(path);
            }
        }
        if !native.is_empty() {
            let library = into.join("native.a");
            run(Command::new(piece("llvm-ar-23")?).arg("crs").arg(&library).args(native))?;
            self.rest.push(library.display().to_string());
        }
        Ok(())
    }
}

/// The file to be made.
///
/// # Errors
///
/// If none is named.
pub(super) fn out(arguments: &[String]) -> Result<PathBuf> {
    let at = arguments.iter().position(|argument| argument == "-o").context("no -o")?;
    arguments.get(at + 1).map(PathBuf::from).context("no file after -o")
}

/// Whether a file is LLVM IR: bitcode, bitcode in a wrapper, or text.
fn is_ir(path: &Path) -> Result<bool> {
    let mut magic = [0; 4];
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let begins = file.read_exact(&mut magic).is_ok();
    Ok(begins && (matches!(&magic, b"BC\xc0\xde" | b"\xde\xc0\x17\x0b" | b"; Mo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_for_other_systems_are_left_out() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let given = "-znoexecstack -L one -Ltwo -Tlinkall.x -plugin-opt=O2 -z noexecstack -o elf";
        let sorted = Arguments::sorted(words(given), Path::new("/nowhere")).unwrap();
        assert_eq!(sorted.rest, words("-L one -Ltwo -Tlinkall.x -o elf"));
        assert_eq!(sorted.folders, [Path::new("one"), Path::new("two")]);
        assert_eq!(out(&words(given)).unwrap(), Path::new("elf"));
        assert!(out(&words("-L one")).is_err());
    }
}
