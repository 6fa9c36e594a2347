//! Recognizes images of the ESP8266, which begin like those of the ESP32 family.

/// Where its IRAM is mapped: instruction RAM of 48 KiB, and what the cache leaves free
/// (`docs/en/advanced-topics/firmware-image-format.rst` in `espressif/esptool`, "ESP8266").
const IRAM: core::ops::Range<u32> = 0x4010_0000..0x4011_0000;

/// First bytes of an image of version 2, which has the flash-mapped code in front.
const VERSION_2: [u8; 2] = [0xea, 4];

/// Whether a file begins like an image of the ESP8266, of either version.
///
/// Version 1 has the magic of the ESP32 family, and an address of the ESP8266 as its entry.
#[must_use]
pub fn is_esp8266(file: &[u8]) -> bool {
    let entry = file.get(4..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes);
    let begins_there = entry.is_some_and(|entry| IRAM.contains(&entry));
    file.starts_with(&VERSION_2) || (file.first() == Some(&super::IMAGE_MAGIC) && begins_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_recognized() {
        let version_1 = [0xe9, 3, 2, 0x40, 0x14, 0, 0x10, 0x40, 0, 0, 0x10, 0x40];
        assert!(is_esp8266(&version_1));
        assert!(is_esp8266(&[0xea, 4, 0, 0x40, 0x14, 0, 0x10, 0x40]));
        // An ESP32's entry, another magic, and nothing.
        assert!(!is_esp8266(&[0xe9, 3, 2, 0x20, 0x14, 0, 8, 0x40]));
        assert!(!is_esp8266(&[0xe8, 3, 2, 0x40, 0x14, 0, 0x10, 0x40]));
        assert!(!is_esp8266(&[0xe9, 3]) && !is_esp8266(&[]));
    }
}
