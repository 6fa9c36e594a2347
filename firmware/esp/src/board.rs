//! The chip and the board around it.

use bootswap_app::{Board, Identity};
use embassy_time::Timer;

/// The board that everybody has: a chip and its flash, and nothing that is known of its supply.
pub struct EspBoard {
    /// What the chip says of itself.
    pub identity: Identity,
}

impl Board for EspBoard {
    fn identity(&mut self) -> Identity {
        self.identity
    }

    fn feed(&mut self) {}

    async fn delay_ms(&mut self, ms: u32) {
        Timer::after_millis(u64::from(ms)).await;
    }

    async fn quiet(&mut self) {}
}
