//! Made-up images for simulated devices: they pass every check and contain noise.

mod mcuboot;

pub use mcuboot::mcuboot;

use carrier_format::{LoaderMemory, LoaderRecord};
use esp_idf_format::app_desc::{APP_DESC_LEN_BYTES, APP_DESC_OFFSET_BYTES, AppDescription};
use esp_idf_format::image::{
    BuildError, DIGEST_LEN_BYTES, FlashSize, HEADER_LEN_BYTES, ImageBuilder,
    SEGMENT_HEADER_LEN_BYTES,
};
use esp_idf_format::memory::constants_addr;
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
    let (code_addr, data_addr) = bootloader_addrs(chip);
    ImageBuilder::new(chip)
        .flash_size(flash_size)
        .entry_addr(code_addr)
        .segment(code_addr, &noise(len_bytes / 2, seed))
        .segment(data_addr, &noise(len_bytes / 2, !seed))
        .build()
}

/// An image like that of the loader in carriers and first stages: a blank record between bytes that
/// stand for its code. A [`Board`](crate::Board) knows a loader by its bytes, not by what they do.
///
/// # Errors
///
/// [`BuildError`] if it cannot be built.
pub fn loader(chip: Chip) -> Result<Vec<u8>, BuildError> {
    let load_addr = LoaderMemory::of(chip).map_or(0, |memory| memory.load_addr);
    let record = LoaderRecord::blank(chip.image_chip_id()).to_bytes();
    let code = [noise(1000, 0x10ad), record.to_vec(), noise(400, !0x10ad)].concat();
    ImageBuilder::new(chip).entry_addr(load_addr).segment(load_addr, &code).build()
}

/// Where the linker scripts of MCUboot's Espressif port place its loader and its data
/// (boot/espressif/port/<chip>/ld/bootloader.ld in mcu-tools/mcuboot).
const fn bootloader_addrs(chip: Chip) -> (u32, u32) {
    match chip {
        Chip::Esp32 => (0x4007_8000, 0x3fff_4700),
        Chip::Esp32s2 => (0x4005_0000, 0x3ffe_6000),
        Chip::Esp32s3 => (0x403b_a000, 0x3fcd_0000),
        Chip::Esp32c3 => (0x403d_0000, 0x3fcd_5400),
        Chip::Esp32c6 => (0x4086_9610, 0x4087_0610),
        Chip::Esp32h2 => (0x4083_9fd0, 0x4084_0fd0),
    }
}

/// An ESP-IDF app of exactly `len_bytes`, SHA-256 included, if that is a multiple of 16 and at
/// least [`APP_OVERHEAD_BYTES`]; otherwise of the next such length.
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
        .app_segment(
            constants_addr(chip) + APP_DESC_OFFSET_BYTES,
            &description,
            &noise(len_bytes - APP_OVERHEAD_BYTES, seed),
        )
        .build()
}

/// The payload of an MCUboot image for Espressif's port on that chip: a load header and code,
/// together 32 bytes more than `len_bytes`. In the image it follows a header of 32 bytes; the
/// caller signs it.
///
/// The application lies in the chip's memories as a linker would place it: some code in instruction
/// RAM, some data in data RAM, the rest in flash. An application that is too short for code has no
/// entry point.
#[must_use]
pub fn target_payload(chip: Chip, len_bytes: u32, seed: u64) -> Vec<u8> {
    const RESERVED: u32 = LoadHeader::RESERVED_LEN_BYTES as u32;
    // On chips where code and data share their addresses, the data follows the code.
    const MOST_IRAM_BYTES: u32 = 0x1_0000;
    const MOST_DRAM_BYTES: u32 = 0x4000;
    let code_len = (len_bytes + 32).saturating_sub(RESERVED);
    let iram_len = code_len.div_ceil(2).min(MOST_IRAM_BYTES);
    let dram_len = (code_len - iram_len).min(MOST_DRAM_BYTES);
    let (iram_addr, dram_addr) = target_addrs(chip);
    let iram_at = ImageHeader::LEN_BYTES as u32 + RESERVED;
    let header = LoadHeader {
        entry_addr: iram_addr,
        iram: LoadSegment { dest_addr: iram_addr, offset_bytes: iram_at, len_bytes: iram_len },
        dram: LoadSegment {
            dest_addr: dram_addr,
            offset_bytes: iram_at + iram_len,
            len_bytes: dram_len,
        },
        lp_iram: LoadSegment::default(),
        lp_dram: LoadSegment::default(),
        irom: LoadSegment::default(),
        drom: LoadSegment::default(),
    };
    let mut payload = header.to_bytes().to_vec();
    payload.resize(RESERVED as usize, 0);
    payload.extend(noise(code_len, seed));
    payload
}

/// About where the linker scripts of NuttX for MCUboot place code and data in RAM: after the
/// instruction cache, and before the memory of the bootloader.
const fn target_addrs(chip: Chip) -> (u32, u32) {
    match chip {
        Chip::Esp32 => (0x4008_0000, 0x3ffb_0000),
        Chip::Esp32s2 => (0x4002_2000, 0x3ffb_8000),
        Chip::Esp32s3 => (0x4038_0000, 0x3fc9_8000),
        Chip::Esp32c3 => (0x4038_0000, 0x3fc9_0000),
        Chip::Esp32c6 | Chip::Esp32h2 => (0x4080_0000, 0x4081_0000),
    }
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
