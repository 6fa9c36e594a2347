//! App and bootloader images.
//!
//! ```text
//!   0          24                                                    n        n + 32
//!   | header | | load address, length | data | | .. | .. | .. | 0s | x | SHA-256 |
//!     magic    `---- first segment ---------'  `- others -'   pad    ^
//!     e9                                                             XOR checksum, last byte of
//!                                                                    a multiple of 16
//! ```
//!
//! The checksum is 0xEF XOR all bytes of segment data. The SHA-256 is there if the header says so,
//! and covers everything before it. A signature may follow, and whatever else was in flash. The ROM
//! checks magic and checksum of a bootloader ([`verify_as_rom`]), the bootloader those of an app
//! and the SHA-256 too. A bootloader has to lie in RAM that its chip's ROM leaves free
//! ([`ImageVerifier::for_rom`]).
//!
//! [`ImageVerifier`] takes an image in pieces and keeps only a hash state and a description of it;
//! [`verify`] takes it whole; [`segments`] looks inside. [`update_checksums`] corrects checksum and
//! SHA-256 after a change, as when the flash size in a bootloader's header is adapted to the
//! device, and `ImageBuilder` (feature `alloc`) makes images.
//!
//! Sources: ESP-IDF Programming Guide, "App Image Format"; esptool documentation, "Firmware Image
//! Format"; `components/bootloader_support/src/esp_image_format.c` in `espressif/esp-idf`.

#[cfg(feature = "alloc")]
mod builder;
mod checksums;
mod error;
mod esp8266;
mod flash;
mod header;
mod rom;
mod segment;
mod settings;
#[cfg(test)]
mod tests;
mod verifier;

#[cfg(feature = "alloc")]
pub use builder::{BuildError, ImageBuilder};
pub use checksums::update_checksums;
pub use error::ImageError;
pub use esp8266::is_esp8266;
pub use flash::{FlashFreq, FlashMode, FlashSize};
pub use header::{ChipRevision, EspImageHeader, HEADER_LEN_BYTES, IMAGE_MAGIC, WP_PIN_DISABLED};
pub use rom::{RomFault, RomLoad};
pub use segment::{SEGMENT_HEADER_LEN_BYTES, Segment, SegmentHeader, Segments, segments};
pub use settings::{FlashSettings, FlashSettingsText};
pub use verifier::{
    ImageInfo, ImageVerifier, closed_len_bytes, verify, verify_as_rom, verify_for_rom,
};

/// The most segments that an image may have (`ESP_IMAGE_MAX_SEGMENTS`).
pub const MAX_SEGMENTS: u8 = 16;

/// The bootloader refuses segments of this length and above (`SIXTEEN_MB`,
/// `components/bootloader_support/src/esp_image_format.c` of `espressif/esp-idf`).
pub const MAX_SEGMENT_LEN_BYTES: u32 = 16 * 1024 * 1024;

/// Bytes of the SHA-256 after an image.
pub const DIGEST_LEN_BYTES: u32 = 32;

/// What the checksum begins with (`ESP_ROM_CHECKSUM_INITIAL`).
pub const CHECKSUM_SEED: u8 = 0xef;

/// The image up to its checksum is a multiple of this (ESP-IDF Programming Guide, "App Image
/// Format").
pub const CHECKSUM_ALIGN_BYTES: u32 = 16;

/// Bytes from the end of the last segment to the end of the checksum, 1 to 16.
const fn checksum_len_bytes(segments_end_bytes: u32) -> u32 {
    CHECKSUM_ALIGN_BYTES - segments_end_bytes % CHECKSUM_ALIGN_BYTES
}

/// The checksum with one more piece of segment data.
fn add_to_checksum(checksum: u8, data: &[u8]) -> u8 {
    data.iter().fold(checksum, |sum, byte| sum ^ byte)
}
