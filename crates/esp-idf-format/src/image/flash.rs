//! How the ROM and the bootloader access the flash chip.

use core::fmt;
use core::str::FromStr;

use crate::Chip;

/// Over how many wires the flash is read.
///
/// `esp_image_spi_mode_t` in `components/bootloader_support/include/esp_app_format.h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlashMode {
    /// Address and data over four wires.
    Qio,
    /// Data over four wires.
    Qout,
    /// Address and data over two wires.
    Dio,
    /// Data over two wires.
    Dout,
    /// One wire, with a pause after the address.
    FastRead,
    /// One wire, without a pause.
    SlowRead,
}

impl FlashMode {
    /// Every mode there is, by the number in the header.
    pub const ALL: [Self; 6] =
        [Self::Qio, Self::Qout, Self::Dio, Self::Dout, Self::FastRead, Self::SlowRead];

    /// The number in the header.
    #[must_use]
    pub const fn raw(self) -> u8 {
        match self {
            Self::Qio => 0,
            Self::Qout => 1,
            Self::Dio => 2,
            Self::Dout => 3,
            Self::FastRead => 4,
            Self::SlowRead => 5,
        }
    }

    /// The mode of that number, if it is one.
    #[must_use]
    pub fn from_raw(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.raw() == raw)
    }

    /// The name as esptool writes it, `dio`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qio => "qio",
            Self::Qout => "qout",
            Self::Dio => "dio",
            Self::Dout => "dout",
            Self::FastRead => "fast-read",
            Self::SlowRead => "slow-read",
        }
    }
}

impl fmt::Display for FlashMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The clock at which the flash is read while the bootloader starts.
///
/// The header has a divider of a clock that is not the same on every chip (tables
/// `FLASH_FREQUENCY` in `esptool/targets` of `espressif/esptool`):
///
/// | number | ESP32, S2, S3, C3 | C6            | H2     |
/// | ---    | ---               | ---           | ---    |
/// | 0x0    | 40 MHz            | 80 and 40 MHz | 24 MHz |
/// | 0x1    | 26 MHz            | -             | 16 MHz |
/// | 0x2    | 20 MHz            | 20 MHz        | 12 MHz |
/// | 0xf    | 80 MHz            | (80 MHz)      | 48 MHz |
///
/// On ESP32-C6, 80 MHz is written as 0x0, because the ROM would set a wrong divider for 0xf; some
/// tools wrote 0xf nevertheless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlashFreq {
    /// 12 MHz.
    Mhz12,
    /// 16 MHz.
    Mhz16,
    /// 20 MHz.
    Mhz20,
    /// 24 MHz.
    Mhz24,
    /// 26.7 MHz, which Espressif's tools call 26.
    Mhz26,
    /// 40 MHz.
    Mhz40,
    /// 48 MHz.
    Mhz48,
    /// 80 MHz.
    Mhz80,
}

impl FlashFreq {
    /// Every frequency that some chip has.
    pub const ALL: [Self; 8] = [
        Self::Mhz12,
        Self::Mhz16,
        Self::Mhz20,
        Self::Mhz24,
        Self::Mhz26,
        Self::Mhz40,
        Self::Mhz48,
        Self::Mhz80,
    ];

    /// The frequency in MHz, rounded down.
    #[must_use]
    pub const fn mhz(self) -> u8 {
        match self {
            Self::Mhz12 => 12,
            Self::Mhz16 => 16,
            Self::Mhz20 => 20,
            Self::Mhz24 => 24,
            Self::Mhz26 => 26,
            Self::Mhz40 => 40,
            Self::Mhz48 => 48,
            Self::Mhz80 => 80,
        }
    }

    /// The number in the header of an image for `chip`, or `None` if the chip has no such
    /// frequency.
    #[must_use]
    pub const fn raw(self, chip: Chip) -> Option<u8> {
        match (chip, self) {
            (Chip::Esp32h2, Self::Mhz48) => Some(0xf),
            (Chip::Esp32h2, Self::Mhz24) => Some(0x0),
            (Chip::Esp32h2, Self::Mhz16) => Some(0x1),
            (Chip::Esp32h2, Self::Mhz12) => Some(0x2),
            (Chip::Esp32h2, _) => None,
            (Chip::Esp32c6, Self::Mhz80 | Self::Mhz40) => Some(0x0),
            (Chip::Esp32c6, Self::Mhz20) => Some(0x2),
            (Chip::Esp32c6, _) => None,
            (_, Self::Mhz80) => Some(0xf),
            (_, Self::Mhz40) => Some(0x0),
            (_, Self::Mhz26) => Some(0x1),
            (_, Self::Mhz20) => Some(0x2),
            (_, _) => None,
        }
    }

