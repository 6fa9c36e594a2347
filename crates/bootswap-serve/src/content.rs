//! What is served: files of a directory or from memory, each with its entity tag.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;
use std::{fs, io};

use sha2::{Digest, Sha256};

/// What a server serves.
#[derive(Clone, Debug)]
pub enum Files {
    /// The files of a directory and of those inside it, read when they are asked for.
    ///
    /// A file is read again when its length or its time of modification changes.
    Dir(PathBuf),
    /// Files by their path, which begins with a slash or is taken as if it did.
    Memory(BTreeMap<String, File>),
}

impl Files {
    /// Files in memory, by path.
    ///
    /// Clones share the bytes, so that many servers may serve the same files.
    pub fn memory<P, F>(files: impl IntoIterator<Item = (P, F)>) -> Self
    where
        P: Into<String>,
        F: Into<File>,
    {
        Self::Memory(files.into_iter().map(|(path, file)| (path.into(), file.into())).collect())
    }
}

/// A file in memory. Clones share its bytes.
#[derive(Clone, Debug)]
pub struct File {
    bytes: Arc<[u8]>,
    etag: Arc<OnceLock<String>>,
    modified: SystemTime,
}

impl File {
    /// The file of these bytes that was last modified at that time.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>, modified: SystemTime) -> Self {
        Self { bytes: bytes.into(), etag: Arc::default(), modified }
    }

    pub(crate) const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    pub(crate) const fn modified(&self) -> SystemTime {
        self.modified
    }

    /// The strong entity tag: the first half of the SHA-256 over the bytes, in quotes.
    ///
    /// Computed when it is first asked for.
    pub(crate) fn etag(&self) -> &str {
        self.etag.get_or_init(|| format!("\"{:.32x}\"", Sha256::digest(&self.bytes)))
    }
}

impl<B: Into<Arc<[u8]>>> From<B> for File {
    /// The file of these bytes, modified now.
    fn from(bytes: B) -> Self {
        Self::new(bytes, SystemTime::now())
    }
}

/// Files as a server holds them.
#[derive(Debug)]
pub(crate) enum Store {
    Dir { root: PathBuf, read: HashMap<PathBuf, File> },
    Memory(BTreeMap<String, File>),
}

impl Store {
    /// Opens the content; fails if its directory is not there.
    pub(crate) fn open(content: Files) -> io::Result<Self> {
        match content {
            Files::Memory(files) => Ok(Self::Memory(
                files.into_iter().map(|(path, file)| (with_slash(&path), file)).collect(),
            )),
            Files::Dir(path) => {
                let root = path.canonicalize().map_err(|error| at(&path, &error))?;
                if !root.is_dir() {
                    return Err(at(&path, &io::Error::from(io::ErrorKind::NotADirectory)));
                }
                Ok(Self::Dir { root, read: HashMap::new() })
            }
        }
    }

    /// The file at a decoded path that begins with a slash; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Where a file is there and cannot be read.
    pub(crate) fn find(&mut self, path: &str) -> io::Result<Option<File>> {
        match self {
            Self::Memory(files) => Ok(files.get(path).cloned()),
            Self::Dir { root, read } => match inside(root, path) {
                Some(path) => read_changed(&path, read).map(Some),
                None => Ok(None),
            },
        }
    }

    /// The paths of the files there are, sorted, the first [`LISTED_FILES`] of them.
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::Memory(files) => files.keys().take(LISTED_FILES).cloned().collect(),
            Self::Dir { root, .. } => {
                let mut paths = Vec::new();
                list_dir(root, "/", &mut paths);
                paths.sort();
                paths
            }
        }
    }
}

/// The most files that a list names: enough for every lab, little enough for a terminal.
const LISTED_FILES: usize = 200;

fn with_slash(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The file under `root` that a request's path names, if it is there and really under `root`.
fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.strip_prefix('/')?);
    // Everything but a plain name could lead out: "..", a root, a drive.
    if !relative.components().all(|component| matches!(component, Component::Normal(_))) {
        return None;
    }
    // A symbolic link could too, so the place that counts is the one that the links lead to.
    let file = root.join(relative).canonicalize().ok()?;
    (file.starts_with(root) && file.is_file()).then_some(file)
}

fn read_changed(path: &Path, read: &mut HashMap<PathBuf, File>) -> io::Result<File> {
    let metadata = fs::metadata(path)?;
    let modified = metadata.modified()?;
    if let Some(file) = read.get(path)
        && file.modified == modified
        && file.bytes.len() as u64 == metadata.len()
    {
        return Ok(file.clone());
    }
    let file = File::new(fs::read(path)?, modified);
    read.insert(path.to_path_buf(), file.clone());
    Ok(file)
}

fn list_dir(dir: &Path, prefix: &str, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if paths.len() >= LISTED_FILES {
            return;
        }
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // The type of the entry itself: a link to a directory could lead round in circles.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => list_dir(&entry.path(), &format!("{path}/"), paths),
            Ok(kind) if kind.is_file() => paths.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_the_directory_is_found() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("www");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        fs::write(root.join("sub/file"), "f").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(outer.path().join("secret"), root.join("link")).unwrap();
        let mut store = Store::open(Files::Dir(root)).unwrap();
        for path in [
            "/../secret",
            "/sub/../../secret",
            "//etc/passwd",
            "/link",
            "/sub",
            "/",
            "",
            "secret",
            "/sub/file/x",
            "/sub/\0",
        ] {
            assert!(store.find(path).unwrap().is_none(), "{path}");
        }
        assert_eq!(&store.find("/sub/file").unwrap().unwrap().bytes()[..], b"f");
        assert_eq!(store.list(), ["/sub/file"]);
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        let mut store = Store::open(Files::Dir(dir.path().to_path_buf())).unwrap();
        let first = store.find("/a").unwrap().unwrap();
        assert!(Arc::ptr_eq(&first.bytes, &store.find("/a").unwrap().unwrap().bytes));
        fs::write(dir.path().join("a"), "longer").unwrap();
        let second = store.find("/a").unwrap().unwrap();
        assert_eq!(&second.bytes[..], b"longer");
        assert_ne!(first.etag(), second.etag());
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = Store::open(Files::Dir("/no/such/directory".into())).unwrap_err();
        assert!(error.to_string().contains("/no/such/directory"));
    }

    #[test]
    fn files_in_memory_need_no_slash() {
        let mut store = Store::open(Files::memory([("a", "1"), ("/b", "2")].map(owned))).unwrap();
        assert_eq!(store.list(), ["/a", "/b"]);
        assert!(store.find("/a").unwrap().is_some() && store.find("/b").unwrap().is_some());
    }

    fn owned((path, text): (&str, &str)) -> (String, Vec<u8>) {
        (path.to_owned(), text.into())
    }

    #[test]
    fn the_entity_tag_is_the_digest() {
        let file = File::from(b"abc".to_vec());
        assert_eq!(file.etag(), "\"ba7816bf8f01cfea414140de5dae2223\"");
    }
}
