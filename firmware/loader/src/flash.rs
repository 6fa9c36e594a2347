//! Flash through the mask ROM's functions, which work before any driver does.

use flash_region::FlashAddr;

use crate::chip;

unsafe extern "C" {
    fn esp_rom_spiflash_read(addr: u32, to: *mut u32, len_bytes: i32) -> i32;
    fn esp_rom_spiflash_write(addr: u32, from: *const u32, len_bytes: i32) -> i32;
    /// Points to `spiflash_legacy_data_t`, which begins with number and size of the flash
    /// (`esp_rom_spiflash_chip_t`, `rom/spi_flash.h`).
    static rom_spiflash_legacy_data: u32;
}

/// The address `offset_bytes` after another. What the composer of a carrier wrote into the record
/// lies below 16 MiB; anything else the ROM refuses to read.
pub const fn at(addr: FlashAddr, offset_bytes: u32) -> FlashAddr {
    FlashAddr(addr.get().wrapping_add(offset_bytes))
}

/// Reads words; false if the ROM cannot.
#[inline(never)]
pub fn read(addr: FlashAddr, words: &mut [u32]) -> bool {
    let len_bytes = size_of_val(words) as i32;
    // Safety: the ROM writes so many bytes, which are the caller's.
    unsafe { esp_rom_spiflash_read(addr.get(), words.as_mut_ptr(), len_bytes) == 0 }
}

/// Reads one word; `None` if the ROM cannot.
pub fn word(addr: FlashAddr) -> Option<u32> {
    let mut word = [0];
    read(addr, &mut word).then_some(word[0])
}

/// Clears bits of a word.
///
/// # Power-fail safety
///
/// One page program of four bytes. Torn, some of the bits are cleared; each caller says what that
/// means.
#[inline(never)]
pub fn program(addr: FlashAddr, word: u32) {
    // Safety: one word is there. The bootloader before this program left the flash open for
    // writing, and the cache does not read meanwhile: it is off. A caller that needs to know
    // whether it worked reads the word back.
    unsafe { esp_rom_spiflash_write(addr.get(), &word, 4) };
}

/// The flash size that the ROM assumes, 2 MB until a bootloader sets another: the ROM's functions
/// refuse addresses beyond it.
pub struct FlashSize(u32);

/// What three address bytes reach.
const REACHABLE_BYTES: u32 = flash_region::REACHABLE_BYTES;

impl FlashSize {
    /// Raises it to all that can be reached, and keeps what it was.
    pub fn raise() -> Self {
        let field = Self::field();
        // Safety: the field is the ROM's, which reads it only within the functions called here.
        let before = unsafe { chip::read(field) };
        // Safety: the same.
        unsafe { chip::write(field, REACHABLE_BYTES) };
        Self(before)
    }

    /// Puts it back.
    pub fn restore(self) {
        // Safety: as in `raise`.
        unsafe { chip::write(Self::field(), self.0) };
    }

    fn field() -> u32 {
        // Safety: the ROM's pointer is set before it starts anything, and its data stay.
        let data = unsafe { (&raw const rom_spiflash_legacy_data).read_volatile() };
        data + 4
    }
}