    /// The frequency that the number means in an image for `chip`, if it is one.
    ///
    /// On ESP32-C6, 0x0 is read as 80 MHz, ESP-IDF's default there.
    #[must_use]
    pub const fn from_raw(raw: u8, chip: Chip) -> Option<Self> {
        match (chip, raw) {
            (Chip::Esp32h2, 0x0) => Some(Self::Mhz24),
            (Chip::Esp32h2, 0x1) => Some(Self::Mhz16),
            (Chip::Esp32h2, 0x2) => Some(Self::Mhz12),
            (Chip::Esp32h2, 0xf) => Some(Self::Mhz48),
            (Chip::Esp32c6, 0x0 | 0xf) => Some(Self::Mhz80),
            (Chip::Esp32c6, 0x1) => None,
            (_, 0x0) => Some(Self::Mhz40),
            (_, 0x1) => Some(Self::Mhz26),
            (_, 0x2) => Some(Self::Mhz20),
            (_, 0xf) => Some(Self::Mhz80),
            (_, _) => None,
        }
    }
}

impl fmt::Display for FlashFreq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MHz", self.mhz())
    }
}

/// The size of the flash chip. A binary megabyte is written "MB", as in all of ESP-IDF.
///
/// `esp_image_flash_size_t` in `components/bootloader_support/include/esp_app_format.h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlashSize {
    /// 1 MB.
    Mb1,
    /// 2 MB.
    Mb2,
    /// 4 MB.
    Mb4,
    /// 8 MB.
    Mb8,
    /// 16 MB.
    Mb16,
    /// 32 MB.
    Mb32,
    /// 64 MB.
    Mb64,
    /// 128 MB.
    Mb128,
}

impl FlashSize {
    /// Every size there is, by the number in the header.
    pub const ALL: [Self; 8] = [
        Self::Mb1,
        Self::Mb2,
        Self::Mb4,
        Self::Mb8,
        Self::Mb16,
        Self::Mb32,
        Self::Mb64,
        Self::Mb128,
    ];

    /// The number in the header.
    #[must_use]
    pub const fn raw(self) -> u8 {
        match self {
            Self::Mb1 => 0,
            Self::Mb2 => 1,
            Self::Mb4 => 2,
            Self::Mb8 => 3,
            Self::Mb16 => 4,
            Self::Mb32 => 5,
            Self::Mb64 => 6,
            Self::Mb128 => 7,
        }
    }

    /// The size of that number, if it is one.
    #[must_use]
    pub fn from_raw(raw: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.raw() == raw)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        0x10_0000 << self.raw()
    }

    /// The size of exactly so many bytes, if it is one.
    #[must_use]
    pub fn from_bytes(len_bytes: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bytes() == len_bytes)
    }

    /// The name as esptool writes it, `4MB`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mb1 => "1MB",
            Self::Mb2 => "2MB",
            Self::Mb4 => "4MB",
            Self::Mb8 => "8MB",
            Self::Mb16 => "16MB",
            Self::Mb32 => "32MB",
            Self::Mb64 => "64MB",
            Self::Mb128 => "128MB",
        }
    }
}

impl fmt::Display for FlashSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FlashSize {
    type Err = UnknownFlashSize;

    fn from_str(name: &str) -> Result<Self, UnknownFlashSize> {
        Self::ALL
            .into_iter()
            .find(|size| size.name().eq_ignore_ascii_case(name))
            .ok_or(UnknownFlashSize)
    }
}

/// A text that is not a flash size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownFlashSize;

impl fmt::Display for UnknownFlashSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a flash size; they are")?;
        for size in FlashSize::ALL {
            write!(f, " {size}")?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownFlashSize {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn values_are_found_by_their_number_and_name() {
        for mode in FlashMode::ALL {
            assert_eq!(FlashMode::from_raw(mode.raw()), Some(mode));
        }
        for size in FlashSize::ALL {
            assert_eq!(FlashSize::from_raw(size.raw()), Some(size));
            assert_eq!(FlashSize::from_bytes(size.bytes()), Some(size));
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert_eq!("4mb".parse(), Ok(FlashSize::Mb4));
        assert_eq!("3MB".parse::<FlashSize>(), Err(UnknownFlashSize));
        assert_eq!(FlashSize::from_bytes(0x40_0001), None);
        assert_eq!(FlashSize::Mb128.bytes(), 0x800_0000);
    }

    #[test]
    fn every_frequency_but_40_mhz_on_c6_is_found_by_its_number() {
        for chip in Chip::ALL {
            for freq in FlashFreq::ALL {
                let Some(raw) = freq.raw(chip) else { continue };
                let back = FlashFreq::from_raw(raw, chip);
                if (chip, freq) == (Chip::Esp32c6, FlashFreq::Mhz40) {
                    assert_eq!(back, Some(FlashFreq::Mhz80));
                } else {
                    assert_eq!(back, Some(freq), "{chip} {freq}");
                }
            }
        }
    }

    #[test]
    fn chips_have_the_frequencies_of_their_own_clock() {
        assert_eq!(FlashFreq::Mhz80.raw(Chip::Esp32h2), None);
        assert_eq!(FlashFreq::Mhz48.raw(Chip::Esp32h2), Some(0xf));
        assert_eq!(FlashFreq::Mhz48.raw(Chip::Esp32), None);
        assert_eq!(FlashFreq::from_raw(0x3, Chip::Esp32), None);
    }
}
