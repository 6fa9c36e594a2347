//! How much of the stack was used: it is painted at the start and read at the end.
//!
//! ```text
//!   _stack_end_cpu0                                      now          _stack_start_cpu0
//!   | guard | paint paint paint paint | used at some time | in use     |
//!                                     ^ first byte without paint
//! ```

use core::arch::asm;
use core::ptr;

use bootswap_migrator::Log;

const PAINT: u32 = 0xa5a5_a5a5;
/// Bytes at the far end that esp-hal watches, and bytes under the stack pointer that are not
/// painted.
const MARGIN: usize = 256;

unsafe extern "C" {
    static mut _stack_start_cpu0: u32;
    static mut _stack_end_cpu0: u32;
}

/// The far end of the stack without its guard, and the near end.
fn ends() -> (*mut u32, *mut u32) {
    // Only the addresses of the linker's symbols are used.
    let (start, end) = (&raw mut _stack_start_cpu0, &raw mut _stack_end_cpu0);
    (end.wrapping_byte_add(MARGIN), start)
}

fn stack_pointer() -> *mut u32 {
    let pointer: usize;
    // Safety: copies a register.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack));
    }
    // Safety: as above.
    #[cfg(target_arch = "xtensa")]
    unsafe {
        asm!("mov {}, a1", out(reg) pointer, options(nomem, nostack));
    }
    ptr::with_exposed_provenance_mut(pointer)
}

/// Paints the free part.
pub fn paint() {
    let (mut at, _) = ends();
    let until = stack_pointer().wrapping_byte_sub(MARGIN);
    while at < until {
        // Safety: below the stack pointer and above the stack's far end, so not in use.
        unsafe { at.write_volatile(PAINT) };
        at = at.wrapping_add(1);
    }
}

/// Logs how much was used.
pub fn report(log: Log<'_>) {
    let (far, near) = ends();
    let mut at = far;
    // Safety: within the stack, whose words can all be read.
    while at < near && unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    let (used, all) = (near.addr() - at.addr(), near.addr() - far.addr());
    log.info(format_args!("stack: {used} of {all} bytes used"));
}
