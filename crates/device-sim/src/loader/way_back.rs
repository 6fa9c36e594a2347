//! The way back from a carrier: its entry in otadata is cleared.

use esp_idf_format::otadata::{ENTRY_LEN_BYTES, OtaEntry};
use flash_region::{FlashAddr, SECTOR_BYTES};
use nor_sim::{NorDevice, NorError};

use super::words::{Words, unless_lost};

/// Where in an entry its checksum is (`esp_ota_select_entry_t`,
/// `components/bootloader_support/include/esp_flash_partitions.h` of `espressif/esp-idf`).
const CHECKSUM_OFFSET_BYTES: u32 = 28;

/// Clears the entry in force. Returns whether there was one and it is cleared now.
///
/// # Power-fail safety
///
/// First the checksum is cleared, then the sequence. Until their first bit is cleared, the entry
/// stays in force and the next boot comes here again; from then on the other entry decides, or the
/// factory app runs.
pub(super) fn take(flash: &mut Words<'_>, otadata: Option<FlashAddr>) -> Result<bool, NorError> {
    let Some(otadata) = otadata else { return Ok(false) };
    let mut in_force: Option<(u32, FlashAddr)> = None;
    for addr in [otadata, otadata.saturating_add(SECTOR_BYTES)] {
        let mut bytes = [0; ENTRY_LEN_BYTES];
        if !unless_lost(flash.0.read(addr, &mut bytes))? {
            continue;
        }
        let Ok(entry) = OtaEntry::parse(&bytes) else { continue };
        let is_newer = in_force.is_none_or(|(seq, _)| entry.seq > seq);
        if entry.state.is_bootable() && is_newer {
            in_force = Some((entry.seq, addr));
        }
    }
    let Some((_, addr)) = in_force else { return Ok(false) };
    flash.clear_bits(addr.saturating_add(CHECKSUM_OFFSET_BYTES), 0)?;
    flash.clear_bits(addr, 0)?;
    Ok(flash.word(addr)? == Some(0))
}
