//! Reading the files that a command is given.

use std::path::Path;

use crate::error::Failure;

/// All bytes of a file.
///
/// # Errors
///
/// [`Failure::Input`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    bootswap_migration::input::bytes(path).map_err(|error| Failure::file("read", path, &error))
}
