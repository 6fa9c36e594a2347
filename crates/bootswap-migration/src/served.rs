//! Which files a migration's addresses stand for.

use std::path::{Path, PathBuf};

use crate::load::load_with_text;
use crate::problem::LoadError;
use crate::spec;

/// An artifact that devices fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedFile {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// The file that is at hand for it, if the migration names one.
    pub file: Option<PathBuf>,
}

/// The artifacts of a migration file that have an address.
///
/// # Errors
///
/// As [`load`](crate::load): what cannot be read, or is damaged, is not worth serving.
pub fn served(path: &Path) -> Result<Vec<ServedFile>, LoadError> {
    let (migration, text) = load_with_text(path)?;
    let dir = path.parent().unwrap_or(Path::new(""));
    // It was read a moment ago, so it can be again.
    let files = spec::parse(&text).map(|spec| spec.files).unwrap_or_default();
    let artifacts = migration.artifacts.into_iter().zip(files);
    let served = artifacts.filter_map(|(artifact, file)| {
        let file = file.map(|file| dir.join(file.value));
        Some(ServedFile { name: artifact.name, url: artifact.url?, file })
    });
    Ok(served.collect())
}
