//! Making a carrier or a first stage: the prebuilt loader with its record filled in, and the target
//! bootloader twice.
//!
//! ```text
//!   bootswap-CHIP-loader.bin ── code ──┐
//!   dump: otadata, flash settings ─────┼──> record ──> app image | trial word | copy 1 | copy 2
//!   MCUboot.bin: its map, itself ──────┘
//! ```
//!
//! This is done in a file, not on the device. So `image info`, esptool and whoever signs or
//! archives the file see the bytes that will be in flash, and a device only compares a digest.
//!
//! The formats are in [`carrier_format`].

mod bootloader;
mod error;
mod loader;
mod old;
#[cfg(test)]
mod tests;

pub use bootloader::TargetBootloader;
pub use error::CarrierError;
pub use loader::LoaderImage;
pub use old::OldSystem;

use carrier_format::{
    COPIES_OFFSET_BYTES, IMAGE_MAX_BYTES, LoaderRecord, MAX_STARTS, PROJECT, Place,
    TRIAL_OFFSET_BYTES, Trial,
};
use esp_idf_format::FixedText;
use esp_idf_format::app_desc::{APP_DESC_LEN_BYTES, APP_DESC_OFFSET_BYTES, AppDescription};
use esp_idf_format::image::{
    HEADER_LEN_BYTES, ImageBuilder, SEGMENT_HEADER_LEN_BYTES, update_checksums,
};
use esp_idf_format::memory::constants_addr;
use flash_region::{ERASED, FlashAddr, SECTOR_BYTES};
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{MAGIC_LEN_BYTES, TrailerConfig, TrailerLayout};

/// Binary logarithm of the page size with which apps are mapped, `CONFIG_MMU_PAGE_SIZE` of ESP-IDF.
const PAGE_SIZE_LOG2: u8 = 16;
/// Code that is never run: ESP-IDF's bootloader needs a segment of mapped code, and on chips with
/// one window for code and data exactly two mapped segments (`unpack_load_app`,
/// `components/bootloader_support/src/bootloader_utility.c`).
const NO_CODE: [u8; 8] = [0; 8];

/// How a carrier starts its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CarrierOptions {
    /// Address of the old system's otadata, which is the way back.
    pub otadata: Option<FlashAddr>,
    /// How often the target is started before it must be confirmed; `None` without a trial.
    pub trial: Option<TrialOptions>,
    /// Version of the carrier's app for anti-rollback.
    pub secure_version: u32,
}

/// How long a target is on trial.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrialOptions {
    /// Starts, 1 to [`MAX_STARTS`].
    pub starts: u32,
    /// Seconds after which the RTC watchdog resets a target that has not taken it over; 0 stops it.
    pub watchdog_s: u32,
}

/// Makes a carrier.
///
/// # Errors
///
/// A [`CarrierError`].
pub fn carrier(
    loader: &LoaderImage,
    bootloader: &TargetBootloader,
    options: CarrierOptions,
) -> Result<Vec<u8>, CarrierError> {
    let CarrierOptions { otadata, trial, secure_version } = options;
    if trial.is_some() && otadata.is_none() {
        return Err(CarrierError::NoWayBack);
    }
    let len_bytes = bootloader.len_bytes();
    let second = (COPIES_OFFSET_BYTES + len_bytes).next_multiple_of(SECTOR_BYTES);
    let record = LoaderRecord {
        place: Some(Place::Carrier),
        copies: [Some(COPIES_OFFSET_BYTES), Some(second)],
        copy_len_bytes: len_bytes,
        otadata,
        trial: trial.map(|trial| trial_of(bootloader, trial)).transpose()?,
        ..LoaderRecord::blank(loader.chip.image_chip_id())
    };
    let image = app(loader, bootloader, &record, secure_version)?;
    let mut file = padded(image, COPIES_OFFSET_BYTES)?;
    file.extend(bootloader.bytes());
    file.resize(second as usize, ERASED);
    file.extend(bootloader.bytes());
    Ok(file)
}

/// Makes a first stage followed by the first copy: the file for the bootloader's address. The
/// second copy is the bootloader's file itself, to be written to `second`.
///
/// # Errors
///
/// A [`CarrierError`].
pub fn first_stage(
    loader: &LoaderImage,
    bootloader: &TargetBootloader,
    second: FlashAddr,
) -> Result<Vec<u8>, CarrierError> {
    let region = loader.chip.bootloader_region();
    let len_bytes = bootloader.len_bytes();
    let whole_bytes = COPIES_OFFSET_BYTES + len_bytes;
    if whole_bytes > region.len_bytes() {
        return Err(CarrierError::FirstStageTooLong { found_bytes: whole_bytes, region });
    }
    if !second.is_aligned(SECTOR_BYTES) || second < region.end() {
        return Err(CarrierError::SecondCopy { addr: second, region });
    }
    let record = LoaderRecord {
        place: Some(Place::FirstStage),
        copies: [Some(COPIES_OFFSET_BYTES), Some(second.bytes_since(region.start()))],
        copy_len_bytes: len_bytes,
        ..LoaderRecord::blank(loader.chip.image_chip_id())
    };
    let builder = ImageBuilder::new(loader.chip)
        .entry_addr(loader.entry_addr)
        .segment(loader.load_addr, &loader.code_with(&record));
    let image = finish(builder, bootloader)?;
    let mut file = padded(image, COPIES_OFFSET_BYTES)?;
    file.extend(bootloader.bytes());
    Ok(file)
}

