//! What a loader prints.

use core::fmt;

use flash_region::FlashAddr;

use crate::TargetStart;

/// What a loader prints: one line at each start, two if it should go back and cannot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoaderEvent {
    /// It starts a bootloader.
    Starts {
        /// Where the copy is that it took.
        addr: FlashAddr,
        /// Which one, 1 or 2.
        copy: u8,
        /// Whether the start is counted.
        start: TargetStart,
    },
    /// It should go back to the old firmware.
    Back {
        /// Whether that is because no copy is whole; otherwise the target has used up its starts.
        no_copy: bool,
        /// Whether it goes: the carrier's entry in otadata is cleared, and the chip is reset.
        /// Otherwise there is no way back.
        goes: bool,
    },
}

impl fmt::Display for LoaderEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starts { addr, copy, start } => {
                write!(f, "loader: bootloader at {addr}, copy {copy}{start}")
            }
            Self::Back { no_copy, goes } => {
                let why = if *no_copy { "no copy is whole" } else { "not confirmed" };
                let then = if *goes { "back to the old firmware" } else { "no way back" };
                write!(f, "loader: {why}, {then}")
            }
        }
    }
}
