//! What is served: files of a directory, on disk or in memory, each with its entity tag.
//!
//! ```text
//!   request ──> Store::find ──┬─ Named: the file at exactly that target
//!                             └─ Dir:   under the directory, no dotfile, not withheld
//!                                  v
//!                               Opened ──> answer ──> body: read piece by piece as it is sent
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io};

use sha2::{Digest, Sha256};

use crate::request::Request;

/// What a server serves.
#[derive(Clone, Debug)]
pub enum Files {
    /// The files of a directory and of the directories in it, except those whose name begins with a
    /// dot and those that are withheld.
    Dir {
        /// The directory.
        root: PathBuf,
        /// What else is not given out.
        withheld: Withheld,
    },
    /// Files by path. A path without a slash at its start gets one. It may have a query and
    /// percent-encoded bytes, as in an address.
    Named(BTreeMap<String, File>),
}

impl Files {
    /// Files by path: bytes in memory, or files on disk.
    ///
    /// Clones share the bytes, so that many servers may serve the same files.
    pub fn memory<P, F>(files: impl IntoIterator<Item = (P, F)>) -> Self
    where
        P: Into<String>,
        F: Into<File>,
    {
        Self::Named(files.into_iter().map(|(path, file)| (path.into(), file.into())).collect())
    }

    /// All files of a directory that have no dotfile in their path.
    pub fn dir(root: impl Into<PathBuf>) -> Self {
        Self::Dir { root: root.into(), withheld: Withheld::default() }
    }
}

/// Which files of a directory are not given out, and why.
#[derive(Clone, Default)]
pub struct Withheld(Option<Arc<WhyNot>>);

type WhyNot = dyn Fn(&Path) -> Option<String> + Send + Sync;

impl Withheld {
    /// Withholds the files for which that function returns a reason. It is called again only if the
    /// file's length or time has changed.
    pub fn by(why_not: impl Fn(&Path) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(why_not)))
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Withheld").field(&self.0.is_some()).finish()
    }
}

/// A file, in memory or on disk. Clones share its bytes.
#[derive(Clone, Debug)]
pub struct File(Place);

#[derive(Clone, Debug)]
enum Place {
    Memory { bytes: Arc<[u8]>, etag: Arc<OnceLock<String>>, modified: SystemTime },
    Disk(PathBuf),
}

impl File {
    /// The file of these bytes that was last modified at that time.
    #[must_use]
    pub fn new(bytes: impl Into<Arc<[u8]>>, modified: SystemTime) -> Self {
        Self(Place::Memory { bytes: bytes.into(), etag: Arc::default(), modified })
    }

    /// The file at that path, which is opened when it is requested.
    pub fn on_disk(path: impl Into<PathBuf>) -> Self {
        Self(Place::Disk(path.into()))
    }

    fn open(&self) -> io::Result<Opened> {
        match &self.0 {
            Place::Memory { bytes, etag, modified } => {
                // The first half of the SHA-256, computed when it is first asked for.
                let tag = || format!("\"{:.32x}\"", Sha256::digest(bytes));
                Ok(Opened {
                    len_bytes: bytes.len() as u64,
                    etag: etag.get_or_init(tag).clone(),
                    modified: *modified,
                    bytes: Bytes::Memory(Arc::clone(bytes)),
                })
            }
            Place::Disk(path) => Opened::of(path),
        }
    }
}

impl<B: Into<Arc<[u8]>>> From<B> for File {
    /// The file of these bytes, modified now.
    fn from(bytes: B) -> Self {
        Self::new(bytes, SystemTime::now())
    }
}

/// A file that is being served.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) bytes: Bytes,
    pub(crate) len_bytes: u64,
    /// A strong entity tag, in quotes.
    pub(crate) etag: String,
    pub(crate) modified: SystemTime,
}

/// Where the bytes of a file are.
#[derive(Debug)]
pub(crate) enum Bytes {
    Memory(Arc<[u8]>),
    Disk(fs::File),
}

impl Opened {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::File::open(path)?;
        let metadata = file.metadata()?;
        // A pipe has neither length nor ranges, and waits for its other end.
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let modified = metadata.modified()?;
        Ok(Self {
            len_bytes: metadata.len(),
            etag: disk_tag(&metadata, modified),
            modified,
            bytes: Bytes::Disk(file),
        })
    }
}

/// The entity tag of a file on disk: its length and its time in nanoseconds. To hash all of it
/// first could take longer than a client waits.
fn disk_tag(metadata: &Metadata, modified: SystemTime) -> String {
    let time = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("\"{:x}-{time:x}\"", metadata.len())
}

