//! The description of itself that an app carries.
//!
//! ```text
//!   image offset   0        24        32                                              288
//!                  | header | segment | magic .. version .. name .. ELF digest .. 0s | code ..
//! ```
//!
//! It is the first thing in the first segment of every ESP-IDF app, and of apps built with esp-hal
//! that ask for one. `esp_app_desc_t` in `components/esp_app_format/include/esp_app_desc.h` of
//! `espressif/esp-idf`.

use core::fmt;

use crate::FixedText;
use crate::cursor::{Reader, Writer};

/// Where in an image the description is: after the image's header and that of its first segment.
pub const APP_DESC_OFFSET_BYTES: u32 = 32;

/// Bytes of a description.
pub const APP_DESC_LEN_BYTES: usize = 256;

/// Bytes of a version or name in a description. The last of them ends the text.
pub const APP_DESC_TEXT_LEN_BYTES: usize = 32;

/// First word of a description (`ESP_APP_DESC_MAGIC_WORD`).
pub const APP_DESC_MAGIC: u32 = 0xabcd_5432;

/// What an app says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AppDescription {
    /// Version for anti-rollback.
    pub secure_version: u32,
    /// Version of the app.
    pub version: FixedText<APP_DESC_TEXT_LEN_BYTES>,
    /// Name of the project.
    pub project_name: FixedText<APP_DESC_TEXT_LEN_BYTES>,
    /// Time of the build.
    pub time: FixedText<16>,
    /// Date of the build.
    pub date: FixedText<16>,
    /// Version of ESP-IDF.
    pub idf_ver: FixedText<APP_DESC_TEXT_LEN_BYTES>,
    /// SHA-256 of the ELF file that the image was made of.
    pub app_elf_sha256: [u8; 32],
    /// Smallest eFuse block revision that the app runs on, major times 100 plus minor.
    pub min_efuse_blk_rev_full: u16,
    /// Largest eFuse block revision that the app runs on, major times 100 plus minor.
    pub max_efuse_blk_rev_full: u16,
    /// Binary logarithm of the page size, in bytes, in which the cache maps the app; 0 in apps
    /// built before ESP-IDF 5.4.
    pub mmu_page_size_log2: u8,
}

impl AppDescription {
    /// An app of that name and version, everything else left empty.
    #[must_use]
    pub const fn new(
        project_name: FixedText<APP_DESC_TEXT_LEN_BYTES>,
        version: FixedText<APP_DESC_TEXT_LEN_BYTES>,
    ) -> Self {
        Self {
            secure_version: 0,
            version,
            project_name,
            time: FixedText::EMPTY,
            date: FixedText::EMPTY,
            idf_ver: FixedText::EMPTY,
            app_elf_sha256: [0; 32],
            min_efuse_blk_rev_full: 0,
            max_efuse_blk_rev_full: u16::MAX,
            mmu_page_size_log2: 0,
        }
    }

    /// Reads a description from its first byte, which is [`APP_DESC_OFFSET_BYTES`] into the image.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`]: too few bytes, or something else is there.
    pub fn parse(bytes: &[u8]) -> Result<Self, DescriptionError> {
        let found_bytes = bytes.len();
        let record = bytes
            .first_chunk::<APP_DESC_LEN_BYTES>()
            .ok_or(DescriptionError::TooShort { needed_bytes: APP_DESC_LEN_BYTES, found_bytes })?;
        let found = Reader::new(record).u32().unwrap_or_default();
        if found != APP_DESC_MAGIC {
            return Err(DescriptionError::BadMagic { expected: APP_DESC_MAGIC, found });
        }
        Self::read(record)
            .ok_or(DescriptionError::TooShort { needed_bytes: APP_DESC_LEN_BYTES, found_bytes })
    }

    fn read(record: &[u8; APP_DESC_LEN_BYTES]) -> Option<Self> {
        let mut fields = Reader::new(record);
        let _magic = fields.u32()?;
        let secure_version = fields.u32()?;
        let _reserved = fields.array::<8>()?;
        Some(Self {
            secure_version,
            version: FixedText::from_bytes(fields.array()?),
            project_name: FixedText::from_bytes(fields.array()?),
            time: FixedText::from_bytes(fields.array()?),
            date: FixedText::from_bytes(fields.array()?),
            idf_ver: FixedText::from_bytes(fields.array()?),
            app_elf_sha256: fields.array()?,
            min_efuse_blk_rev_full: fields.u16()?,
            max_efuse_blk_rev_full: fields.u16()?,
            mmu_page_size_log2: fields.u8()?,
        })
    }

