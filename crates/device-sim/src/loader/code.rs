//! Finds the loader in an image, recognizes it by its code, and reads its record.
//!
//! The judge reads the record with code of its own: the words are those that [`carrier_format`]
//! draws, but neither the loader nor the composer of carriers shares this code.

use carrier_format::{MAX_STARTS, RECORD_LEN_BYTES, RECORD_MAGIC};
use esp_idf_format::Chip;
use esp_idf_format::image::{EspImageHeader, SegmentHeader, segments};
use flash_region::{BLOCK_64K_BYTES, FlashAddr};
use sha2::{Digest, Sha256};

/// Identifies the code of a loader: SHA-256 over its address in RAM, its entry point, and its bytes
/// without the record.
pub(crate) type CodeDigest = [u8; 32];

/// A loader in an image.
#[derive(Clone, Debug)]
pub(crate) struct LoaderCode {
    pub(crate) digest: CodeDigest,
    /// Where it lies in RAM.
    pub(crate) load_addr: u32,
    record: Vec<u8>,
}

impl LoaderCode {
    /// The loader in an image; `None` if the code that the image runs has no record.
    pub(crate) fn find(image: &[u8]) -> Option<Self> {
        let entry_addr = EspImageHeader::parse(image).ok()?.entry_addr;
        let segment = segments(image).ok()?.flatten().find(|segment| {
            let SegmentHeader { load_addr, len_bytes } = segment.header;
            entry_addr.checked_sub(load_addr).is_some_and(|at| at < len_bytes)
        })?;
        let magic = RECORD_MAGIC.map(u32::to_le_bytes).concat();
        let begins = |at: &usize| segment.data.get(*at..).is_some_and(|at| at.starts_with(&magic));
        let at = (0..segment.data.len()).step_by(4).find(begins)?;
        let (before, rest) = segment.data.split_at(at);
        let (record, behind) = rest.split_at_checked(RECORD_LEN_BYTES)?;
        let load_addr = segment.header.load_addr;
        let digest = Sha256::new()
            .chain_update(load_addr.to_le_bytes())
            .chain_update(entry_addr.to_le_bytes())
            .chain_update(before)
            .chain_update(behind)
            .finalize()
            .into();
        Some(Self { digest, load_addr, record: record.to_vec() })
    }

    /// What it is to do.
    pub(crate) fn job(&self) -> LoaderJob {
        let word = |number: usize| {
            let bytes = self.record.get(4 * number..).and_then(|rest| rest.first_chunk());
            bytes.map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes))
        };
        let unless_blank = |number| Some(word(number)).filter(|word| *word != u32::MAX);
        LoaderJob {
            is_carrier: word(3) == 1,
            copies: [unless_blank(4), unless_blank(5)],
            copy_len_bytes: word(6),
            otadata: unless_blank(7).map(FlashAddr),
            trial: (1..=MAX_STARTS).contains(&word(9)).then(|| TrialTerms {
                word_offset_bytes: word(8),
                starts: word(9),
                has_watchdog: word(10) != 0,
                image_ok: FlashAddr(word(11)),
                magic_end: FlashAddr(word(12)),
                magic: word(13),
            }),
        }
    }
}

/// What a loader is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoaderJob {
    pub(crate) is_carrier: bool,
    /// Where the copies are, in bytes from the loader's own place in flash.
    pub(crate) copies: [Option<u32>; 2],
    pub(crate) copy_len_bytes: u32,
    pub(crate) otadata: Option<FlashAddr>,
    pub(crate) trial: Option<TrialTerms>,
}

/// The terms of a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrialTerms {
    pub(crate) word_offset_bytes: u32,
    pub(crate) starts: u32,
    pub(crate) has_watchdog: bool,
    pub(crate) image_ok: FlashAddr,
    pub(crate) magic_end: FlashAddr,
    pub(crate) magic: u32,
}

/// Where a loader in an app finds its own place in flash: the page of 64 KiB that the cache maps to
/// the start of its window, or the first page of flash if nothing is mapped there.
///
/// The windows: `SOC_DROM_LOW` in `components/soc/<chip>/include/soc/soc.h` of `espressif/esp-idf`.
pub(crate) fn mapped_first(chip: Chip, app: FlashAddr, image: &[u8]) -> FlashAddr {
    let window = match chip {
        Chip::Esp32c6 | Chip::Esp32h2 => 0x4200_0000,
        _ => 0x3c00_0000,
    };
    let mapped = segments(image).into_iter().flatten().flatten().find(|segment| {
        let at = segment.header.load_addr.checked_sub(window);
        at.is_some_and(|at| at < BLOCK_64K_BYTES)
    });
    mapped.map_or(FlashAddr::ZERO, |segment| {
        app.saturating_add(segment.data_offset_bytes).align_down(BLOCK_64K_BYTES)
    })
}
