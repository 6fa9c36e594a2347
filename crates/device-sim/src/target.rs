//! The target application.

use core::fmt;

use mcuboot_boot::RunningImage;
use mcuboot_format::espressif::LoadHeader;

/// The target application, started by MCUboot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetApp {
    /// Its image.
    pub image: RunningImage,
    /// Its load header, where the bootloader wants one.
    pub load_header: Option<LoadHeader>,
}

impl fmt::Display for TargetApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.image)
    }
}
