//! Time and execution without interrupts: everything that waits is polled.
//!
//! The emulators never report which interrupt is pending, and a migrator without
//! network has nothing to wait for; so this is enough for both.

use core::task::Waker;

use esp_hal::time::Instant;

/// The system timer, which is read.
struct PolledTime;

impl embassy_time_driver::Driver for PolledTime {
    fn now(&self) -> u64 {
        Instant::now().duration_since_epoch().as_micros()
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {
        // All futures are polled all the time, see `run`.
    }
}

embassy_time_driver::time_driver_impl!(static TIME: PolledTime = PolledTime);

/// Runs a future to its end, polling it without a pause.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    // On a chip the counter runs after reset; in the emulators it has to be started.
    #[cfg(feature = "esp32c3")]
    esp_hal::peripherals::SYSTIMER::regs().conf().modify(|_, w| w.timer_unit0_work_en().set_bit());
    embassy_futures::block_on(future)
}
