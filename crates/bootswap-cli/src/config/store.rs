//! The file: read once, written as a whole, and checked for changes made by others.
//!
//! [`whole`] writes it: at every moment, either the old file or the new one exists.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bootswap_migration::input;

use crate::output::whole::{self, Existing};

/// A file, and its contents when it was last read.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    /// `None` if there was no file.
    known: Option<Vec<u8>>,
}

/// Why a file was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// The file has changed, or was created, since it was last read.
    Changed,
    /// The file cannot be written.
    Write(io::Error),
}

impl Store {
    /// The file at this path, which may be missing.
    ///
    /// # Errors
    ///
    /// That of reading it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let known = read(path)?;
        // If the path is a link, its target is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(Self { path, known })
    }

    /// Its contents when it was last read.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.known.as_deref()
    }

    /// Whether somebody else has changed, created or removed it.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        read(&self.path).is_ok_and(|now| now != self.known)
    }

    /// Reads it again, and returns its contents.
    ///
    /// # Errors
    ///
    /// That of reading it.
    pub fn reload(&mut self) -> io::Result<&[u8]> {
        self.known = Some(input::bytes(&self.path)?);
        Ok(self.known.as_deref().unwrap_or_default())
    }

    /// Replaces it: a file that has changed only if `overwrite` says so, one that somebody else
    /// created never.
    ///
    /// # Errors
    ///
    /// A [`SaveError`]; the file is unchanged.
    pub fn save(&mut self, text: &str, overwrite: bool) -> Result<(), SaveError> {
        let is_new = self.known.is_none();
        if self.has_changed() && (is_new || !overwrite) {
            return Err(SaveError::Changed);
        }
        let existing = if is_new { Existing::Keep } else { Existing::Replace };
        let written = whole::write(&self.path, text.as_bytes(), existing);
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => SaveError::Changed,
            _ => SaveError::Write(error),
        })?;
        self.known = Some(text.as_bytes().to_vec());
        Ok(())
    }
}

/// The contents of a file, `None` if there is none.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match input::bytes(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "old").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let mut store = Store::open(&path).unwrap();
        store.save("new", false).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(!store.has_changed());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "the temporary file is gone");
    }

    #[test]
    fn what_others_wrote_is_not_lost_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        fs::write(&path, "old").unwrap();
        let mut store = Store::open(&path).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(store.has_changed());
        assert!(matches!(store.save("mine", false), Err(SaveError::Changed)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        store.save("mine", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_new_file_never_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.toml");
        let mut store = Store::open(&path).unwrap();
        assert!(store.bytes().is_none() && !store.has_changed());
        fs::write(&path, "theirs").unwrap();
        for overwrite in [false, true] {
            assert!(matches!(store.save("mine", overwrite), Err(SaveError::Changed)));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.toml"), dir.path().join("link.toml"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Store::open(&link).unwrap().save("new", false).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