    /// The description's bytes; reserved ones are 0.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; APP_DESC_LEN_BYTES] {
        let mut bytes = [0; APP_DESC_LEN_BYTES];
        self.write_over(&mut bytes);
        bytes
    }

    /// Writes it over an existing description; reserved bytes stay as they are.
    pub fn write_over(&self, bytes: &mut [u8; APP_DESC_LEN_BYTES]) {
        *bytes = Writer::over(*bytes)
            .put(&APP_DESC_MAGIC.to_le_bytes())
            .put(&self.secure_version.to_le_bytes())
            .skip(8)
            .put(self.version.as_bytes())
            .put(self.project_name.as_bytes())
            .put(self.time.as_bytes())
            .put(self.date.as_bytes())
            .put(self.idf_ver.as_bytes())
            .put(&self.app_elf_sha256)
            .put(&self.min_efuse_blk_rev_full.to_le_bytes())
            .put(&self.max_efuse_blk_rev_full.to_le_bytes())
            .put(&[self.mmu_page_size_log2])
            .finish();
    }
}

/// Why bytes are not the description of an app or bootloader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DescriptionError {
    /// Fewer bytes than a description has.
    TooShort {
        /// Bytes of a description.
        needed_bytes: usize,
        /// Bytes that are there.
        found_bytes: usize,
    },
    /// Something else is there, as in images that carry no description.
    BadMagic {
        /// First word (of a bootloader: first byte) of a description.
        expected: u32,
        /// What is there.
        found: u32,
    },
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { needed_bytes, found_bytes } => {
                write!(f, "description has {needed_bytes} bytes, only {found_bytes} are there")
            }
            Self::BadMagic { expected, found } => {
                write!(f, "no description: begins with {found:#x}, not {expected:#x}")
            }
        }
    }
}

impl core::error::Error for DescriptionError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn something_else_is_not_a_description() {
        assert_eq!(
            AppDescription::parse(&[0xff; 256]),
            Err(DescriptionError::BadMagic { expected: APP_DESC_MAGIC, found: u32::MAX })
        );
        assert_eq!(
            AppDescription::parse(&[0xff; 255]),
            Err(DescriptionError::TooShort { needed_bytes: 256, found_bytes: 255 })
        );
    }

    #[test]
    fn fields_are_where_esp_idf_has_them() {
        let name = FixedText::new("blink").unwrap();
        let mut description = AppDescription::new(name, FixedText::new("1.2").unwrap());
        description.app_elf_sha256 = [0xab; 32];
        description.mmu_page_size_log2 = 16;
        let bytes = description.to_bytes();
        assert_eq!(&bytes[..4], &[0x32, 0x54, 0xcd, 0xab]);
        assert_eq!(&bytes[16..20], b"1.2\0");
        assert_eq!(&bytes[48..54], b"blink\0");
        assert_eq!(bytes[144..176], [0xab; 32]);
        assert_eq!(bytes[176..184], [0, 0, 0xff, 0xff, 16, 0, 0, 0]);
    }

    #[test]
    fn reserved_bytes_stay_where_a_description_is_written_over() {
        let name = FixedText::new("blink").unwrap();
        let old = AppDescription::new(name, FixedText::new("1.2").unwrap());
        let mut bytes = old.to_bytes();
        let reserved = |bytes: &[u8; APP_DESC_LEN_BYTES]| {
            let behind: [u8; 75] = *bytes.last_chunk().unwrap();
            (bytes[8..16].to_vec(), behind)
        };
        bytes[8..16].fill(7);
        bytes[181..].fill(9);
        let before = reserved(&bytes);
        let new = AppDescription { secure_version: 5, ..old };
        new.write_over(&mut bytes);
        assert_eq!((AppDescription::parse(&bytes), reserved(&bytes)), (Ok(new), before));
    }

    proptest! {
        #[test]
        fn parses_what_it_emits(
            secure_version: u32,
            texts: ([u8; 32], [u8; 32], [u8; 16], [u8; 16], [u8; 32]),
            app_elf_sha256: [u8; 32],
            revisions: (u16, u16),
            mmu_page_size_log2: u8,
        ) {
            let description = AppDescription {
                secure_version,
                version: FixedText::from_bytes(texts.0),
                project_name: FixedText::from_bytes(texts.1),
                time: FixedText::from_bytes(texts.2),
                date: FixedText::from_bytes(texts.3),
                idf_ver: FixedText::from_bytes(texts.4),
                app_elf_sha256,
                min_efuse_blk_rev_full: revisions.0,
                max_efuse_blk_rev_full: revisions.1,
                mmu_page_size_log2,
            };
            prop_assert_eq!(AppDescription::parse(&description.to_bytes()), Ok(description));
        }
    }
}
