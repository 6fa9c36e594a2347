//! What the engine needs from the device around it.

use core::fmt;

use crate::Event;

/// The device around the engine.
///
/// `bootswap-migrator` implements it, for the firmware and the simulator alike.
pub trait Platform {
    /// Called for every event, in order.
    fn event(&mut self, event: &Event<'_>);

    /// Whether this start follows a reset, such as that of a watchdog, a panic or a weak supply,
    /// and not the return of power.
    ///
    /// An attempt that was ended by such a reset has failed. One that lost power has not.
    fn follows_reset(&mut self) -> bool {
        false
    }

    /// Waits for `ms` milliseconds. Watchdogs must be fed meanwhile.
    fn delay_ms(&mut self, ms: u32) -> impl Future<Output = ()>;

    /// Called often while the engine works, to feed a watchdog.
    fn alive(&mut self) {}

    /// Called right before the commit's first erase: switch the radio off, park the other core,
    /// hold off the watchdogs, check the supply.
    ///
    /// # Errors
    ///
    /// A [`Veto`] if the commit must not start now, for example because the supply is weak. The
    /// device is unchanged and can try again later.
    fn before_commit(&mut self) -> impl Future<Output = Result<(), Veto>>;
}

/// Why the platform does not let the commit start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Veto {
    /// The supply voltage is too low to be trusted for the next second.
    WeakSupply {
        /// Measured voltage in millivolts.
        found_mv: u32,
        /// Required voltage in millivolts.
        wanted_mv: u32,
    },
    /// The board has another reason.
    NotReady {
        /// A number for the reason, defined by the board.
        code: u16,
    },
}

impl fmt::Display for Veto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WeakSupply { found_mv, wanted_mv } => {
                write!(f, "the supply has {found_mv} mV, the commit needs {wanted_mv} mV")
            }
            Self::NotReady { code } => write!(f, "the board is not ready ({code})"),
        }
    }
}

impl core::error::Error for Veto {}
