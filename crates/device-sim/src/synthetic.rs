//! Made-up images for simulated devices: they pass every check and contain noise.

use esp_idf_format::app_desc::{APP_DESC_LEN_BYTES, AppDescription};
use esp_idf_format::image::{
    BuildError, DIGEST_LEN_BYTES, FlashSize, HEADER_LEN_BYTES, ImageBuilder,
    SEGMENT_HEADER_LEN_BYTES,
};
use esp_idf_format::partition::{Partition, PartitionType, subtype};
use esp_idf_format::{Chip, FixedText};
use flash_region::{FlashAddr, Region};
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif::{LoadHeader, LoadSegment};
use nor_sim::Noise;

/// Bytes of an app's image that are not noise: headers, description, checksum, SHA-256.
pub const APP_OVERHEAD_BYTES: u32 =
    HEADER_LEN_BYTES + SEGMENT_HEADER_LEN_BYTES + APP_DESC_LEN_BYTES as u32 + 16 + DIGEST_LEN_BYTES;

/// A bootloader image of about `len_bytes`, which can be made known to a [`Board`](crate::Board) as
/// ESP-IDF's or MCUboot's. Different seeds give different bootloaders.
///
/// # Errors
///
/// [`BuildError`] for a length that no segment can have.
pub fn bootloader(
    chip: Chip,
    flash_size: FlashSize,
    len_bytes: u32,
    seed: u64,
) -> Result<Vec<u8>, BuildError> {
    ImageBuilder::new(chip)
        .flash_size(flash_size)
        .entry_addr(0x4038_0000)
        .segment(0x4038_0000, &noise(len_bytes / 2, seed))
        .segment(0x3fcd_0000, &noise(len_bytes / 2, !seed))
        .build()
}

/// An ESP-IDF app of exactly `len_bytes`, SHA-256 included, where that is a multiple of 16 and at
/// least [`APP_OVERHEAD_BYTES`]; otherwise of the next length that is.
///
/// # Errors
///
/// [`BuildError`] for a length that no segment can have.
pub fn app(
    chip: Chip,
    name: &str,
    version: &str,
    len_bytes: u32,
    seed: u64,
) -> Result<Vec<u8>, BuildError> {
    let text = |text: &str| FixedText::new(text).unwrap_or_default();
    let description = AppDescription::new(text(name), text(version));
    let len_bytes = len_bytes.next_multiple_of(16).max(APP_OVERHEAD_BYTES);
    ImageBuilder::new(chip)
        .entry_addr(0x4038_0000)
        .app_segment(0x3c00_0020, &description, &noise(len_bytes - APP_OVERHEAD_BYTES, seed))
        .build()
}

/// What goes into an MCUboot image for Espressif's port: a load header and `len_bytes` of code,
/// which follow a header of 32 bytes. It has to be signed by the caller.
#[must_use]
pub fn target_payload(len_bytes: u32, seed: u64) -> Vec<u8> {
    const IRAM_ADDR: u32 = 0x4038_0000;
    let code_at = (ImageHeader::LEN_BYTES + LoadHeader::LEN_BYTES) as u32;
    let header = LoadHeader {
        entry_addr: IRAM_ADDR,
        iram: LoadSegment { dest_addr: IRAM_ADDR, offset_bytes: code_at, len_bytes },
        dram: LoadSegment { dest_addr: 0x3fc8_0000, offset_bytes: code_at, len_bytes: 0 },
    };
    [header.to_bytes().as_slice(), &noise(len_bytes, seed)].concat()
}

/// The partitions of the example: factory and two OTA slots of 1 MiB on 4 MB of flash.
#[must_use]
pub fn example_partitions() -> Vec<Partition> {
    [
        ("nvs", PartitionType::Data, subtype::NVS, 0x9000, 0x4000),
        ("otadata", PartitionType::Data, subtype::OTADATA, 0xd000, 0x2000),
        ("phy_init", PartitionType::Data, subtype::PHY, 0xf000, 0x1000),
        ("factory", PartitionType::App, subtype::FACTORY, 0x1_0000, 0x10_0000),
        ("ota_0", PartitionType::App, subtype::OTA_0, 0x11_0000, 0x10_0000),
        ("ota_1", PartitionType::App, subtype::OTA_0 + 1, 0x21_0000, 0x10_0000),
    ]
    .into_iter()
    .map(|(label, kind, subtype, start, len_bytes)| Partition {
        label: FixedText::new(label).unwrap_or_default(),
        kind,
        subtype,
        region: Region::clamped(FlashAddr(start), len_bytes),
        flags: 0,
    })
    .collect()
}

fn noise(len_bytes: u32, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; len_bytes as usize];
    Noise::new(seed).fill(&mut bytes);
    bytes
}
