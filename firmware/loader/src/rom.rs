//! Functions of the mask ROM, whose addresses are in `rom/CHIP.x`.

use core::ffi::{CStr, c_char};

unsafe extern "C" {
    fn ets_printf(format: *const c_char, ...) -> i32;
    fn uart_tx_wait_idle(uart: u8);
    fn software_reset() -> !;
    #[link_name = "ROM_Boot_Cache_Init"]
    fn rom_boot_cache_init();
    #[link_name = "Cache_Disable_ICache"]
    fn cache_disable_icache() -> u32;
    fn crc32_le(crc: u32, bytes: *const u8, len_bytes: u32) -> u32;
}

/// Prints a text, with up to two numbers in it.
#[inline(never)]
pub fn say(text: &CStr, first: u32, second: u32) {
    // Safety: the text ends with its zero and asks for two numbers of 32 bits at most; the
    // console's pointers in the ROM's data were set by the ROM, and nothing loads over them.
    unsafe {
        ets_printf(text.as_ptr(), first, second);
        uart_tx_wait_idle(0);
    }
}

/// Puts cache and MMU into the state in which the ROM starts a bootloader: nothing is mapped.
pub fn reset_cache() {
    // Safety: this program runs in RAM and uses nothing that is mapped any more.
    unsafe {
        cache_disable_icache();
        rom_boot_cache_init();
    }
}

/// Resets the chip, except for what keeps its state in sleep.
pub fn reset() -> ! {
    // Safety: nothing is left undone that a reset could interrupt: flash operations end before
    // their functions return.
    unsafe { software_reset() }
}

/// The checksum of an otadata entry: over the four bytes of its sequence
/// (`bootloader_common_ota_select_crc`, `components/bootloader_support/src/bootloader_common.c` of
/// `espressif/esp-idf`).
pub fn crc_of(sequence: u32) -> u32 {
    let bytes = sequence.to_le_bytes();
    // Safety: four bytes are there.
    unsafe { crc32_le(u32::MAX, bytes.as_ptr(), 4) }
}
