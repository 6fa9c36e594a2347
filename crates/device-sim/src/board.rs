//! What cannot be read from a device's flash.

use esp_idf_format::Chip;
use esp_idf_format::image::{FlashMode, ImageError};
use esp_idf_format::partition::TABLE_ADDR;
use flash_region::FlashAddr;
use mcuboot_boot::{BootConfig, BootConfigError};
use sha2::{Digest, Sha256};

use crate::loader::{CodeDigest, LoaderCode};
use crate::mcuboot_config::McubootConfig;
use crate::{LoadFailure, RomFailure, ram};

/// The eFuses that concern a migration.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Efuses {
    /// Secure boot is on: the ROM requires a signature.
    pub secure_boot: bool,
    /// Flash encryption is on: data that was written unencrypted is read as noise.
    pub flash_encryption: bool,
}

/// What was compiled into an ESP-IDF bootloader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EspIdfConfig {
    /// `CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE`: an app that did not confirm itself before its first
    /// reset is not started again.
    pub rollback: bool,
    /// `CONFIG_PARTITION_TABLE_OFFSET`: where the partition table is read.
    pub table_addr: FlashAddr,
}

impl Default for EspIdfConfig {
    /// The defaults of ESP-IDF.
    fn default() -> Self {
        Self { rollback: false, table_addr: TABLE_ADDR }
    }
}

/// Which bootloader the ROM loads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BootloaderKind {
    /// ESP-IDF's second-stage bootloader.
    EspIdf,
    /// MCUboot.
    Mcuboot,
    /// The loader of a first stage.
    FirstStage,
}

/// A bootloader, which the board recognises by its digest.
#[derive(Clone, Debug)]
pub(crate) enum Bootloader {
    EspIdf(EspIdfConfig),
    Mcuboot(Box<McubootBoot>),
    Loader(Box<LoaderCode>),
}

