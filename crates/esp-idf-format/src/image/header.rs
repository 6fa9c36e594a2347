//! The first 24 bytes of an image.

use core::fmt;
use core::ops::RangeInclusive;

use super::{FlashFreq, FlashMode, FlashSize, ImageError, MAX_SEGMENTS};
use crate::Chip;
use crate::cursor::{Reader, Writer};

/// First byte of an image (`ESP_IMAGE_HEADER_MAGIC`).
pub const IMAGE_MAGIC: u8 = 0xe9;

/// Bytes of the header (`sizeof(esp_image_header_t)`).
pub const HEADER_LEN_BYTES: u32 = 24;

/// Value of the field for the write-protect pin if the ROM does not set the pin up, as in all
/// images of ESP-IDF (`wp_pin` of `esp_image_header_t`).
pub const WP_PIN_DISABLED: u8 = 0xee;

/// The header of an image.
///
/// ```text
///   0    1      2    3            4        8    9       12     14    15     17     19    23    24
///   | e9 | segs |mode| freq, size | entry  | wp | drives| chip | min | min  | max  | res | sha |
/// ```
///
/// Frequency and size share a byte, the frequency in its lower half.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EspImageHeader {
    /// How many segments follow, 1 to [`MAX_SEGMENTS`].
    pub segment_count: u8,
    /// The number of a [`FlashMode`].
    pub spi_mode: u8,
    /// The number of a [`FlashFreq`], which depends on the chip; four bits.
    pub spi_speed: u8,
    /// The number of a [`FlashSize`]; four bits.
    pub spi_size: u8,
    /// Address at which execution begins.
    pub entry_addr: u32,
    /// The write-protect pin, [`WP_PIN_DISABLED`] nearly always.
    pub wp_pin: u8,
    /// Drive strengths of the flash pins.
    pub spi_pin_drv: [u8; 3],
    /// The chip the image is for, [`Chip::image_chip_id`].
    pub chip_id: u16,
    /// The smallest chip revision, as tools before ESP-IDF 5 know it.
    pub min_chip_rev: u8,
    /// The smallest chip revision that the image runs on, major times 100 plus minor.
    pub min_chip_rev_full: u16,
    /// The largest chip revision that the image runs on, major times 100 plus minor; 0 and 65535
    /// mean any.
    pub max_chip_rev_full: u16,
    /// Reserved.
    pub reserved: [u8; 4],
    /// Whether a SHA-256 follows the checksum.
    pub hash_appended: bool,
}

impl EspImageHeader {
    /// A header as ESP-IDF's tools write it for an image of any revision of `chip`: DIO, the
    /// chip's slower usual frequency, 4 MB, SHA-256 appended.
    #[must_use]
    pub const fn new(chip: Chip, segment_count: u8, entry_addr: u32) -> Self {
        Self {
            segment_count,
            spi_mode: FlashMode::Dio.raw(),
            spi_speed: 0,
            spi_size: FlashSize::Mb4.raw(),
            entry_addr,
            wp_pin: WP_PIN_DISABLED,
            spi_pin_drv: [0; 3],
            chip_id: chip.image_chip_id(),
            min_chip_rev: 0,
            min_chip_rev_full: 0,
            max_chip_rev_full: u16::MAX,
            reserved: [0; 4],
            hash_appended: true,
        }
    }

