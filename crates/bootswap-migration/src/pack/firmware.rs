//! The prebuilt firmware image that a migration is packed into.

use std::fmt;
use std::ops::Range;

use bootswap_config::{ConfigError, find_section};
use bootswap_engine::ContainerHeader;
use esp_idf_format::Chip;
use esp_idf_format::image::{self, ImageError};
use flash_region::is_blank;

use crate::container;
use esp_idf_format::ImageChip;

/// The image of a migrator into which a configuration can be written.
#[derive(Clone, Debug)]
pub struct Firmware {
    /// The image, without anything after it.
    pub(super) image: Vec<u8>,
    /// The configuration section in it.
    pub(super) section: Range<usize>,
}

/// Why a migration cannot be packed into a file. Offsets are from its first byte.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FirmwareError {
    /// It is not a complete ESP image.
    Image(ImageError),
    /// It is for another chip.
    Chip {
        /// The migration's.
        wanted: Chip,
        /// Number of the chip in its header.
        found: u16,
    },
    /// It is not an app, so no bootloader would start it.
    NotAnApp,
    /// It has no usable section for a configuration.
    Section(ConfigError),
    /// Something follows the image that is not a container of artifacts.
    Behind {
        /// Offset of what follows.
        offset: usize,
    },
}

impl Firmware {
    /// Checks a firmware image for `chip`, as it was built or as it was packed before.
    ///
    /// # Errors
    ///
    /// A [`FirmwareError`].
    pub fn new(file: Vec<u8>, chip: Chip) -> Result<Self, FirmwareError> {
        let mut image = file;
        let info = image::verify(&image).map_err(FirmwareError::Image)?;
        let found = info.header.chip_id;
        if found != chip.image_chip_id() {
            return Err(FirmwareError::Chip { wanted: chip, found });
        }
        if info.app_desc.is_none() {
            return Err(FirmwareError::NotAnApp);
        }
        let (before, behind) = container::split(&image, info.total_len_bytes);
        // A container is replaced; anything else, such as a signature, would be lost.
        if !is_blank(behind) && ContainerHeader::parse(behind).is_err() {
            return Err(FirmwareError::Behind { offset: before.len() });
        }
        image.truncate(info.total_len_bytes as usize);
        let section = find_section(&image).map_err(FirmwareError::Section)?;
        Ok(Self { image, section })
    }
}

impl Firmware {
    /// The image, with the configuration that it was built or packed with.
    #[must_use]
    pub fn into_image(self) -> Vec<u8> {
        self.image
    }
}

impl FirmwareError {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Image(_) | Self::NotAnApp => {
                "name the firmware image of a migrator: bootswap-CHIP.bin as it was built"
            }
            Self::Chip { .. } => "name the firmware image for the migration's chip",
            Self::Section(ConfigError::Version { .. }) => {
                "use this program and a firmware image of the same release"
            }
            Self::Section(_) => "name the firmware image of a migrator, as it was built",
            Self::Behind { .. } => "use the image as it was built, and sign it after packing",
        }
    }
}

impl fmt::Display for FirmwareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(error) => write!(f, "not a complete firmware image: {error}"),
            Self::Chip { wanted, found } => {
                write!(
                    f,
                    "chip at offset 12 is {}, the migration is for {wanted}",
                    ImageChip(*found)
                )
            }
            Self::NotAnApp => f.write_str("no app description at offset 32, so this is not an app"),
            Self::Section(error) => error.fmt(f),
            Self::Behind { offset } => {
                write!(f, "something unknown follows the image at offset {offset:#x}")
            }
        }
    }
}

impl std::error::Error for FirmwareError {}