/// The trial for the record: where MCUboot's own confirmation will be.
fn trial_of(bootloader: &TargetBootloader, trial: TrialOptions) -> Result<Trial, CarrierError> {
    let TrialOptions { starts, watchdog_s } = trial;
    if !(1..=MAX_STARTS).contains(&starts) {
        return Err(CarrierError::Starts { found: starts });
    }
    let (primary, max_align) = bootloader.primary().ok_or(CarrierError::NoMap)?;
    // The place of `image_ok` does not depend on the kind of swap.
    let config = TrailerConfig { max_align, ..TrailerConfig::espressif(SwapKind::Scratch) };
    let layout = TrailerLayout::new(primary, config).map_err(CarrierError::Trailer)?;
    let magic = mcuboot_format::trailer::magic_bytes(max_align);
    let end = magic.last_chunk().map_or(0, |end| u32::from_le_bytes(*end));
    Ok(Trial {
        word_offset_bytes: TRIAL_OFFSET_BYTES,
        starts,
        watchdog_ms: watchdog_s.saturating_mul(1000),
        image_ok: layout.image_ok(),
        magic_end: layout.magic().saturating_add(MAGIC_LEN_BYTES - 4),
        magic: end,
    })
}

/// The app: a description, the loader's code, and mapped code.
fn app(
    loader: &LoaderImage,
    bootloader: &TargetBootloader,
    record: &LoaderRecord,
    secure_version: u32,
) -> Result<Vec<u8>, CarrierError> {
    let text = |text| FixedText::new(text).unwrap_or(FixedText::EMPTY);
    let description = AppDescription {
        secure_version,
        mmu_page_size_log2: PAGE_SIZE_LOG2,
        ..AppDescription::new(
            text(PROJECT),
            FixedText::new(env!("CARGO_PKG_VERSION")).unwrap_or(FixedText::EMPTY),
        )
    };
    let code = loader.code_with(record);
    // A mapped address has the same offset in its page as its data has in flash, and each of the
    // two segments gets its own page.
    let page_bytes = 1 << PAGE_SIZE_LOG2;
    let description_len_bytes = APP_DESC_LEN_BYTES as u32;
    let code_bytes = u32::try_from(code.len()).unwrap_or(u32::MAX);
    let mapped_code_offset_bytes = APP_DESC_OFFSET_BYTES
        .saturating_add(description_len_bytes)
        .saturating_add(code_bytes)
        .saturating_add(2 * SEGMENT_HEADER_LEN_BYTES);
    let builder = ImageBuilder::new(loader.chip)
        .entry_addr(loader.entry_addr)
        .app_segment(constants_addr(loader.chip) + APP_DESC_OFFSET_BYTES, &description, &[])
        .segment(loader.load_addr, &code)
        .segment(CODE_WINDOW + page_bytes + mapped_code_offset_bytes, &NO_CODE);
    finish(builder, bootloader)
}

/// Where the cache of the RISC-V chips maps code to: `SOC_IROM_LOW`
/// (`components/soc/CHIP/include/soc/soc.h` of `espressif/esp-idf`).
const CODE_WINDOW: u32 = 0x4200_0000;

/// Builds the image with the flash settings, pins and chip revisions of the bootloader's header.
fn finish(builder: ImageBuilder, bootloader: &TargetBootloader) -> Result<Vec<u8>, CarrierError> {
    /// Mode, frequency and size; pins; revisions. All other fields are the image's own.
    const FIELDS: [std::ops::Range<usize>; 3] = [2..4, 8..12, 14..19];
    let mut image = builder.build().map_err(CarrierError::Build)?;
    let header = bootloader.bytes().get(..HEADER_LEN_BYTES as usize).unwrap_or_default();
    for field in FIELDS {
        if let (Some(to), Some(from)) = (image.get_mut(field.clone()), header.get(field)) {
            to.copy_from_slice(from);
        }
    }
    update_checksums(&mut image).map_err(CarrierError::Image)?;
    Ok(image)
}

fn padded(mut image: Vec<u8>, to_bytes: u32) -> Result<Vec<u8>, CarrierError> {
    if image.len() > IMAGE_MAX_BYTES as usize {
        return Err(CarrierError::LoaderTooLong { found_bytes: image.len() });
    }
    image.resize(to_bytes as usize, ERASED);
    Ok(image)
}
