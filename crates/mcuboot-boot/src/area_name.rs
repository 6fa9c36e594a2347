//! The names of a bootloader's areas.

use core::fmt;

/// An area of flash that a bootloader knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AreaName {
    /// The slot that images run from.
    Primary,
    /// The slot that new images are put into.
    Secondary,
    /// Where sectors wait while they are exchanged.
    Scratch,
}

impl fmt::Display for AreaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary slot",
            Self::Secondary => "secondary slot",
            Self::Scratch => "scratch area",
        })
    }
}
