//! Enters the bootloader.

use crate::chip::MEMORY;

/// Jumps to where it begins, on the ROM's stack, as the ROM does.
pub fn bootloader(entry_addr: u32) -> ! {
    // Safety: the code at the entry was loaded, and its digest is right. Nothing of this program is
    // used any more: the ROM's stack below its data is free again. The word is `fence.i` (The
    // RISC-V Instruction Set Manual, Volume I, Zifencei), after which instructions are fetched as
    // they were written.
    unsafe {
        core::arch::asm!(
            "fence",
            ".word 0x0000100f",
            "mv sp, {stack}",
            "jr {entry}",
            stack = in(reg) MEMORY.rom_stack_end_addr,
            entry = in(reg) entry_addr,
            options(noreturn)
        )
    }
}
