//! Reads the files that a command is given.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most bytes of a file: twice the largest flash that partition tables and bootloader headers
/// support (128 MB). It stops reading from endless devices and pipes.
const MAX_LEN_BYTES: u64 = 256 * 1024 * 1024;

/// All bytes of a file.
///
/// # Errors
///
/// Those of opening and reading it; [`io::ErrorKind::FileTooLarge`] for more than any flash holds.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_LEN_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_LEN_BYTES {
        let why = format!(
            "it has more than {} MB, which no flash of these chips has",
            MAX_LEN_BYTES >> 20
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// What to do about a file that could not be read or written.
#[must_use]
pub fn help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::IsADirectory => "name a file; that is a directory",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "check the path",
        io::ErrorKind::PermissionDenied => "check the permissions of the file and its directory",
        io::ErrorKind::FileTooLarge => "name the right file",
        _ => "check the path and its permissions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_an_error() {
        let endless = Path::new("/dev/zero");
        if endless.exists() {
            let error = bytes(endless).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(error.to_string().contains("256 MB"), "{error}");
        }
    }

    #[test]
    fn a_file_is_read_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"all of it").unwrap();
        assert_eq!(bytes(file.path()).unwrap(), b"all of it");
        let missing = file.path().with_extension("missing");
        assert_eq!(bytes(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
