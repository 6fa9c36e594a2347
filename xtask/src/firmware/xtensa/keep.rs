//! Which symbols have to stay visible when everything else becomes internal to the program.
//!
//! A linker knows them exactly and tells its plugin, but LLVM has no plugin for this linker. So
//! these symbols stay visible: every word in module-level assembly and in linker scripts, every
//! symbol that the radio's libraries leave undefined, and all of `compiler_builtins`, which llc
//! refers to only when it generates code.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::arguments::Arguments;
use super::narrow::split;
use super::pieces::piece;
use crate::process::{command, output};

/// What the runtime and the compiler refer to by these names.
const ALWAYS: [&str; 3] = ["main", "Reset", "rust_begin_unwind"];

/// The symbols, one a line.
///
/// # Errors
///
/// If a file cannot be read.
pub(super) fn list(ir: &str, arguments: &Arguments) -> Result<String> {
    let mut keep: BTreeSet<String> = ALWAYS.map(str::to_owned).into();
    keep.extend(words(&split(ir).1));
    let rest = arguments.rest.iter().map(PathBuf::from);
    let mut native: BTreeSet<PathBuf> =
        rest.filter(|path| is_native(path) && path.is_file()).collect();
    // The toolchain's own libraries refer to none of these symbols.
    let own = |folder: &&PathBuf| !folder.to_string_lossy().contains("/rustlib/");
    for folder in arguments.folders.iter().filter(own) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if is_native(&path) {
                native.insert(path);
            } else if matches!(ending(&path), "x" | "ld") {
                keep.extend(words(&fs::read_to_string(&path)?));
            }
        }
    }
    for path in native {
        // esp-radio has linker scripts that look like libraries.
        let bytes = fs::read(&path)?;
        if let Some(script) = str::from_utf8(&bytes).ok().filter(|_| !is_object(&bytes)) {
            keep.extend(words(script));
            continue;
        }
        let mut names =
            command(piece("llvm-nm-23")?, &["--undefined-only", "--format=just-symbols"]);
        keep.extend(output(names.arg(&path))?.lines().map(str::to_owned));
    }
    let routines = arguments.modules.iter().filter(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains("compiler_builtins"))
    });
    for path in routines {
        keep.extend(fs::read_to_string(path)?.lines().filter_map(defined));
    }
    Ok(keep.into_iter().map(|name| name + "\n").collect())
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(OsStr::to_str).unwrap_or_default()
}

fn is_native(path: &Path) -> bool {
    matches!(ending(path), "a" | "o" | "obj")
}

fn is_object(bytes: &[u8]) -> bool {
    [&b"!<arch>\n"[..], b"\x7fELF"].iter().any(|magic| bytes.starts_with(magic))
}

/// The words that may be symbols.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')))
        .filter(|word| word.starts_with(|c: char| !c.is_ascii_digit()))
        .map(str::to_owned)
}

/// The name of the function that a line of IR defines.
fn defined(line: &str) -> Option<String> {
    let (_, name) = line.strip_prefix("define ")?.split_once('@')?;
    let name = name.split_once('(')?.0;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_assembly_and_definitions_are_symbols() {
        let found: Vec<_> = words("module asm \"  call0 .Lreset_2$x, 0x40\"").collect();
        assert_eq!(found, ["module", "asm", "call0", ".Lreset_2$x"]);
        let line = "define weak i64 @__udivdi3(i64 %a) unnamed_addr #0 {";
        assert_eq!(defined(line).as_deref(), Some("__udivdi3"));
        assert_eq!(defined("define void @\"a.b\"() {").as_deref(), Some("a.b"));
        assert_eq!(defined("declare void @c()"), None);
    }
}
