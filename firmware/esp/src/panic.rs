//! The panic handler.

use core::panic::PanicInfo;

use esp_hal::delay::Delay;

use crate::WINDOW;

/// Wait before a reset, so that the console can be read, in milliseconds.
const WAIT_MS: u32 = 3000;

/// Prints the panic and resets, unless the bootloader is being overwritten: then the chip must not
/// reset while it has power, so that it can be flashed by serial.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    esp_println::println!("E bootswap: {info}");
    while WINDOW.is_open() {
        esp_println::println!(
            "E bootswap: the bootloader may be incomplete; do not reset, flash the device by serial"
        );
        Delay::new().delay_millis(60_000);
    }
    Delay::new().delay_millis(WAIT_MS);
    esp_hal::system::software_reset()
}
