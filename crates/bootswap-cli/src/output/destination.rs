//! Where a command may write a file: never over an input, and over another existing file only with
//! `--force`.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::whole::{self, Existing};
use crate::error::CommandError;
use crate::input::Inputs;

/// `--force`: whether files that exist already are replaced.
///
/// An input file is never replaced.
#[derive(clap::Args, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Force {
    /// Replace files that exist already; never those that are read
    #[arg(long)]
    pub force: bool,
}

/// A checked destination of a file. It is checked before the work that makes the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    path: PathBuf,
    existing: Existing,
}

impl Destination {
    /// The destination at this path, for a command that has read those files.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`] if the file is one of the inputs, whatever its name, if it exists
    /// and may not be replaced, or if no file can be created there.
    pub fn new(path: &Path, inputs: &Inputs, force: Force) -> Result<Self, CommandError> {
        let is_new = match fs::symlink_metadata(path) {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(failed(path, &error)),
        };
        if is_new {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
            if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
                let why = format!("there is no directory {}", dir.display());
                return Err(refused(path, &why, "make it, or name a file elsewhere"));
            }
            return Ok(Self { path: path.to_owned(), existing: Existing::Keep });
        }
        let found = fs::metadata(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                refused(path, "it is a link to a file that does not exist", "remove the link")
            }
            _ => failed(path, &error),
        })?;
        if found.is_dir() {
            return Err(refused(path, "it is a directory", "name a file"));
        }
        if let Some(input) = inputs.same_as(path) {
            let what = format!("it is an input of this command, {}", input.display());
            return Err(refused(path, &what, "name another file to write to"));
        }
        // Nothing is lost if it is not a file, such as a pipe or /dev/null.
        if found.is_file() && !force.force {
            return Err(refused(
                path,
                "it exists already",
                "name another file, or add --force to replace it",
            ));
        }
        Ok(Self { path: path.to_owned(), existing: Existing::Replace })
    }

    /// Writes the file there: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`] if it cannot be written; an existing file is unchanged then.
    pub fn write(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let written = whole::write(&self.path, bytes, self.existing);
        written.map_err(|error| failed(&self.path, &error))
    }

    /// The path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

fn refused(path: &Path, why: &str, help: &str) -> CommandError {
    CommandError::input(
        format_args!("{} is not written: {why}", path.display()),
        format_args!("{help}; nothing was written"),
    )
}

fn failed(path: &Path, error: &io::Error) -> CommandError {
    let help = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room, or name a file elsewhere"
        }
        ErrorKind::AlreadyExists => "it was created meanwhile; name another file",
        _ => bootswap_migration::input::help(error),
    };
    let what = format_args!("cannot write {}: {error}", path.display());
    let left = match fs::symlink_metadata(path) {
        Ok(_) => "the existing file is unchanged",
        Err(_) => "nothing was written",
    };
    CommandError::input(what, format_args!("{help}; {left}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORCE: Force = Force { force: true };

    fn error(result: Result<Destination, CommandError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn an_input_is_no_destination_under_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("dump.bin");
        fs::write(&input, "device").unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        let mut inputs = Inputs::default();
        inputs.read(&input).unwrap();
        let mut names =
            vec![input.clone(), dir.path().join("./dump.bin"), dir.path().join("sub/../dump.bin")];
        names.push(dir.path().join("hard"));
        fs::hard_link(&input, dir.path().join("hard")).unwrap();
        #[cfg(unix)]
        {
            names.push(dir.path().join("soft"));
            std::os::unix::fs::symlink("dump.bin", dir.path().join("soft")).unwrap();
        }
        for name in names {
            let error = error(Destination::new(&name, &inputs, FORCE));
            assert!(error.contains("it is an input of this command"), "{error}");
        }
        assert_eq!(fs::read(&input).unwrap(), b"device");
    }

    #[test]
    fn other_files_are_replaced_only_if_that_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("old");
        fs::write(&path, "old").unwrap();
        let inputs = Inputs::default();
        let refused = error(Destination::new(&path, &inputs, Force::default()));
        assert!(refused.contains("old is not written: it exists already"), "{refused}");
        Destination::new(&path, &inputs, FORCE).unwrap().write(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let refused = error(Destination::new(dir.path(), &inputs, FORCE));
        assert!(refused.contains("it is a directory"), "{refused}");
    }

    #[test]
    fn a_file_that_somebody_makes_meanwhile_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let place = Destination::new(&path, &Inputs::default(), Force::default()).unwrap();
        fs::write(&path, "theirs").unwrap();
        let error = place.write(b"ours").unwrap_err().to_string();
        assert!(error.contains("cannot write"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Told before the work, and by the name that the user gave.
    #[test]
    fn a_file_in_no_directory_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none/file.bin");
        let refused = error(Destination::new(&path, &Inputs::default(), FORCE));
        let part = format!("there is no directory {}", dir.path().join("none").display());
        assert!(refused.contains("none/file.bin is not written: ") && refused.contains(&part));
        // One that vanishes meanwhile.
        fs::create_dir(dir.path().join("none")).unwrap();
        let place = Destination::new(&path, &Inputs::default(), FORCE).unwrap();
        fs::remove_dir(dir.path().join("none")).unwrap();
        let error = place.write(b"x").unwrap_err();
        let (message, help) = (error.to_string(), error.report().help().unwrap().to_string());
        assert!(message.contains("cannot write ") && !message.contains(".part"), "{message}");
        assert_eq!(help, "check the path; nothing was written");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_stays_one() {
        use std::os::unix::fs::FileTypeExt;
        let null = Path::new("/dev/null");
        let place = Destination::new(null, &Inputs::default(), Force::default()).unwrap();
        place.write(b"nothing").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }
}
