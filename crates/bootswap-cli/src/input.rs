//! Reading the input files of a command.

use std::fs;
use std::path::{Path, PathBuf};

use bootswap_migration::OwnedMigration;

use crate::error::CommandError;

/// The files that a command has read, so that none of them is overwritten.
///
/// A command that writes reads everything through one of these.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Vec<PathBuf>);

impl Inputs {
    /// All bytes of a file.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`].
    pub fn read(&mut self, path: &Path) -> Result<Vec<u8>, CommandError> {
        let bytes = read(path)?;
        self.0.push(path.to_owned());
        Ok(bytes)
    }

    /// A migration, with all files that it names.
    ///
    /// # Errors
    ///
    /// That of [`bootswap_migration::load`].
    pub fn migration(&mut self, path: &Path) -> Result<OwnedMigration, CommandError> {
        let (migration, files) = bootswap_migration::load_with_files(path)?;
        self.0.extend(files);
        Ok(migration)
    }

    /// The input that is the same file as the one at this path, whatever its name.
    pub(crate) fn same_as(&self, path: &Path) -> Option<&Path> {
        // Opening a pipe to compare it would block, and it was already read to its end.
        let is_file = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_file());
        if !is_file(path) {
            return None;
        }
        let mut inputs = self.0.iter().filter(|input| is_file(input));
        inputs
            .find(|input| same_file::is_same_file(input, path).unwrap_or(*input == path))
            .map(PathBuf::as_path)
    }
}

/// All bytes of a file, for a command that writes no file.
///
/// # Errors
///
/// [`CommandError::Input`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    bootswap_migration::input::bytes(path).map_err(|error| CommandError::file("read", path, &error))
}