    /// Reads the header from the first bytes of an image.
    ///
    /// # Errors
    ///
    /// [`ImageError::Truncated`], [`ImageError::BadMagic`], [`ImageError::SegmentCount`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut fields = Reader::new(bytes);
        if let Some(found) = fields.u8()
            && found != IMAGE_MAGIC
        {
            return Err(ImageError::BadMagic { offset_bytes: 0, found });
        }
        let found_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let header = Self::read(fields)
            .ok_or(ImageError::Truncated { found_bytes, needed_bytes: HEADER_LEN_BYTES })?;
        match header.segment_count {
            1..=MAX_SEGMENTS => Ok(header),
            found => Err(ImageError::SegmentCount { offset_bytes: 1, found }),
        }
    }

    fn read(mut behind_magic: Reader<'_>) -> Option<Self> {
        let fields = &mut behind_magic;
        let segment_count = fields.u8()?;
        let spi_mode = fields.u8()?;
        let speed_and_size = fields.u8()?;
        Some(Self {
            segment_count,
            spi_mode,
            spi_speed: speed_and_size & 0xf,
            spi_size: speed_and_size >> 4,
            entry_addr: fields.u32()?,
            wp_pin: fields.u8()?,
            spi_pin_drv: fields.array()?,
            chip_id: fields.u16()?,
            min_chip_rev: fields.u8()?,
            min_chip_rev_full: fields.u16()?,
            max_chip_rev_full: fields.u16()?,
            reserved: fields.array()?,
            // Any bit counts for the bootloader.
            hash_appended: fields.u8()? != 0,
        })
    }

    /// The header's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN_BYTES as usize] {
        Writer::filled_with(0)
            .put(&[IMAGE_MAGIC, self.segment_count, self.spi_mode])
            .put(&[(self.spi_size << 4) | (self.spi_speed & 0xf)])
            .put(&self.entry_addr.to_le_bytes())
            .put(&[self.wp_pin])
            .put(&self.spi_pin_drv)
            .put(&self.chip_id.to_le_bytes())
            .put(&[self.min_chip_rev])
            .put(&self.min_chip_rev_full.to_le_bytes())
            .put(&self.max_chip_rev_full.to_le_bytes())
            .put(&self.reserved)
            .put(&[u8::from(self.hash_appended)])
            .finish()
    }

    /// The chip the image is for, if it is a supported one.
    #[must_use]
    pub fn chip(&self) -> Option<Chip> {
        Chip::from_image_chip_id(self.chip_id)
    }

    /// The revisions of that chip that the image runs on, major times 100 plus minor.
    ///
    /// As ESP-IDF's bootloaders read it (`bootloader_common_check_chip_validity`). Before version 5
    /// they read one byte, which on ESP32 is the major revision. 0 means no limit.
    #[must_use]
    pub const fn chip_revisions(&self, chip: Chip) -> RangeInclusive<u16> {
        let min = match (self.min_chip_rev_full, chip) {
            (0, Chip::Esp32) => (self.min_chip_rev as u16) * 100,
            (min, _) => min,
        };
        match self.max_chip_rev_full {
            0 => min..=u16::MAX,
            max => min..=max,
        }
    }

    /// How the flash is read, if the number is a known one.
    #[must_use]
    pub fn flash_mode(&self) -> Option<FlashMode> {
        FlashMode::from_raw(self.spi_mode)
    }

    /// The clock at which the flash is read, if chip and number are known.
    #[must_use]
    pub fn flash_freq(&self) -> Option<FlashFreq> {
        FlashFreq::from_raw(self.spi_speed, self.chip()?)
    }

    /// The size of the flash, if the number is a known one.
    #[must_use]
    pub fn flash_size(&self) -> Option<FlashSize> {
        FlashSize::from_raw(self.spi_size)
    }

    /// The size of the flash that a bootloader with this header can read. Espressif's bootloaders
    /// treat an unknown size as 2 MiB (`update_flash_config` in components/bootloader_support of
    /// ESP-IDF).
    #[must_use]
    pub fn readable_flash_size(&self) -> FlashSize {
        self.flash_size().unwrap_or(FlashSize::Mb2)
    }
}

/// A revision of a chip, major times 100 plus minor. It prints as Espressif writes it, `v3.1`;
/// 65535 prints as `any`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChipRevision(pub u16);

impl fmt::Display for ChipRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u16::MAX => f.write_str("any"),
            rev => write!(f, "v{}.{}", rev / 100, rev % 100),
        }
    }
}
