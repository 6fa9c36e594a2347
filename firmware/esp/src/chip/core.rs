//! The core's state that neither the bootloader nor esp-hal sets.

/// Switches the floating-point unit on.
///
/// Where esp-radio is linked, each interrupt saves the unit's registers (feature
/// `float-save-restore` of `xtensa-lx-rt`), which is an exception while the unit is off: bit 0 of
/// CPENABLE, undefined after reset (Xtensa Instruction Set Architecture Reference Manual,
/// "Coprocessor Option"). ESP-IDF sets it for each thread; esp-hal and the bootloader do not.
#[cfg(any(feature = "esp32", feature = "esp32s3"))]
pub fn enable_floating_point() {
    // Safety: no thread, and so no saved state of the unit, exists yet.
    unsafe { core::arch::asm!("wsr {0}, cpenable", "rsync", in(reg) 1, options(nostack)) };
}

/// This chip has no floating-point unit.
#[cfg(not(any(feature = "esp32", feature = "esp32s3")))]
pub fn enable_floating_point() {}
