//! The way back: invalidates the entry of otadata that is in force, so that ESP-IDF's bootloader
//! starts the app that the other entry selects, or the factory app.

use esp_idf_format::otadata::{CRC_OFFSET_BYTES, ENTRY_LEN_BYTES, OtaState};
use flash_region::{FlashAddr, SECTOR_BYTES};

use crate::flash::{at, program, read, word};
use crate::rom;

/// The states of an app that no bootloader starts.
const INVALID: u32 = OtaState::Invalid.raw();
const ABORTED: u32 = OtaState::Aborted.raw();

/// Invalidates the entry in force. Returns whether there was one and it is invalid now.
///
/// # Power-fail safety
///
/// The checksum's bits are cleared. As soon as one of them is, the entry is invalid; until then it
/// stays in force, and the next start does this again. Then the sequence is cleared, because there
/// is one sequence whose checksum has no bits to clear.
pub fn take(otadata: Option<FlashAddr>) -> bool {
    let Some(otadata) = otadata else { return false };
    let Some(entry) = in_force(otadata) else { return false };
    program(at(entry, CRC_OFFSET_BYTES), 0);
    program(entry, 0);
    // A flash that cannot be written must not lead to one reset after the other.
    word(entry) == Some(0)
}

/// The entry that the bootloader follows: of the good ones that with the larger sequence, the first
/// one if both have the same (`bootloader_common_select_otadata`,
/// `components/bootloader_support/src/bootloader_common_loader.c`).
fn in_force(otadata: FlashAddr) -> Option<FlashAddr> {
    let mut found = None;
    let mut best = 0;
    for sector in [0, SECTOR_BYTES] {
        let addr = at(otadata, sector);
        let mut entry = [u32::MAX; ENTRY_LEN_BYTES / 4];
        read(addr, &mut entry);
        let [seq, _, _, _, _, _, state, crc] = entry;
        let is_good = seq != u32::MAX && state != INVALID && state != ABORTED;
        if is_good && (found.is_none() || seq > best) && crc == rom::crc_of(seq) {
            (found, best) = (Some(addr), seq);
        }
    }
    found
}
