//! Whether the commit window may be open.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether the commit window may be open: a `static` in the firmware.
///
/// Code outside of the migrator that can reset the chip, above all a panic handler, must check this
/// first: a reset in the window leaves a device that does not boot.
#[derive(Debug, Default)]
pub struct CommitWindow(AtomicBool);

impl CommitWindow {
    /// A window that is closed.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Whether the bootloader may be incomplete, so that a reset would leave a device that does not
    /// boot.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Records that the bootloader is about to be overwritten.
    pub(crate) fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Records that the bootloader in place is complete.
    pub(crate) fn close(&self) {
        self.0.store(false, Ordering::Release);
    }
}

impl fmt::Display for CommitWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open() { "commit window open" } else { "commit window closed" })
    }
}
