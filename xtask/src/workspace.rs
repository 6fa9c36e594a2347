//! Paths in the repository, and its crates.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The directory of the workspace's own `Cargo.toml`.
pub(crate) fn root() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is a folder of the workspace")
}

/// The folders of the workspaces: that of what runs on hosts, those of the firmware and of fuzzing.
pub(crate) const WORKSPACES: [&str; 3] = [".", "firmware", "fuzz"];

/// A place for something that was built or fetched, and may be deleted at any time.
pub(crate) fn target(name: &str) -> Result<PathBuf> {
    Ok(root()?.join("target").join(name))
}

/// The names of the crates that build without the standard library, by the attribute in `lib.rs`.
pub(crate) fn no_std_crates() -> Result<Vec<String>> {
    let crates = root()?.join("crates");
    let mut names = Vec::new();
    for entry in crates.read_dir().with_context(|| crates.display().to_string())? {
        let entry = entry?;
        let library = std::fs::read_to_string(entry.path().join("src/lib.rs")).unwrap_or_default();
        if library.lines().any(|line| line.trim() == "#![no_std]") {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_for_the_device_are_found() {
        let names = no_std_crates().unwrap();
        assert!(names.iter().any(|name| name == "flash-region"), "{names:?}");
        assert!(!names.iter().any(|name| name == "bootswap-serve"), "{names:?}");
    }
}