/// The files of a server, as far as they are listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Listing {
    /// Their paths, sorted; the first 200 of them.
    pub files: Vec<String>,
    /// The paths of those that are not given out, and why.
    pub withheld: Vec<(String, String)>,
}

/// Files as a server holds them.
#[derive(Debug)]
pub(crate) enum Store {
    Dir(Dir),
    Named(BTreeMap<String, File>),
}

impl Store {
    /// Opens the content; fails if its directory does not exist.
    pub(crate) fn open(content: Files) -> io::Result<Self> {
        match content {
            Files::Named(files) => Ok(Self::Named(
                files.into_iter().map(|(path, file)| (with_slash(&path), file)).collect(),
            )),
            Files::Dir { root: path, withheld } => {
                let root = path.canonicalize().map_err(|error| at(&path, &error))?;
                if !root.is_dir() {
                    return Err(at(&path, &io::Error::from(io::ErrorKind::NotADirectory)));
                }
                Ok(Self::Dir(Dir { root, withheld, judged: HashMap::new() }))
            }
        }
    }

    /// The file that a request names; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the file exists but cannot be read.
    pub(crate) fn find(&mut self, request: &Request) -> io::Result<Option<Opened>> {
        match self {
            Self::Named(files) => {
                // A name may have a query and encoded bytes, so the target as it came is looked up
                // first.
                let file = files.get(&request.raw_target).or_else(|| files.get(&request.path));
                file.map(File::open).transpose()
            }
            Self::Dir(dir) => match dir.inside(&request.path) {
                Some(path) if dir.why_not(&path).is_none() => Opened::of(&path).map(Some),
                _ => Ok(None),
            },
        }
    }

    /// The files there are.
    pub(crate) fn list(&mut self) -> Listing {
        match self {
            Self::Named(files) => {
                let files = files.keys().take(LISTED_FILES).cloned().collect();
                Listing { files, withheld: Vec::new() }
            }
            Self::Dir(dir) => {
                let mut listing = Listing::default();
                dir.list(&dir.root.clone(), "/", &mut listing);
                listing.files.sort();
                listing.withheld.sort();
                listing
            }
        }
    }
}

/// Largest number of files in a listing: enough for a lab, and not too many for a terminal.
const LISTED_FILES: usize = 200;

fn with_slash(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A directory, and the reasons found so far for withholding its files.
#[derive(Debug)]
pub(crate) struct Dir {
    root: PathBuf,
    withheld: Withheld,
    /// For each file its length and time when it was judged, and the reason to withhold it.
    judged: HashMap<PathBuf, (u64, SystemTime, Option<String>)>,
}

impl Dir {
    /// The file that a request's path names, if it is there and really under the root.
    fn inside(&self, path: &str) -> Option<PathBuf> {
        let relative = Path::new(path.strip_prefix('/')?);
        // Everything but a plain name could lead out: "..", a root, a drive.
        if !relative.components().all(|component| matches!(component, Component::Normal(_))) {
            return None;
        }
        // A symbolic link could too, so the path is resolved before it is checked.
        let file = self.root.join(relative).canonicalize().ok()?;
        let under_root = file.strip_prefix(&self.root).ok()?;
        let is_shown = !has_dotfile(relative) && !has_dotfile(under_root);
        (is_shown && file.is_file()).then_some(file)
    }

    fn why_not(&mut self, path: &Path) -> Option<String> {
        let why_not = self.withheld.0.as_ref()?;
        let Ok(metadata) = fs::metadata(path) else { return None };
        let state = (metadata.len(), metadata.modified().unwrap_or(UNIX_EPOCH));
        match self.judged.get(path) {
            Some((len, modified, reason)) if (*len, *modified) == state => reason.clone(),
            _ => {
                let reason = why_not(path);
                self.judged.insert(path.to_owned(), (state.0, state.1, reason.clone()));
                reason
            }
        }
    }

    fn list(&mut self, dir: &Path, prefix: &str, listing: &mut Listing) {
        let Ok(entries) = fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            if listing.files.len() + listing.withheld.len() >= LISTED_FILES {
                return;
            }
            // A name that is not UTF-8 cannot be asked for.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            // The type of the entry itself: following a link to a directory could never end.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    self.list(&entry.path(), &format!("{path}/"), listing);
                }
                Ok(kind) if kind.is_file() => match self.why_not(&entry.path()) {
                    None => listing.files.push(path),
                    Some(reason) => listing.withheld.push((path, reason)),
                },
                _ => {}
            }
        }
    }
}

fn has_dotfile(path: &Path) -> bool {
    path.components().any(|component| component.as_os_str().as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests;
