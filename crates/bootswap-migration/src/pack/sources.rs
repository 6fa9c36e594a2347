//! Where artifacts come from: embedded in the migrator, or fetched.

use std::fmt;

use bootswap_plan::Content;
use esp_idf_format::Chip;

use crate::owned::{OwnedArtifact, OwnedMigration};

/// What a migration lacks so that all of its artifacts can be fetched or embedded.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SourcesError {
    /// It is for another chip.
    Chip {
        /// The migration's chip.
        found: Chip,
        /// The requested chip.
        wanted: Chip,
    },
    /// An artifact should be embedded, but has no file.
    NoFile {
        /// Its name.
        name: String,
    },
    /// An artifact should be fetched, but has no URL.
    NoUrl {
        /// Its name.
        name: String,
    },
    /// An artifact has no file, and the chip has no radio to fetch it with.
    NoRadio {
        /// Its name.
        name: String,
        /// The chip.
        chip: Chip,
    },
    /// There is no network to fetch anything through.
    NoNetwork,
}

/// Makes every artifact embedded, or checks that every one can be fetched. On a chip without Wi-Fi
/// every one is embedded, whether that was asked for or not.
///
/// `chip` is the requested chip, if any.
///
/// # Errors
///
/// A [`SourcesError`].
pub fn choose_sources(
    migration: &mut OwnedMigration,
    chip: Option<Chip>,
    embed: bool,
) -> Result<(), SourcesError> {
    let found = migration.chip;
    if let Some(wanted) = chip.filter(|wanted| *wanted != found) {
        return Err(SourcesError::Chip { found, wanted });
    }
    // A chip without a radio has no other way.
    let embeds = embed || !found.has_wifi();
    for artifact in &mut migration.artifacts {
        let name = || artifact.name.clone();
        match (embeds, &artifact.bytes, &artifact.url) {
            (true, None, _) if embed => return Err(SourcesError::NoFile { name: name() }),
            (true, None, _) => return Err(SourcesError::NoRadio { name: name(), chip: found }),
            (true, Some(_), _) => artifact.embed(),
            (false, _, None) => return Err(SourcesError::NoUrl { name: name() }),
            (false, _, Some(_)) => {}
        }
    }
    check_network(migration)
}

/// Checks that devices can join a network, if any artifact is fetched: what is asked before a
/// migration is planned, simulated, served or packed.
///
/// # Errors
///
/// [`SourcesError::NoNetwork`].
pub fn check_network(migration: &OwnedMigration) -> Result<(), SourcesError> {
    let fetches = migration.artifacts.iter().any(|artifact| artifact.url.is_some());
    let network = &migration.network;
    let has_none = network.wifi.is_empty() && !network.old_credentials && network.rescue.is_none();
    // What a chip without a radio cannot fetch is refused for that.
    if fetches && has_none && migration.chip.has_wifi() {
        return Err(SourcesError::NoNetwork);
    }
    Ok(())
}

impl OwnedArtifact {
    /// Embeds it in the migrator's own image. Its file has to be at hand.
    pub fn embed(&mut self) {
        self.url = None;
        self.leave_out_padding();
    }

    /// Cuts a padded, confirmed image off at the end of its TLVs: a whole slot hardly fits into a
    /// migrator that itself runs from such a slot. MCUboot ignores what is between TLVs and
    /// trailer, and the migrator writes the trailer.
    fn leave_out_padding(&mut self) {
        let Some(Content::Mcuboot {
            image_len_bytes,
            padded: true,
            confirmed: true,
            signed,
            version,
        }) = self.content
        else {
            return;
        };
        if let Some(bytes) = &mut self.bytes {
            bytes.truncate(image_len_bytes as usize);
            self.confirm = true;
            self.content = Some(Content::Mcuboot {
                image_len_bytes,
                padded: false,
                confirmed: false,
                signed,
                version,
            });
        }
    }
}

impl SourcesError {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Chip { .. } => "give the migration's chip with --chip, or leave the option out",
            Self::NoFile { .. } => "name its `file`, or leave out --embed",
            Self::NoUrl { .. } => {
                "name the `url` that devices fetch it from, or put everything into the migrator \
                 with --embed"
            }
            Self::NoRadio { .. } => "name its `file`, which then goes into the migrator",
            Self::NoNetwork => {
                "add [[network.wifi]] with `ssid` and `password`, or `old_credentials = true` to \
                 try the old firmware's; or leave out each `url`, and put everything into the \
                 migrator with --embed"
            }
        }
    }
}

impl fmt::Display for SourcesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chip { found, wanted } => {
                write!(f, "chip: the migration is for {found}, not for {wanted}")
            }
            Self::NoFile { name } => {
                write!(f, "{name}: there is no `file` to put into the migrator")
            }
            Self::NoUrl { name } => write!(f, "{name}: there is no `url` to fetch it from"),
            Self::NoRadio { name, chip } => {
                write!(f, "{name}: there is no `file`, and {chip} has no Wi-Fi to fetch it with")
            }
            Self::NoNetwork => f.write_str("network: there is no network that a device could join"),
        }
    }
}

impl std::error::Error for SourcesError {}
