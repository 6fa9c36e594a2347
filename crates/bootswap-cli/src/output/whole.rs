//! A file that is written as a whole or not at all.
//!
//! ```text
//!   create NAME.XXXXXX.part beside it ─> write ─> sync ─> rename ─> sync the directory
//!     error, full disk, Ctrl-C, SIGTERM: the part is removed, the old file is as it was
//! ```
//!
//! A temporary file is left behind only if the process is killed or the machine loses power.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::interrupt;

/// What to do with a file that exists already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// It stays, and writing fails.
    Keep,
    /// It is replaced, and its permissions are kept.
    Replace,
}

/// Writes the file at that path.
///
/// If the path is a link, its target is replaced; if it is not a file, such as a pipe, it is
/// written to.
///
/// # Errors
///
/// That of the file system; an existing file is unchanged then.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|old| !old.is_file() && !old.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    // Fails if there is no file yet; then there is no link to follow.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The usual permissions of a new file; the system applies the umask.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // A signal between the two lines leaves an empty temporary file.
    let mut part = builder.tempfile_in(dir).map_err(|error| of_system(&error))?;
    let _removed = interrupt::remove_on_signal(part.path());
    part.write_all(bytes)?;
    if let Some(old) = old {
        part.as_file().set_permissions(old.permissions())?;
    }
    part.as_file().sync_all()?;
    let done = match existing {
        Existing::Keep => part.persist_noclobber(path),
        Existing::Replace => part.persist(path),
    };
    done.map_err(|error| error.error)?;
    // The file is complete; it is not an error if its name does not survive a loss of power.
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(())
}

/// The error without the name of the part, which is none of the user's.
fn of_system(error: &io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|error| error.source()?.downcast_ref::<io::Error>());
    let code = inner.unwrap_or(error).raw_os_error();
    code.map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let error = write(&path, b"new", Existing::Keep).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(write(&dir.path().join("none/a"), b"new", Existing::Keep).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no part is left");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay_as_they_are() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a"), dir.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a", &link).unwrap();
        write(&link, b"new", Existing::Replace).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
