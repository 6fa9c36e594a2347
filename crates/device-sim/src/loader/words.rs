//! Flash as the loader uses it: it reads words and clears bits.

use flash_region::FlashAddr;
use nor_sim::{NorDevice, NorError};

use crate::limited::Limited;

/// Flash, through the ROM's functions.
pub(super) struct Words<'a>(pub(super) Limited<'a>);

impl Words<'_> {
    /// Reads a word; `None` if the flash cannot read it. An error is a loss of power.
    pub(super) fn word(&mut self, addr: FlashAddr) -> Result<Option<u32>, NorError> {
        let mut bytes = [0; 4];
        Ok(unless_lost(self.0.read(addr, &mut bytes))?.then(|| u32::from_le_bytes(bytes)))
    }

    /// Clears bits of a word. The loader does not ask whether that worked.
    ///
    /// # Power-fail safety
    ///
    /// If torn, only some of the bits are cleared. The callers say what that means.
    pub(super) fn clear_bits(&mut self, addr: FlashAddr, word: u32) -> Result<(), NorError> {
        unless_lost(self.0.program_page(addr, &word.to_le_bytes())).map(drop)
    }
}

/// Whether an operation worked; the error, if nothing runs any more.
pub(super) fn unless_lost<T>(result: Result<T, NorError>) -> Result<bool, NorError> {
    match result {
        Err(error) if error.is_final() => Err(error),
        other => Ok(other.is_ok()),
    }
}
