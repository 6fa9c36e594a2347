//! Puts firmware and migration together.

use std::fmt;

use bootswap_config::{EncodeError, MAX_LABELS, MAX_NETWORKS, WifiError};
use bootswap_engine::ContainerError;
use bootswap_plan::MAX_ARTIFACTS;
use esp_idf_format::image::{self, ImageError, ImageInfo};

use super::firmware::Firmware;
use crate::container;
use crate::owned::OwnedMigration;
use esp_idf_format::ImageChip;

/// A migrator.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The file: the image, followed by the container.
    pub image: Vec<u8>,
    /// The image without the container.
    pub info: ImageInfo,
    /// Bytes of the section that the configuration uses.
    pub config_len_bytes: usize,
    /// Bytes of the section.
    pub section_len_bytes: usize,
    /// How many artifacts are in the container.
    pub embedded: usize,
}

/// Why a migration cannot be packed into a firmware.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PackError {
    /// The configuration cannot be written.
    Config(EncodeError),
    /// A network's name or password is invalid.
    Wifi(WifiError),
    /// The artifacts cannot be embedded.
    Container(ContainerError),
    /// The bytes of an artifact that should be embedded are not known.
    NoBytes {
        /// Its name.
        name: String,
    },
    /// The image is not valid with the configuration in it, which is a bug in this program.
    Image(ImageError),
}

/// Puts the migration into the firmware, followed by the artifacts that have no URL.
///
/// # Errors
///
/// A [`PackError`].
pub fn pack(migration: &OwnedMigration, firmware: Firmware) -> Result<Packed, PackError> {
    let Firmware { mut image, section } = firmware;
    let section_len_bytes = section.len();
    let room = image.get_mut(section).unwrap_or_default();
    let written = migration.with_config(|config| bootswap_config::encode(config, room));
    let config_len_bytes = written.map_err(PackError::Wifi)?.map_err(PackError::Config)?;
    migration.identity.write(&mut image);
    let info = image::update_checksums(&mut image).map_err(PackError::Image)?;

    let embedded = container::embedded(migration).map_err(|name| PackError::NoBytes { name })?;
    if !embedded.is_empty() {
        container::append(&mut image, &embedded).map_err(PackError::Container)?;
    }
    let embedded = embedded.len();
    Ok(Packed { image, info, config_len_bytes, section_len_bytes, embedded })
}

impl PackError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Config(EncodeError::TooLarge { .. }) => {
                "make URLs, names and passwords shorter".to_owned()
            }
            Self::Config(EncodeError::TooMany { .. }) => format!(
                "a migrator can have at most {MAX_ARTIFACTS} artifacts, {MAX_NETWORKS} networks \
                and {MAX_LABELS} labels to overwrite"
            ),
            Self::Config(_) | Self::Wifi(_) => "correct [network]".to_owned(),
            Self::Container(ContainerError::NameTooLong { .. }) => {
                "give the artifact a `name` of at most 20 bytes".to_owned()
            }
            Self::Container(_) => "embed fewer artifacts".to_owned(),
            Self::NoBytes { .. } => "name its `file`".to_owned(),
            Self::Image(_) => "use another firmware image".to_owned(),
        }
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Wifi(error) => write!(f, "network: {error}"),
            Self::Container(error) => write!(f, "embedded artifacts: {error}"),
            Self::NoBytes { name } => {
                write!(f, "{name} should be embedded, but has no `file`")
            }
            Self::Image(error) => write!(f, "the image with the configuration in it: {error}"),
        }
    }
}

impl std::error::Error for PackError {}

/// Describes the migrator, for the last line of output.
impl fmt::Display for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { image, info, config_len_bytes, section_len_bytes, embedded } = self;
        let chip = ImageChip(info.header.chip_id);
        let image_len_bytes = info.total_len_bytes;
        write!(f, "{:#x} bytes for {chip}", image.len())?;
        match embedded {
            0 => write!(f, ", which fetches its artifacts")?,
            1 => write!(f, ", {image_len_bytes:#x} of them the image, then 1 artifact")?,
            count => write!(f, ", {image_len_bytes:#x} of them the image, then {count} artifacts")?,
        }
        write!(f, "; the configuration takes {config_len_bytes} of {section_len_bytes} bytes")
    }
}
