//! How the flash is read, as a bootloader takes it from the header at its place in flash.

use core::fmt;

use super::{EspImageHeader, FlashFreq, FlashMode, FlashSize};
use crate::Chip;

/// Flash mode, frequency and size, by their numbers: bytes 2 and 3 of an image.
///
/// ```text
///   byte 2   mode
///   byte 3   size in the upper half, frequency in the lower
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlashSettings([u8; 2]);

impl FlashSettings {
    /// The settings of a header.
    #[must_use]
    pub const fn of(header: &EspImageHeader) -> Self {
        Self([header.spi_mode, header.spi_size << 4 | header.spi_speed & 0xf])
    }

    /// The settings with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 2]) -> Self {
        Self(bytes)
    }

    /// Their bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0
    }

    /// The size of the flash that a bootloader with these settings can read, as
    /// [`EspImageHeader::readable_flash_size`].
    #[must_use]
    pub fn readable_flash_size(self) -> FlashSize {
        let [_, size_and_speed] = self.0;
        FlashSize::from_raw(size_and_speed >> 4).unwrap_or(FlashSize::Mb2)
    }

    /// The settings in words, for that chip: the numbers of frequencies depend on it.
    #[must_use]
    pub const fn on(self, chip: Chip) -> FlashSettingsText {
        FlashSettingsText { settings: self, chip }
    }
}

/// Flash settings in words, from [`FlashSettings::on`].
#[derive(Clone, Copy, Debug)]
pub struct FlashSettingsText {
    settings: FlashSettings,
    chip: Chip,
}

impl fmt::Display for FlashSettingsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlashSettings([mode, size_and_speed]) = self.settings;
        let (size, speed) = (size_and_speed >> 4, size_and_speed & 0xf);
        match FlashMode::from_raw(mode) {
            Some(mode) => write!(f, "{mode}")?,
            None => write!(f, "mode {mode:#x}")?,
        }
        match FlashFreq::from_raw(speed, self.chip) {
            Some(freq) => write!(f, ", {freq}")?,
            None => write!(f, ", frequency {speed:#x}")?,
        }
        match FlashSize::from_raw(size) {
            Some(size) => write!(f, ", {size}"),
            None => write!(f, ", size {size:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn settings_are_two_bytes_of_the_header() {
        let mut header = EspImageHeader::new(Chip::Esp32c3, 1, 0);
        header.spi_speed = 0xf;
        let settings = FlashSettings::of(&header);
        assert_eq!(settings.to_bytes(), header.to_bytes()[2..4]);
        assert_eq!(FlashSettings::from_bytes(settings.to_bytes()), settings);
        assert_eq!(settings.on(Chip::Esp32c3).to_string(), "dio, 80 MHz, 4MB");
        assert_eq!(settings.readable_flash_size(), FlashSize::Mb4);
        let unknown = FlashSettings::from_bytes([9, 0xf5]);
        let text = unknown.on(Chip::Esp32c3).to_string();
        assert_eq!(text, "mode 0x9, frequency 0x5, size 0xf");
        assert_eq!(unknown.readable_flash_size(), FlashSize::Mb2);
    }
}
