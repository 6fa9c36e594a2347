//! The chip and the board around it.

use bootswap_engine::Veto;
use bootswap_migrator::{Hardware, Identity};
use embassy_time::Timer;
use esp_hal::delay::Delay;
use esp_hal::peripherals::RTC_TIMER;
use esp_hal::rtc_cntl::{Rtc, RwdtStage, SocResetReason};
use esp_hal::system::reset_reason;
use esp_hal::time::Duration;

use crate::network::Radio;

/// How long the watchdog waits before it resets. Longer than the longest wait for a network.
const WATCHDOG: Duration = Duration::from_secs(120);
/// Longest wait without feeding the watchdog, in milliseconds.
const WAIT_MS: u32 = 1000;

/// Starts the watchdog.
pub fn watch(rtc_timer: RTC_TIMER<'static>) -> Rtc<'static> {
    let mut rtc = Rtc::new(rtc_timer);
    rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG);
    rtc.rwdt.enable();
    rtc
}

/// The simplest board: a chip, a watchdog, perhaps a radio, and no measurement of its supply.
pub struct EspBoard<'a> {
    identity: Identity,
    rtc: Rtc<'static>,
    radio: Option<&'a Radio>,
}

impl<'a> EspBoard<'a> {
    /// A board without a radio, whose watchdog runs.
    pub const fn new(identity: Identity, rtc: Rtc<'static>) -> Self {
        Self { identity, rtc, radio: None }
    }

    /// The same board with a radio, if it has started.
    #[cfg(feature = "_network")]
    pub fn with_radio(self, radio: Option<&Radio>) -> EspBoard<'_> {
        EspBoard { identity: self.identity, rtc: self.rtc, radio }
    }

    /// Stops the watchdog.
    pub fn unwatch(&mut self) {
        self.rtc.rwdt.disable();
    }
}

impl Hardware for EspBoard<'_> {
    fn identity(&mut self) -> Identity {
        self.identity
    }

    fn follows_reset(&mut self) -> bool {
        !matches!(reset_reason(), None | Some(SocResetReason::ChipPowerOn))
    }

    fn feed(&mut self) {
        self.rtc.rwdt.feed();
    }

    async fn delay_ms(&mut self, ms: u32) {
        let mut left_ms = ms;
        while left_ms > 0 {
            self.feed();
            let wait_ms = left_ms.min(WAIT_MS);
            match self.radio {
                Some(_) => Timer::after_millis(u64::from(wait_ms)).await,
                // Without one nothing else is to be done, and before one there are no timers.
                None => Delay::new().delay_millis(wait_ms),
            }
            left_ms -= wait_ms;
        }
    }

    /// A board that measures its supply, for example with a divider at an analog input, does so
    /// here.
    fn supply(&mut self) -> Result<(), Veto> {
        Ok(())
    }

    /// A second core, on chips that have one, was never started.
    async fn quiet(&mut self) {
        if let Some(radio) = self.radio {
            radio.off().await;
        }
        self.unwatch();
    }
}
