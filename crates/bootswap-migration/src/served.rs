//! The files behind a migration's URLs.

use std::path::{Path, PathBuf};

use crate::load::load_with_text;
use crate::owned::OwnedMigration;
use crate::problem::LoadError;
use crate::spec;

/// An artifact that devices fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServedFile {
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Its file, if the migration names one.
    pub file: Option<PathBuf>,
}

/// A migration file, and its artifacts that have a URL.
///
/// # Errors
///
/// As [`load`](crate::load): a file that cannot be read, or is damaged, is not worth serving.
pub fn served(path: &Path) -> Result<(OwnedMigration, Vec<ServedFile>), LoadError> {
    let (migration, text) = load_with_text(path)?;
    let dir = path.parent().unwrap_or(Path::new(""));
    // It was just read, so it can be parsed again.
    let files = spec::parse(&text).map(|spec| spec.files).unwrap_or_default();
    let artifacts = migration.artifacts.iter().zip(files);
    let served = artifacts.filter_map(|(artifact, file)| {
        let file = file.map(|file| dir.join(file.value));
        Some(ServedFile { name: artifact.name.clone(), url: artifact.url.clone()?, file })
    });
    let served = served.collect();
    Ok((migration, served))
}
