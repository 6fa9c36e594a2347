//! Starts of a target on trial.

use flash_region::FlashAddr;
use nor_sim::NorError;

use super::code::TrialTerms;
use super::words::Words;
use crate::TargetStart;

/// The word once the target has confirmed.
const CONFIRMED: u32 = 0;
/// Value of MCUboot's `image_ok` when it is set (`BOOT_FLAG_SET`,
/// `boot/bootutil/src/bootutil_priv.h` of `mcu-tools/mcuboot`).
const FLAG_SET: u8 = 1;

/// Counts a start; `None` if all starts are used up.
///
/// # Power-fail safety
///
/// Bits of one word are cleared. If that is torn, a start is counted or not; of a confirmation only
/// some bits are cleared, and the next boot reads it from the trailer again.
pub(super) fn count(
    flash: &mut Words<'_>,
    loader: FlashAddr,
    trial: &TrialTerms,
) -> Result<Option<TargetStart>, NorError> {
    let addr = loader.saturating_add(trial.word_offset_bytes);
    let Some(word) = flash.word(addr)? else { return Ok(Some(TargetStart::Uncounted)) };
    if word == CONFIRMED {
        return Ok(Some(TargetStart::Confirmed));
    }
    let good = flash.word(trial.magic_end)?.unwrap_or(0) == trial.magic;
    let [image_ok, ..] = flash.word(trial.image_ok)?.unwrap_or(0).to_le_bytes();
    if good && image_ok == FLAG_SET {
        flash.clear_bits(addr, CONFIRMED)?;
        return Ok(Some(TargetStart::Confirmed));
    }
    let number = word.count_zeros() + 1;
    if number > trial.starts {
        return Ok(None);
    }
    let lowest = 1 << word.trailing_zeros();
    flash.clear_bits(addr, word & !lowest)?;
    Ok(Some(TargetStart::Counted { number, of: trial.starts }))
}
