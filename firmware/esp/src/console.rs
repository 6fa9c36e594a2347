//! The serial console.

use core::fmt;

use bootswap_migrator::Sink;
use esp_hal::time::Instant;

/// The console that the ROM and the bootloader also write to.
pub struct Console;

impl Sink for Console {
    fn now_ms(&self) -> u64 {
        Instant::now().duration_since_epoch().as_millis()
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        esp_println::println!("{line}");
    }
}