impl Bootloader {
    pub(crate) const fn kind(&self) -> BootloaderKind {
        match self {
            Self::EspIdf(_) => BootloaderKind::EspIdf,
            Self::Mcuboot(_) => BootloaderKind::Mcuboot,
            Self::Loader(_) => BootloaderKind::FirstStage,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct McubootBoot {
    pub(crate) map: McubootConfig,
    pub(crate) config: BootConfig,
}

/// The SHA-256 of all bytes of an image, its own digest included.
pub(crate) type ImageDigest = [u8; 32];

/// A bootloader that was made known.
#[derive(Clone, Debug)]
struct KnownBootloader {
    digest: ImageDigest,
    bootloader: Bootloader,
    /// Whether the ROM can load it into memory.
    loads: Result<(), LoadFailure>,
}

/// What cannot be read from a device's flash: the chip and its eFuses, how the flash is
/// wired, and which bytes are which bootloader.
#[derive(Clone, Debug)]
pub struct Board {
    chip: Chip,
    efuses: Efuses,
    flash_modes: Vec<FlashMode>,
    bootloaders: Vec<KnownBootloader>,
    loaders: Vec<CodeDigest>,
    prepared: Vec<ImageDigest>,
    any_esp_idf: Option<EspIdfConfig>,
}

impl Board {
    /// A board with that chip, no eFuses burnt, all wires to the flash chip, and no bootloader
    /// known.
    #[must_use]
    pub fn new(chip: Chip) -> Self {
        Self {
            chip,
            efuses: Efuses::default(),
            flash_modes: FlashMode::ALL.to_vec(),
            bootloaders: Vec::new(),
            loaders: Vec::new(),
            prepared: Vec::new(),
            any_esp_idf: None,
        }
    }

    /// Burns eFuses.
    #[must_use]
    pub const fn efuses(mut self, efuses: Efuses) -> Self {
        self.efuses = efuses;
        self
    }

    /// Restricts the modes in which the flash can be read, as on boards that connect only two of
    /// the four data wires.
    #[must_use]
    pub fn flash_modes(mut self, modes: &[FlashMode]) -> Self {
        self.flash_modes = modes.to_vec();
        self
    }

    /// Makes an ESP-IDF bootloader known; `image` may be longer than the bootloader.
    ///
    /// # Errors
    ///
    /// An [`ImageError`]: what is wrong with the image.
    pub fn esp_idf(self, image: &[u8], config: EspIdfConfig) -> Result<Self, ImageError> {
        let digest = digest(image)?;
        Ok(self.knowing(image, digest, Bootloader::EspIdf(config)))
    }

    /// Makes an MCUboot known; `image` may be longer than the bootloader.
    ///
    /// # Errors
    ///
    /// [`UnknownMcuboot`]: what is wrong with the image, or with the slots.
    pub fn mcuboot(self, image: &[u8], map: McubootConfig) -> Result<Self, UnknownMcuboot> {
        let digest = digest(image).map_err(UnknownMcuboot::Image)?;
        let config = map.boot_config().map_err(UnknownMcuboot::Config)?;
        Ok(self.knowing(image, digest, Bootloader::Mcuboot(Box::new(McubootBoot { map, config }))))
    }

    /// Makes the loader of carriers and first stages known by its code; `image` is the loader as it
    /// was built, or a carrier or first stage with it.
    ///
    /// # Errors
    ///
    /// [`UnknownLoader`]: what is wrong with the image.
    pub fn loader(mut self, image: &[u8]) -> Result<Self, UnknownLoader> {
        digest(image).map_err(UnknownLoader::Image)?;
        let loader = LoaderCode::find(image).ok_or(UnknownLoader::NoRecord)?;
        self.loaders.push(loader.digest);
        Ok(self)
    }

    /// Treats every unknown bootloader that the ROM loads as ESP-IDF's.
    ///
    /// For dumps of real devices. A damaged bootloader whose checksum is right is accepted then;
    /// without this it is an [`UnknownBootloader`](crate::RomFailure::UnknownBootloader).
    #[must_use]
    pub const fn any_esp_idf(mut self, config: EspIdfConfig) -> Self {
        self.any_esp_idf = Some(config);
        self
    }

    /// Declares a bootloader signed for this board's secure boot, and encrypted with its key.
    ///
    /// # Errors
    ///
    /// An [`ImageError`]: what is wrong with the image.
    pub fn prepared(mut self, image: &[u8]) -> Result<Self, ImageError> {
        self.prepared.push(digest(image)?);
        Ok(self)
    }

    /// The chip.
    #[must_use]
    pub const fn chip(&self) -> Chip {
        self.chip
    }

    /// The eFuses, as an app can read them.
    #[must_use]
    pub const fn burnt(&self) -> Efuses {
        self.efuses
    }

    pub(crate) fn can_read_in(&self, mode: FlashMode) -> bool {
        self.flash_modes.contains(&mode)
    }

    pub(crate) fn is_prepared(&self, digest: &ImageDigest) -> bool {
        self.efuses == Efuses::default() || self.prepared.contains(digest)
    }

    fn knowing(mut self, image: &[u8], digest: ImageDigest, bootloader: Bootloader) -> Self {
        let loads = ram::load(self.chip, image, None);
        self.bootloaders.push(KnownBootloader { digest, bootloader, loads });
        self
    }

    /// What the ROM starts when it has loaded that bootloader.
    pub(crate) fn bootloader(
        &self,
        digest: &ImageDigest,
        image: &[u8],
    ) -> Result<Bootloader, RomFailure> {
        if let Some(known) = self.bootloaders.iter().find(|known| known.digest == *digest) {
            return known.loads.map_err(RomFailure::Load).map(|()| known.bootloader.clone());
        }
        match LoaderCode::find(image) {
            Some(loader) if self.is_known_loader(&loader) => {
                ram::load(self.chip, image, None).map_err(RomFailure::Load)?;
                Ok(Bootloader::Loader(Box::new(loader)))
            }
            // For a dump: the bootloader in it has started the device before.
            _ => self
                .any_esp_idf
                .map(Bootloader::EspIdf)
                .ok_or(RomFailure::UnknownBootloader { digest: *digest }),
        }
    }

    /// The bootloader with that digest, whoever loads it.
    pub(crate) fn known(&self, digest: &ImageDigest) -> Option<Bootloader> {
        let known = self.bootloaders.iter().find(|known| known.digest == *digest)?;
        Some(known.bootloader.clone())
    }

    pub(crate) fn is_known_loader(&self, loader: &LoaderCode) -> bool {
        self.loaders.contains(&loader.digest)
    }
}

/// Why a bootloader cannot be made known as MCUboot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownMcuboot {
    /// It is not an image.
    Image(ImageError),
    /// The slots are not valid.
    Config(BootConfigError),
}

impl core::fmt::Display for UnknownMcuboot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Image(error) => write!(f, "bootloader: {error}"),
            Self::Config(error) => write!(f, "flash map: {error}"),
        }
    }
}

impl core::error::Error for UnknownMcuboot {}

/// Why a loader cannot be made known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownLoader {
    /// It is not an image.
    Image(ImageError),
    /// The code that it runs has no record.
    NoRecord,
}

impl core::fmt::Display for UnknownLoader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Image(error) => write!(f, "loader: {error}"),
            Self::NoRecord => f.write_str("an image without a loader's record"),
        }
    }
}

impl core::error::Error for UnknownLoader {}

/// The digest of an image as the ROM loads it: its appended SHA-256 is part of it even if that is
/// wrong.
fn digest(image: &[u8]) -> Result<ImageDigest, ImageError> {
    let len_bytes = match esp_idf_format::image::verify(image) {
        Ok(info) => info.total_len_bytes,
        Err(ImageError::Digest { offset_bytes, .. }) => {
            offset_bytes.saturating_add(esp_idf_format::image::DIGEST_LEN_BYTES)
        }
        Err(error) => return Err(error),
    };
    let bytes = image.get(..len_bytes as usize).unwrap_or(image);
    Ok(Sha256::digest(bytes).into())
}
