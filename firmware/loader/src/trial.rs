//! Starts of a target on trial.

use carrier_format::{Trial, TrialWord};
use flash_region::FlashAddr;

use crate::flash::{self, at, program};

/// `BOOT_FLAG_SET`, `boot/bootutil/src/bootutil_priv.h` of `mcu-tools/mcuboot`.
const FLAG_SET: u8 = 1;

/// What this start is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The target is not on trial.
    NoTrial,
    /// This one was counted.
    Counted {
        /// With this one.
        starts: u32,
    },
    /// The target has confirmed, now or before.
    Confirmed,
    /// All starts are used up.
    Over,
}

/// Counts this start, of the loader whose image is at `start`.
///
/// # Power-fail safety
///
/// Only bits of one word are cleared. After a torn write, this start is counted or not. If the
/// write records a confirmation, the confirmation itself is still there for the next start to read.
#[inline(never)]
pub fn count(start: FlashAddr, trial: &Trial) -> Start {
    let addr = at(start, trial.word_offset_bytes);
    let Some(word) = flash::word(addr) else { return Start::NoTrial };
    let word = TrialWord(word);
    if word == TrialWord::CONFIRMED {
        return Start::Confirmed;
    }
    if is_confirmed(trial) {
        program(addr, TrialWord::CONFIRMED.0);
        return Start::Confirmed;
    }
    let starts = word.starts();
    if starts >= trial.starts {
        return Start::Over;
    }
    program(addr, word.after_start().0);
    Start::Counted { starts: starts + 1 }
}

/// Whether `image_ok` is set in the trailer of the primary slot. Without the good magic it does not
/// count.
fn is_confirmed(trial: &Trial) -> bool {
    // The flag is one byte; the ROM reads whole words, and the trailer's fields are aligned to 8.
    let says = |addr| flash::word(addr).unwrap_or_default();
    says(trial.magic_end) == trial.magic && says(trial.image_ok) as u8 == FLAG_SET
}
