//! The migrator as it is sent out: its image, followed by the embedded artifacts.
//!
//! ```text
//!   packed:    migrator.bin, as `bootswap pack` wrote it
//!   prebuilt:  bootswap-CHIP.bin | container        as long as `bootswap pack` would make it
//!   assumed:   a stand-in        | container        where there is no firmware image to look at
//! ```

use esp_idf_format::app_desc::{APP_DESC_LEN_BYTES, APP_DESC_OFFSET_BYTES, AppDescription};
use esp_idf_format::image::{
    self, DIGEST_LEN_BYTES, HEADER_LEN_BYTES, ImageBuilder, ImageInfo, SEGMENT_HEADER_LEN_BYTES,
};
use esp_idf_format::memory::constants_addr;
use esp_idf_format::{Chip, FixedText};

use crate::container;
use crate::owned::OwnedMigration;
use crate::pack::{Firmware, PackError};

/// Project name in the app descriptor of a placeholder.
const NAME: &str = "bootswap";
/// Bytes of the smallest placeholder: headers, description, checksum and digest.
const LEAST_LEN_BYTES: u32 =
    HEADER_LEN_BYTES + SEGMENT_HEADER_LEN_BYTES + APP_DESC_LEN_BYTES as u32 + 16 + DIGEST_LEN_BYTES;

/// Length that the firmware of a chip is assumed to have if there is no image: a little more than
/// the largest that was built (`firmware/README.md`, "Sizes").
#[must_use]
pub const fn assumed_image_len_bytes(chip: Chip) -> u32 {
    match chip {
        Chip::Esp32c6 => 800 * 1024,
        Chip::Esp32h2 => 320 * 1024,
        Chip::Esp32c3 => 704 * 1024,
        // What a migrator with Wi-Fi and HTTP is meant to have; none was built yet.
        Chip::Esp32 | Chip::Esp32s2 | Chip::Esp32s3 => 640 * 1024,
    }
}

/// A migrator as it is sent out.
#[derive(Clone, Debug)]
pub struct SentImage {
    chip: Chip,
    /// The ESP image.
    image: Vec<u8>,
    info: ImageInfo,
    /// What follows the image, from the next boundary on; empty if nothing is embedded.
    container: Vec<u8>,
    is_assumed: bool,
}

impl SentImage {
    /// A placeholder for a firmware that is not known.
    ///
    /// # Errors
    ///
    /// A [`PackError`] if the artifacts cannot be embedded.
    pub fn assumed(migration: &OwnedMigration) -> Result<Self, PackError> {
        let chip = migration.chip;
        let image = stand_in(chip, assumed_image_len_bytes(chip));
        Self::new(chip, image, container_of(migration)?, true)
    }

    /// The prebuilt firmware with what the migration embeds.
    ///
    /// # Errors
    ///
    /// As [`SentImage::assumed`].
    pub fn prebuilt(migration: &OwnedMigration, firmware: Firmware) -> Result<Self, PackError> {
        Self::new(migration.chip, firmware.into_image(), container_of(migration)?, false)
    }

    /// A migrator as it was packed.
    ///
    /// # Errors
    ///
    /// [`PackError::Image`] if the file does not begin with a complete image.
    pub fn packed(chip: Chip, file: &[u8]) -> Result<Self, PackError> {
        let info = image::verify(file).map_err(PackError::Image)?;
        let (_, behind) = container::split(file, info.total_len_bytes);
        let whole = container::len_with_container(file, info.total_len_bytes);
        let len = (whole as usize).saturating_sub(file.len() - behind.len());
        let container = behind.get(..len).unwrap_or_default().to_vec();
        let image = file.get(..info.total_len_bytes as usize).unwrap_or(file).to_vec();
        Self::new(chip, image, container, false)
    }

    fn new(
        chip: Chip,
        image: Vec<u8>,
        container: Vec<u8>,
        is_assumed: bool,
    ) -> Result<Self, PackError> {
        let info = image::verify(&image).map_err(PackError::Image)?;
        Ok(Self { chip, image, info, container, is_assumed })
    }

    /// The image, without embedded artifacts.
    #[must_use]
    pub const fn info(&self) -> &ImageInfo {
        &self.info
    }

