//! Observers of a simulated device: its serial console, and the migrator's progress.

use bootswap_config::LogLevel;
use bootswap_engine::Event;
use nor_sim::Modelled;

/// Observes a simulated device, like a serial port observes a real one.
pub trait Monitor {
    /// A line of the device's console, or a line of the simulator about it.
    fn line(&mut self, text: &str);

    /// Log level of the migrator's console.
    fn level(&self) -> LogLevel;

    /// Something that the migrator did.
    fn progress(&mut self, event: &Event<'_>);
}

/// The [`Monitor`] of a device that is not observed.
#[derive(Clone, Copy, Default, Debug)]
pub struct Unwatched;

impl Monitor for Unwatched {
    fn line(&mut self, _: &str) {}

    fn level(&self) -> LogLevel {
        LogLevel::Off
    }

    fn progress(&mut self, _: &Event<'_>) {}
}

impl<M: Monitor + ?Sized> Monitor for Box<M> {
    fn line(&mut self, text: &str) {
        (**self).line(text);
    }

    fn level(&self) -> LogLevel {
        (**self).level()
    }

    fn progress(&mut self, event: &Event<'_>) {
        (**self).progress(event);
    }
}

/// Modelled milliseconds: flash operations, reads, and waits.
pub(crate) const fn stamp_ms(now: Modelled) -> u64 {
    (now.busy_us.typ + now.read_us) / 1000
}
