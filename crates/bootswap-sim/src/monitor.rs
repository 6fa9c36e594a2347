//! Who watches a simulated device: its serial console, and how far the migrator is.

use bootswap_config::LogLevel;
use bootswap_engine::Event;
use nor_sim::Modelled;

/// What a simulated device is watched through, as a real one is through its serial port.
pub trait Monitor {
    /// A line of the device's console, or of the simulator about it.
    fn line(&mut self, text: &str);

    /// How much the migrator is to say on its console.
    fn level(&self) -> LogLevel;

    /// Something that the migrator did.
    fn progress(&mut self, event: &Event<'_>);
}

/// The [`Monitor`] of a device that nobody watches.
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
