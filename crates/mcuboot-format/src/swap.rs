//! The ways in which MCUboot brings an image from the secondary slot into the primary.

use core::fmt;
use core::str::FromStr;

/// How a bootloader was built to upgrade (`MCUBOOT_SWAP_USING_*` and `MCUBOOT_OVERWRITE_ONLY`,
/// boot/bootutil/src/bootutil_priv.h).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SwapKind {
    /// Exchanges the slots through a scratch area. The default of Espressif's port.
    #[default]
    Scratch,
    /// Moves the primary up by one sector, then exchanges sector by sector.
    Move,
    /// Exchanges sector by sector; the image in the secondary starts one sector into the slot.
    Offset,
    /// Copies the secondary over the primary. There is no way back.
    Overwrite,
}

impl SwapKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Scratch, Self::Move, Self::Offset, Self::Overwrite];

    /// The name that configuration files use: `scratch`, `move`, `offset` or `overwrite`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scratch => "scratch",
            Self::Move => "move",
            Self::Offset => "offset",
            Self::Overwrite => "overwrite",
        }
    }

    /// The kind of that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether the old image survives in the other slot, so that MCUboot can revert to it.
    #[must_use]
    pub const fn can_revert(self) -> bool {
        !matches!(self, Self::Overwrite)
    }

    /// Steps that the status area records for each sector (`BOOT_STATUS_STATE_COUNT`,
    /// boot/bootutil/src/bootutil_area.h); 0 where no status is kept.
    #[must_use]
    pub(crate) const fn steps_per_sector(self) -> u32 {
        match self {
            // Scratch: secondary to scratch, primary to secondary, scratch to primary. Move: one
            // for moving up, two for the exchange.
            Self::Scratch | Self::Move => 3,
            Self::Offset => 2,
            Self::Overwrite => 0,
        }
    }
}

impl fmt::Display for SwapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SwapKind {
    type Err = UnknownSwapKind;

    fn from_str(name: &str) -> Result<Self, UnknownSwapKind> {
        Self::from_name(name).ok_or(UnknownSwapKind)
    }
}

/// A name that no [`SwapKind`] has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownSwapKind;

impl fmt::Display for UnknownSwapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown kind of swap, expected one of scratch, move, offset, overwrite")
    }
}

impl core::error::Error for UnknownSwapKind {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in SwapKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("swap".parse::<SwapKind>(), Err(UnknownSwapKind));
    }
}
