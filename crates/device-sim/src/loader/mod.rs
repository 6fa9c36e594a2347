//! The loader of a carrier or first stage: starts MCUboot from the first of two copies that is
//! whole, counts its starts, and goes back to the old firmware.
//!
//! ```text
//!   ROM, or ESP-IDF's bootloader ──> count ──> copy 1, copy 2 ──> MCUboot
//!                                      │ no start left  │ none is whole
//!                                      └──── otadata ───┘──> reset
//! ```
//!
//! A model of what [`carrier_format`] promises. It shares constants of that format with the loader
//! and the composer of carriers, but no code.

mod code;
mod event;
mod trial;
mod way_back;
mod words;

pub(crate) use code::{CodeDigest, LoaderCode, mapped_first};
pub use event::LoaderEvent;

use esp_idf_format::image::segments;
use flash_region::{FlashAddr, REACHABLE_BYTES, Region};
use nor_sim::{NorDevice, NorError};
use sha2::{Digest, Sha256};

use crate::board::{Bootloader, McubootBoot};
use crate::limited::Limited;
use crate::{Board, DeviceEvent, LoaderFailure, TargetStart, ram};
use words::Words;

/// How a loader ends.
pub(crate) enum LoaderEnd {
    /// It jumps into MCUboot.
    Starts {
        mcuboot: Box<McubootBoot>,
        start: TargetStart,
        /// Whether the RTC watchdog runs.
        has_watchdog: bool,
    },
    /// It resets the chip.
    Resets,
}

/// Runs the loader whose own place in flash is `start`.
///
/// # Power-fail safety
///
/// [`trial::count`] and [`way_back::take`] clear bits; nothing else is written.
pub(crate) fn run(
    flash: &mut dyn NorDevice,
    board: &Board,
    loader: &LoaderCode,
    start: FlashAddr,
    tell: &mut dyn FnMut(DeviceEvent),
) -> Result<LoaderEnd, LoaderFailure> {
    let job = loader.job();
    let mut flash = Words(Limited { inner: flash, len_bytes: REACHABLE_BYTES });
    let counted = match &job.trial {
        Some(trial) => trial::count(&mut flash, start, trial)?,
        None => Some(TargetStart::Uncounted),
    };
    let mut found = None;
    for (offset_bytes, copy) in job.copies.into_iter().zip(1..) {
        let Some(offset_bytes) = offset_bytes.filter(|_| found.is_none()) else { continue };
        // Addresses wrap around, as the loader's do.
        let addr = FlashAddr(start.get().wrapping_add(offset_bytes));
        let image = whole_image(&mut flash, board, Region::clamped(addr, job.copy_len_bytes))?;
        found = image.map(|image| (addr, copy, image));
    }
    if counted.is_none() || found.is_none() {
        let goes = way_back::take(&mut flash, job.otadata)?;
        let no_copy = found.is_none();
        tell(DeviceEvent::Loader(LoaderEvent::Back { no_copy, goes }));
        if goes {
            return Ok(LoaderEnd::Resets);
        }
    }
    let Some((addr, copy, image)) = found else { return Ok(LoaderEnd::Resets) };
    let start = counted.unwrap_or(TargetStart::Uncounted);
    tell(DeviceEvent::Loader(LoaderEvent::Starts { addr, copy, start }));

    let digest = Sha256::digest(&image).into();
    ram::load(board.chip(), &image, Some(loader.load_addr)).map_err(LoaderFailure::Load)?;
    match board.known(&digest) {
        Some(Bootloader::Mcuboot(mcuboot)) => {
            let is_counted = matches!(start, TargetStart::Counted { .. });
            let has_watchdog =
                is_counted && job.is_carrier && job.trial.is_some_and(|trial| trial.has_watchdog);
            Ok(LoaderEnd::Starts { mcuboot, start, has_watchdog })
        }
        _ => Err(LoaderFailure::UnknownBootloader { digest }),
    }
}

/// The image of a copy, if the loader accepts it: its checksum and SHA-256 are right, it is for
/// this chip, and all segments go where the loader loads segments.
fn whole_image(
    flash: &mut Words<'_>,
    board: &Board,
    copy: Region,
) -> Result<Option<Vec<u8>>, NorError> {
    let checked = match crate::image::check(&mut flash.0, copy) {
        Err(error) if error.is_final() => return Err(error),
        Err(_) => return Ok(None),
        Ok(checked) => checked,
    };
    let Ok(info) = checked.result else { return Ok(None) };
    let chip = board.chip();
    if !info.header.hash_appended || info.header.chip_id != chip.image_chip_id() {
        return Ok(None);
    }
    let mut bytes = checked.bytes;
    bytes.truncate(info.total_len_bytes as usize);
    let is_taken =
        segments(&bytes).into_iter().flatten().flatten().all(|segment| {
            ram::loader_takes(chip, segment.header.load_addr, segment.header.len_bytes)
        });
    Ok(is_taken.then_some(bytes))
}
