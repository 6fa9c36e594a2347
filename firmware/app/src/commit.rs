//! Whether the commit window may be open.
//!
//! Whoever could reset the chip from outside of the migrator's own course, a panic handler above all, has
//! to ask first: a reset in the window leaves a device that does not boot.

use core::sync::atomic::{AtomicBool, Ordering};

static OPEN: AtomicBool = AtomicBool::new(false);

/// Notes that the bootloader is about to be overwritten.
pub(crate) fn open() {
    OPEN.store(true, Ordering::Release);
}

/// Notes that the bootloader in place is whole.
pub(crate) fn close() {
    OPEN.store(false, Ordering::Release);
}

/// Whether a reset may find a bootloader that does not boot.
#[must_use]
pub fn is_open() -> bool {
    OPEN.load(Ordering::Acquire)
}
