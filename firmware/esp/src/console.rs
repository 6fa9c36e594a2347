//! The serial console.

use core::fmt;

use bootswap_migrator::LogSink;
use esp_hal::time::Instant;

/// The console that the ROM and the bootloader also write to.
pub struct SerialConsole;

impl LogSink for SerialConsole {
    fn now_ms(&self) -> u64 {
        Instant::now().duration_since_epoch().as_millis()
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        esp_println::println!("{line}");
    }
}
