//! Reading the files that a command is given.

use std::path::Path;

use crate::error::CommandError;

/// All bytes of a file.
///
/// # Errors
///
/// [`CommandError::Input`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    bootswap_migration::input::bytes(path).map_err(|error| CommandError::file("read", path, &error))
}