    /// Whether it is a placeholder, so that its length is assumed.
    #[must_use]
    pub const fn is_assumed(&self) -> bool {
        self.is_assumed
    }

    /// Bytes of the file.
    #[must_use]
    pub fn len_bytes(&self) -> u32 {
        let len = match self.container.len() {
            0 => self.image.len(),
            behind => self.image.len().next_multiple_of(container::ALIGN) + behind,
        };
        u32::try_from(len).unwrap_or(u32::MAX)
    }

    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.image.clone();
        if !self.container.is_empty() {
            let start = bytes.len().next_multiple_of(container::ALIGN);
            bytes.resize(start, flash_region::ERASED);
            bytes.extend_from_slice(&self.container);
        }
        bytes
    }

    /// The same for a partition of this size: a placeholder is cut to the partition's size, since
    /// nothing says that the firmware is longer.
    #[must_use]
    pub fn in_room_of(&self, room_bytes: u32) -> Self {
        let behind = u32::try_from(self.container.len()).unwrap_or(u32::MAX);
        let most = room_bytes.saturating_sub(behind) / 16 * 16;
        if !self.is_assumed || self.len_bytes() <= room_bytes || most < LEAST_LEN_BYTES {
            return self.clone();
        }
        let image = stand_in(self.chip, most);
        match Self::new(self.chip, image, self.container.clone(), true) {
            Ok(smaller) => smaller,
            Err(_) => self.clone(),
        }
    }
}

/// The migration's embedded artifacts, as they follow an image.
fn container_of(migration: &OwnedMigration) -> Result<Vec<u8>, PackError> {
    let embedded = container::embedded(migration).map_err(|name| PackError::NoBytes { name })?;
    let mut bytes = Vec::new();
    if !embedded.is_empty() {
        container::append(&mut bytes, &embedded).map_err(PackError::Container)?;
    }
    Ok(bytes)
}

/// An image of that length that every bootloader starts. Its contents are meaningless, and not a
/// pattern that a flash could contain by chance.
fn stand_in(chip: Chip, len_bytes: u32) -> Vec<u8> {
    let text = |text: &str| FixedText::new(text).unwrap_or_default();
    let description = AppDescription::new(text(NAME), text(env!("CARGO_PKG_VERSION")));
    let len = len_bytes.next_multiple_of(16).max(LEAST_LEN_BYTES) - LEAST_LEN_BYTES;
    // A linear congruential generator, with the multiplier of Knuth's MMIX.
    let mut state = 0xb007_50a9_u64;
    let filling = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let filling: Vec<u8> = filling.take(len as usize).collect();
    let builder = ImageBuilder::new(chip).entry_addr(0x4038_0000);
    let at = constants_addr(chip) + APP_DESC_OFFSET_BYTES;
    builder.app_segment(at, &description, &filling).build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_has_the_length_that_is_asked_for() {
        for chip in Chip::ALL {
            for len_bytes in [LEAST_LEN_BYTES, 0x4000, assumed_image_len_bytes(chip)] {
                let image = stand_in(chip, len_bytes);
                let info = image::verify(&image).unwrap();
                assert_eq!(info.total_len_bytes, len_bytes.next_multiple_of(16));
                assert_eq!(info.header.chip_id, chip.image_chip_id());
            }
        }
    }

    #[test]
    fn a_stand_in_makes_room_and_a_real_image_does_not() {
        let image = stand_in(Chip::Esp32, 0x8000);
        let container = vec![1; 0x1000];
        let sent = SentImage::new(Chip::Esp32, image.clone(), container.clone(), true).unwrap();
        assert_eq!(sent.len_bytes(), 0x9000);
        assert_eq!(sent.to_bytes().len(), 0x9000);
        assert_eq!(sent.in_room_of(0x6000).len_bytes(), 0x6000);
        assert_eq!(sent.in_room_of(0x1_0000).len_bytes(), 0x9000);
        // Embedded artifacts are never left out.
        assert_eq!(sent.in_room_of(0x1000).len_bytes(), 0x9000);
        let real = SentImage::new(Chip::Esp32, image, container, false).unwrap();
        assert_eq!(real.in_room_of(0x6000).len_bytes(), 0x9000);
    }
}
