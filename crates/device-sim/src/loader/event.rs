//! What a loader prints.

use core::fmt;

use flash_region::FlashAddr;

use crate::TargetStart;

/// What a loader prints: one line at each start, two where it would go back and cannot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoaderEvent {
    /// It starts a bootloader.
    Starts {
        /// Where the copy is that it took.
        addr: FlashAddr,
        /// Which one, 1 or 2.
        copy: u8,
        /// What is counted.
        start: TargetStart,
    },
    /// It would go back.
    Back {
        /// No copy is whole; otherwise the target has used up its starts.
        no_copy: bool,
        /// The carrier's entry in otadata is taken away, and the chip is reset.
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
