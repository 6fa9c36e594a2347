//! Starts of a target on trial, counted in flash.
//!
//! ```text
//!   ffffffff   nothing was started
//!   fffffffe   started once: a bit is cleared before each start
//!   fffffff8   three times; with `starts` = 3 the next one goes back
//!   00000000   confirmed: nothing is counted any more
//! ```

use flash_region::FlashAddr;

/// The most starts that a trial may have, so that counting alone never clears the whole word.
pub const MAX_STARTS: u32 = 24;

/// A trial: how often the target is started until it has to be confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Trial {
    /// Where the [`TrialWord`] lies, in bytes from the start of the loader's image in flash.
    pub word_offset_bytes: u32,
    /// How many starts there are, 1 to [`MAX_STARTS`].
    pub starts: u32,
    /// Milliseconds after which the RTC watchdog resets a chip whose bootloader or target has not
    /// taken the watchdog over; 0 stops the watchdog instead.
    pub watchdog_ms: u32,
    /// The byte `image_ok` in the trailer of MCUboot's primary slot, which is 1 when the target has
    /// confirmed.
    pub image_ok: FlashAddr,
    /// The last four bytes of that trailer's magic, which the slot ends with.
    pub magic_end: FlashAddr,
    /// Their value in a good trailer.
    pub magic: u32,
}

/// The word in which starts are counted. Each change only clears bits, so it needs no erase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrialWord(pub u32);

impl TrialWord {
    /// Before the first start.
    pub const BLANK: Self = Self(u32::MAX);
    /// The target has confirmed; its starts are no longer counted.
    pub const CONFIRMED: Self = Self(0);

    /// How many starts were counted.
    #[must_use]
    pub const fn starts(self) -> u32 {
        self.0.count_zeros()
    }

    /// The word with one more start.
    ///
    /// # Power-fail safety
    ///
    /// The new word differs in one bit. If its program is torn, the start is counted or not;
    /// nothing has to be repaired.
    #[must_use]
    pub const fn after_start(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_clears_one_bit_at_a_time_and_never_all() {
        let mut word = TrialWord::BLANK;
        for starts in 0..MAX_STARTS {
            assert_eq!(word.starts(), starts);
            let next = word.after_start();
            assert_eq!((word.0 ^ next.0).count_ones(), 1);
            assert_eq!(word.0 & next.0, next.0, "a bit was set");
            word = next;
        }
        assert_ne!(word, TrialWord::CONFIRMED);
        assert_eq!(TrialWord::CONFIRMED.after_start(), TrialWord::CONFIRMED);
    }
}
