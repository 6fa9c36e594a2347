//! Commands that the ROM has no function for, sent to the flash chip through the second flash
//! controller.
//!
//! The first controller serves the cache, the second one (SPI1) everything else. While the flash
//! chip is busy the cache reads garbage, so everything from the command to the end of the wait runs
//! from RAM with interrupts off.
//!
//! Sources: ESP32-C3 and ESP32 Technical Reference Manuals and those of the other chips, "SPI
//! Controller"; W25Q32JV datasheet, chapter 8 "Instructions". All chips but ESP32 have the same
//! registers; ESP32's lie elsewhere, and it sends the address from bit 31 of its register on.

use core::ptr;

use esp_hal::peripherals::SPI1;
use esp_hal::ram;

const WRITE_ENABLE: u32 = 0x06;
const READ_STATUS: u32 = 0x05;
const ERASE_32K: u32 = 0x52;
/// In the flash chip's status: an operation is in progress.
const STATUS_BUSY: u32 = 1 << 0;

/// Offsets of the controller's registers.
#[cfg(not(feature = "esp32"))]
mod register {
    pub const USER: usize = 0x18;
    pub const USER1: usize = 0x1c;
    pub const USER2: usize = 0x20;
    pub const MISO_DLEN: usize = 0x28;
    pub const W0: usize = 0x58;
}
#[cfg(feature = "esp32")]
mod register {
    pub const USER: usize = 0x1c;
    pub const USER1: usize = 0x20;
    pub const USER2: usize = 0x24;
    pub const MISO_DLEN: usize = 0x2c;
    pub const W0: usize = 0x80;
}
use register::{MISO_DLEN, USER, USER1, USER2, W0};

const CMD: usize = 0x00;
const ADDR: usize = 0x04;
const CTRL: usize = 0x08;

const CMD_USER: u32 = 1 << 18;
/// One line in each direction, write protection off.
const CTRL_PLAIN: u32 = 1 << 21;
const USER_COMMAND: u32 = 1 << 31;
const USER_ADDR: u32 = 1 << 30;
const USER_MISO: u32 = 1 << 28;
/// Eight bits of command, in `USER2`.
const COMMAND_8_BITS: u32 = 7 << 28;
/// Twenty-four bits of address, in `USER1`.
const ADDR_24_BITS: u32 = 23 << 26;

/// Has the controller send commands at all, which ESP32's functions for reading rely on: the bit is
/// set after reset, and everything that clears it is expected to set it again (ESP32 Technical
/// Reference Manual, "SPI_USER_REG", reset value).
pub fn ready() {
    #[cfg(feature = "esp32")]
    {
        let base = ptr::from_ref(SPI1::regs()).addr();
        critical_section::with(|_| {
            // Safety: the address is that of the controller, and the bit starts nothing by itself.
            unsafe { write(base, USER, read(base, USER) | USER_COMMAND) };
        });
    }
}

/// Erases the 32 KiB at `at`, if the flash chip has this command.
pub fn erase_32k(at: u32) {
    let base = ptr::from_ref(SPI1::regs()).addr();
    critical_section::with(|_| {
        // Safety: the address is that of the controller; interrupts are off; the flash was unlocked
        // before, and the caller checked that nothing in these 32 KiB is in use.
        unsafe { erase(base, at) }
    });
}

/// # Safety
///
/// `base` is the controller's; interrupts are off; nothing in the 32 KiB at `at` is in use.
#[ram]
unsafe fn erase(base: usize, at: u32) {
    // Safety: the offsets are registers of the controller, and the functions called here are
    // inlined, so that nothing is fetched from flash. The registers are restored for the ROM's
    // functions.
    unsafe {
        let kept = [CTRL, USER, USER1, USER2, MISO_DLEN, ADDR];
        let kept = kept.map(|offset| (offset, read(base, offset)));
        write(base, CTRL, CTRL_PLAIN);
        command(base, WRITE_ENABLE, 0);
        write(base, ADDR, if cfg!(feature = "esp32") { (at << 8) | 0xff } else { at });
        write(base, USER1, ADDR_24_BITS);
        command(base, ERASE_32K, USER_ADDR);
        write(base, MISO_DLEN, 7);
        loop {
            command(base, READ_STATUS, USER_MISO);
            if read(base, W0) & STATUS_BUSY == 0 {
                break;
            }
        }
        for (offset, value) in kept {
            write(base, offset, value);
        }
    }
}

/// Sends a command and waits until it is sent.
///
/// # Safety
///
/// As for [`erase`]. Always inlined: a function of its own would be in flash.
#[inline(always)]
unsafe fn command(base: usize, opcode: u32, parts: u32) {
    // Safety: as for `erase`.
    unsafe {
        write(base, USER, USER_COMMAND | parts);
        write(base, USER2, COMMAND_8_BITS | opcode);
        write(base, CMD, CMD_USER);
        while read(base, CMD) & CMD_USER != 0 {}
    }
}

/// # Safety
///
/// As for [`command`].
#[inline(always)]
unsafe fn read(base: usize, offset: usize) -> u32 {
    // Safety: a register of the controller; the read is a single instruction.
    unsafe { ptr::read_volatile((base + offset) as *const u32) }
}

/// # Safety
///
/// As for [`command`].
#[inline(always)]
unsafe fn write(base: usize, offset: usize, value: u32) {
    // Safety: a register of the controller; the write is a single instruction.
    unsafe { ptr::write_volatile((base + offset) as *mut u32, value) }
}
