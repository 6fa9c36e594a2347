//! Checks that server faults affect something that is served.

use std::fmt;

use bootswap_migration::{OwnedArtifact, OwnedMigration};
use bootswap_plan::Content;
use bootswap_serve::{FaultKind, ServerFault};

use crate::origin::path_of;

/// Why a fault would change nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IdleFault {
    /// Nothing is served at its path.
    UnknownPath {
        /// The fault.
        fault: ServerFault,
        /// The paths that are served.
        known: Vec<String>,
    },
    /// The byte that it changes is not fetched, or does not exist.
    NotFetched {
        /// The fault.
        fault: ServerFault,
        /// Each file that it affects, and how many of its bytes a device fetches.
        files: Vec<(String, u64)>,
    },
}

/// Checks that each of the faults changes something that a device with this migration fetches.
///
/// # Errors
///
/// An [`IdleFault`] for the first that does not.
pub fn check_faults(migration: &OwnedMigration, faults: &[ServerFault]) -> Result<(), IdleFault> {
    let served: Vec<(&str, &OwnedArtifact)> = migration
        .artifacts
        .iter()
        .filter_map(|artifact| Some((path_of(artifact.url.as_deref()?), artifact)))
        .collect();
    for fault in faults {
        let concerned = |path: &str| fault.path.as_deref().is_none_or(|only| only == path);
        let concerned: Vec<_> = served.iter().filter(|(path, _)| concerned(path)).collect();
        if concerned.is_empty() {
            let known = served.iter().map(|(path, _)| (*path).to_owned()).collect();
            return Err(IdleFault::UnknownPath { fault: fault.clone(), known });
        }
        let is_idle = |artifact: &OwnedArtifact| {
            fault.kinds.iter().any(|kind| match kind {
                FaultKind::Corrupt(offset) => {
                    let len = artifact.bytes.as_ref().map_or(0, Vec::len) as u64;
                    // Like the server: the middle, or the last byte if the offset is past the end.
                    let offset = offset.unwrap_or(len / 2).min(len.saturating_sub(1));
                    fetched_bytes(artifact).is_some_and(|fetched| offset >= fetched)
                }
                _ => false,
            })
        };
        if concerned.iter().all(|(_, artifact)| is_idle(artifact)) {
            let files = concerned.iter().map(|(path, artifact)| {
                ((*path).to_owned(), fetched_bytes(artifact).unwrap_or_default())
            });
            return Err(IdleFault::NotFetched { fault: fault.clone(), files: files.collect() });
        }
    }
    Ok(())
}

/// Bytes of a file that a device fetches: of a padded, confirmed image those up to the end of its
/// TLVs. `None` if the file is not known.
fn fetched_bytes(artifact: &OwnedArtifact) -> Option<u64> {
    match artifact.content {
        Some(Content::Mcuboot { image_len_bytes, padded: true, confirmed: true, .. }) => {
            Some(image_len_bytes.into())
        }
        _ => artifact.bytes.as_ref().map(|bytes| bytes.len() as u64),
    }
}

impl IdleFault {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::UnknownPath { known, .. } if known.is_empty() => {
                "nothing is served, because no artifact has both `file` and `url`".to_owned()
            }
            Self::UnknownPath { known, .. } => format!("served paths: {}", known.join(", ")),
            Self::NotFetched { files, .. } => {
                let files = files.iter().map(|(path, len)| format!("{len} bytes of {path}"));
                let files: Vec<String> = files.collect();
                format!("name a smaller offset: a device fetches {}", files.join(", "))
            }
        }
    }
}

impl fmt::Display for IdleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPath { fault, .. } => {
                write!(f, "the fault {fault} affects nothing that is served")
            }
            Self::NotFetched { fault, .. } => {
                write!(f, "the fault {fault} changes nothing: no device fetches that byte")
            }
        }
    }
}

impl std::error::Error for IdleFault {}

#[cfg(test)]
mod tests {
    use esp_idf_format::Chip;

    use super::*;

    fn checked(faults: &[&str]) -> Result<(), IdleFault> {
        let migration = crate::example(Chip::Esp32c3).unwrap();
        let faults: Vec<_> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        check_faults(&migration, &faults)
    }

    #[test]
    fn a_fault_that_concerns_nothing_is_told_with_what_there_is() {
        assert_eq!(checked(&["drop=100", "/app_upd.bin:html*2", "corrupt=100"]), Ok(()));
        let error = checked(&["html", "/app.bin:html"]).unwrap_err();
        assert!(error.to_string().contains("/app.bin:html affects nothing"), "{error}");
        assert_eq!(error.help(), "served paths: /app_upd.bin, /mcuboot.bin");
    }

    #[test]
    fn a_byte_that_nobody_fetches_is_told() {
        // The middle of a padded slot is padding; the bootloader is fetched as a whole.
        let error = checked(&["/app_upd.bin:corrupt"]).unwrap_err();
        assert!(error.to_string().contains("changes nothing"), "{error}");
        assert!(error.help().contains("bytes of /app_upd.bin"), "{}", error.help());
        assert_eq!(checked(&["corrupt", "/mcuboot.bin:corrupt"]), Ok(()));
        assert!(checked(&["/app_upd.bin:corrupt=0x200000"]).is_err());
        // Past the end of a file it is the last byte that is changed.
        assert_eq!(checked(&["/mcuboot.bin:corrupt=100000"]), Ok(()));
    }
}
