//! The loader of a carrier or first stage: starts the better of two copies of a bootloader.
//!
//! ```text
//!   ESP-IDF's bootloader ──┐                      ┌── no copy whole, or starts run out ──> reset,
//!                          v                      │   otadata names the old firmware again
//!   mask ROM ──> loader: chip as the ROM leaves it, count, check, copy to RAM ──> bootloader
//! ```
//!
//! The mask ROM starts a bootloader from one place only, and ESP-IDF's bootloader starts none at
//! all: it does not load over itself. This program lies where neither of the two does, and does
//! what the ROM would. What it is to do is in a record in its own image, [`carrier_format`].
//!
//! It has no variables, no heap, and interrupts are off.
#![no_std]
#![no_main]

mod chip;
mod copy;
mod enter;
mod flash;
mod position;
mod record;
mod rom;
mod sha;
mod trial;
mod watchdog;
mod way_back;

use carrier_format::Place;

use flash::FlashSize;
use trial::Start;

core::arch::global_asm!(
    ".section .start, \"ax\", @progbits",
    ".globl _start",
    "_start:",
    // Bit 3, MIE: no interrupt is taken (The RISC-V Instruction Set Manual, Volume II, mstatus).
    "csrci mstatus, 8",
    "la sp, _stack_end",
    "j run",
);

/// Everything, in order.
// Safety: no other symbol of the program or of the linker's scripts has this name.
#[unsafe(no_mangle)]
extern "C" fn run() -> ! {
    let record = record::read();
    let is_app = record.place == Some(Place::Carrier);
    let start = if is_app { position::of_this_app() } else { chip::BOOTLOADER_ADDR };
    if is_app {
        rom::reset_cache();
    }
    let size = FlashSize::raise();
    let counted = match &record.trial {
        Some(trial) => trial::count(start, trial),
        None => Start::NoTrial,
    };
    let chosen = record.copies.iter().zip(1..).find_map(|(offset, number)| {
        let addr = flash::at(start, (*offset)?);
        copy::load(addr, record.copy_len_bytes).map(|entry| (addr, number, entry))
    });
    let mut is_over = counted == Start::Over;
    if chosen.is_none() || is_over {
        is_over = way_back::take(record.otadata);
        let why = if chosen.is_none() { c"no copy is whole" } else { c"not confirmed" };
        let then = if is_over { c"back to the old firmware" } else { c"no way back" };
        rom::say(c"loader: %s, %s\n", why.as_ptr() as u32, then.as_ptr() as u32);
    }
    let Some((addr, number, entry)) = chosen.filter(|_| !is_over) else { rom::reset() };
    size.restore();
    rom::say(c"loader: bootloader at 0x%x, copy %d", addr.get(), number);
    let mut watchdog_ms = 0;
    match (counted, &record.trial) {
        (Start::Counted { starts }, Some(trial)) => {
            watchdog_ms = trial.watchdog_ms;
            rom::say(c", start %d of %d\n", starts, trial.starts);
        }
        (Start::Confirmed, _) => rom::say(c", confirmed\n", 0, 0),
        _ => rom::say(c"\n", 0, 0),
    }
    if is_app {
        watchdog::set(watchdog_ms);
    }
    enter::bootloader(entry)
}

/// Nothing here panics; if something did, the watchdog that still runs would reset the chip.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
