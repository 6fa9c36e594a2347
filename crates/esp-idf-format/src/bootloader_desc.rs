//! The description of itself that a second-stage bootloader carries since ESP-IDF 5.2.
//!
//! ```text
//!   image offset   0        24        32                                     112
//!                  | header | segment | 80, version, ESP-IDF version, date | code ..
//! ```
//!
//! `esp_bootloader_desc_t` in `components/esp_bootloader_format/include/esp_bootloader_desc.h` of
//! `espressif/esp-idf`.

use crate::FixedText;
use crate::app_desc::{APP_DESC_OFFSET_BYTES, DescriptionError};
use crate::cursor::{Reader, Writer};

/// Where in an image the description is: where an app has its own.
pub const BOOTLOADER_DESC_OFFSET_BYTES: u32 = APP_DESC_OFFSET_BYTES;

/// Bytes of a description.
pub const BOOTLOADER_DESC_LEN_BYTES: usize = 80;

/// First byte of a description (`ESP_BOOTLOADER_DESC_MAGIC_BYTE`).
pub const BOOTLOADER_DESC_MAGIC: u8 = 80;

/// What a bootloader says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BootloaderDescription {
    /// Version for the bootloader's own anti-rollback; reserved before ESP-IDF 5.4.
    pub secure_version: u8,
    /// Version that the project gave the bootloader (`CONFIG_BOOTLOADER_PROJECT_VER`).
    pub version: u32,
    /// Version of ESP-IDF.
    pub idf_ver: FixedText<32>,
    /// Date and time of the build; empty in a reproducible one.
    pub date_time: FixedText<24>,
}

impl BootloaderDescription {
    /// Reads a description from its first byte, which is [`BOOTLOADER_DESC_OFFSET_BYTES`] into the
    /// image.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`]: too few bytes, or something else is there. The magic is only one byte,
    /// so about one in 256 older bootloaders seems to have a description.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptionError> {
        let found_bytes = bytes.len();
        let needed_bytes = BOOTLOADER_DESC_LEN_BYTES;
        let too_short = DescriptionError::TooShort { needed_bytes, found_bytes };
        let record = bytes.first_chunk::<BOOTLOADER_DESC_LEN_BYTES>().ok_or(too_short)?;
        let mut fields = Reader::new(record);
        let found = fields.u8().ok_or(too_short)?;
        if found != BOOTLOADER_DESC_MAGIC {
            let (expected, found) = (u32::from(BOOTLOADER_DESC_MAGIC), u32::from(found));
            return Err(DescriptionError::BadMagic { expected, found });
        }
        Self::read(fields).ok_or(too_short)
    }

    /// Whether it looks like a real description: it names a version of ESP-IDF. By the magic alone,
    /// other bytes can look like a description.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b".-+_".contains(&b);
        let version = self.idf_ver.as_str().unwrap_or_default();
        !version.is_empty() && version.bytes().all(is_plain)
    }

    fn read(mut behind_magic: Reader<'_>) -> Option<Self> {
        let _reserved = behind_magic.array::<2>()?;
        Some(Self {
            secure_version: behind_magic.u8()?,
            version: behind_magic.u32()?,
            idf_ver: FixedText::from_bytes(behind_magic.array()?),
            date_time: FixedText::from_bytes(behind_magic.array()?),
        })
    }

    /// The description's bytes; reserved ones are 0.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BOOTLOADER_DESC_LEN_BYTES] {
        Writer::filled_with(0)
            .put(&[BOOTLOADER_DESC_MAGIC])
            .skip(2)
            .put(&[self.secure_version])
            .put(&self.version.to_le_bytes())
            .put(self.idf_ver.as_bytes())
            .put(self.date_time.as_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn something_else_is_not_a_description() {
        assert_eq!(
            BootloaderDescription::parse(&[0x12; 80]),
            Err(DescriptionError::BadMagic { expected: 80, found: 0x12 })
        );
        assert_eq!(
            BootloaderDescription::parse(&[80; 79]),
            Err(DescriptionError::TooShort { needed_bytes: 80, found_bytes: 79 })
        );
    }

    proptest! {
        #[test]
        fn parses_what_it_emits(
            secure_version: u8,
            version: u32,
            idf_ver: [u8; 32],
            date_time: [u8; 24],
        ) {
            let description = BootloaderDescription {
                secure_version,
                version,
                idf_ver: FixedText::from_bytes(idf_ver),
                date_time: FixedText::from_bytes(date_time),
            };
            let bytes = description.to_bytes();
            prop_assert_eq!(BootloaderDescription::parse(&bytes), Ok(description));
        }
    }
}
