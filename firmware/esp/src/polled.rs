//! Time and execution without interrupts: everything that waits is asked again and again.
//!
//! The emulators of ESP32-C3 never report which interrupt is pending, and a migrator without network has
//! nothing to wait for; so neither needs more than this.

use core::task::Waker;

use esp_hal::time::Instant;

/// The system timer, read.
struct PolledTime;

impl embassy_time_driver::Driver for PolledTime {
    fn now(&self) -> u64 {
        Instant::now().duration_since_epoch().as_micros()
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {
        // Whoever waits is polled all the time, see `run`.
    }
}

embassy_time_driver::time_driver_impl!(static TIME: PolledTime = PolledTime);

/// Runs a future to its end, polling it without a pause.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    // On a chip the counter runs from reset on, in the emulators it has to be told to.
    #[cfg(feature = "esp32c3")]
    esp_hal::peripherals::SYSTIMER::regs().conf().modify(|_, w| w.timer_unit0_work_en().set_bit());
    embassy_futures::block_on(future)
}
