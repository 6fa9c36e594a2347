//! The chips that ESP-IDF devices are built on, as far as their flash layout differs.

use core::fmt;
use core::str::FromStr;

use flash_region::{FlashAddr, Region};

use crate::partition::TABLE_ADDR;

/// A chip of the ESP32 family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Chip {
    /// ESP32, Xtensa LX6.
    Esp32,
    /// ESP32-S2, Xtensa LX7.
    Esp32s2,
    /// ESP32-S3, Xtensa LX7.
    Esp32s3,
    /// ESP32-C3, RV32IMC.
    Esp32c3,
    /// ESP32-C6, RV32IMAC.
    Esp32c6,
    /// ESP32-H2, RV32IMAC, without Wi-Fi.
    Esp32h2,
}

impl Chip {
    /// Every chip there is support for.
    pub const ALL: [Self; 6] =
        [Self::Esp32, Self::Esp32s2, Self::Esp32s3, Self::Esp32c3, Self::Esp32c6, Self::Esp32h2];

    /// The name as ESP-IDF writes it for its targets, `esp32s3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Esp32 => "esp32",
            Self::Esp32s2 => "esp32s2",
            Self::Esp32s3 => "esp32s3",
            Self::Esp32c3 => "esp32c3",
            Self::Esp32c6 => "esp32c6",
            Self::Esp32h2 => "esp32h2",
        }
    }

    /// The chip of that name, in any case, with or without hyphen: `esp32s3`, `ESP32-S3`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let plain =
            || name.bytes().filter(|&byte| byte != b'-').map(|byte| byte.to_ascii_lowercase());
        Self::ALL.into_iter().find(|chip| plain().eq(chip.name().bytes()))
    }

    /// The number of the chip in image headers.
    ///
    /// `esp_chip_id_t` in `components/bootloader_support/include/esp_app_format.h` of
    /// `espressif/esp-idf`.
    #[must_use]
    pub const fn image_chip_id(self) -> u16 {
        match self {
            Self::Esp32 => 0,
            Self::Esp32s2 => 2,
            Self::Esp32s3 => 9,
            Self::Esp32c3 => 5,
            Self::Esp32c6 => 13,
            Self::Esp32h2 => 16,
        }
    }

    /// The chip of that number in image headers, or `None` if it is not one of these.
    #[must_use]
    pub fn from_image_chip_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|chip| chip.image_chip_id() == id)
    }

    /// Where the ROM looks for the second-stage bootloader.
    ///
    /// `CONFIG_BOOTLOADER_OFFSET_IN_FLASH` in `components/bootloader/Kconfig.projbuild` of
    /// `espressif/esp-idf`.
    #[must_use]
    pub const fn bootloader_addr(self) -> FlashAddr {
        match self {
            Self::Esp32 | Self::Esp32s2 => FlashAddr(0x1000),
            Self::Esp32s3 | Self::Esp32c3 | Self::Esp32c6 | Self::Esp32h2 => FlashAddr(0),
        }
    }

    /// From the bootloader's first byte up to the partition table: all that a bootloader can take
    /// without destroying the table.
    #[must_use]
    pub const fn bootloader_region(self) -> Region {
        let start = self.bootloader_addr();
        Region::clamped(start, TABLE_ADDR.bytes_since(start))
    }

    /// Whether the chip has a Wi-Fi radio.
    #[must_use]
    pub const fn has_wifi(self) -> bool {
        !matches!(self, Self::Esp32h2)
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Chip {
    type Err = UnknownChip;

    fn from_str(name: &str) -> Result<Self, UnknownChip> {
        Self::from_name(name).ok_or(UnknownChip)
    }
}

/// A chip by its number in image headers. It prints as its name; for a chip without support it
/// prints that, too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ImageChip(pub u16);

impl ImageChip {
    /// The name of a chip without support.
    ///
    /// `esp_chip_id_t` in `components/bootloader_support/include/esp_app_format.h` of
    /// `espressif/esp-idf`, as of 2026-07.
    const fn unsupported(self) -> Option<&'static str> {
        Some(match self.0 {
            0x0c => "esp32c2",
            0x12 => "esp32p4",
            0x14 => "esp32c61",
            0x17 => "esp32c5",
            0x19 => "esp32h21",
            0x1c => "esp32h4",
            0x20 => "esp32s31",
            _ => return None,
        })
    }
}

impl fmt::Display for ImageChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (Chip::from_image_chip_id(self.0), self.unsupported()) {
            (Some(chip), _) => chip.fmt(f),
            (None, Some(name)) => write!(f, "{name}, which is not supported"),
            (None, None) => write!(f, "an unknown chip (id {})", self.0),
        }
    }
}

/// A name that is not that of a supported chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownChip;

impl fmt::Display for UnknownChip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a supported chip; they are")?;
        for chip in Chip::ALL {
            write!(f, " {chip}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownChip {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn every_chip_is_found_by_name_and_number() {
        for chip in Chip::ALL {
            assert_eq!(chip.name().parse(), Ok(chip));
            assert_eq!(chip.to_string(), chip.name());
            assert_eq!(Chip::from_image_chip_id(chip.image_chip_id()), Some(chip));
        }
        assert_eq!("ESP32-S3".parse(), Ok(Chip::Esp32s3));
        assert_eq!("esp32p4".parse::<Chip>(), Err(UnknownChip));
        assert_eq!(Chip::from_image_chip_id(0xffff), None);
    }

    #[test]
    fn chips_without_support_are_named() {
        for (id, said) in [
            (5, "esp32c3"),
            (12, "esp32c2, which is not supported"),
            (18, "esp32p4, which is not supported"),
            (20, "esp32c61, which is not supported"),
            (23, "esp32c5, which is not supported"),
            (0x77, "an unknown chip (id 119)"),
        ] {
            assert_eq!(ImageChip(id).to_string(), said);
        }
    }

    #[test]
    fn the_bootloader_ends_where_the_partition_table_begins() {
        assert_eq!(Chip::Esp32.bootloader_region().len_bytes(), 0x7000);
        assert_eq!(Chip::Esp32c3.bootloader_region().len_bytes(), 0x8000);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        assert_eq!(
            UnknownChip.to_string(),
            "not a supported chip; they are esp32 esp32s2 esp32s3 esp32c3 esp32c6 esp32h2"
        );
    }
}
