//! What was compiled into a bootloader.

use core::fmt;

use flash_region::{Region, SECTOR_BYTES};
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::{TrailerConfig, TrailerError, TrailerLayout};
use mcuboot_format::{DowngradePrevention, SlotLimits, SwapKind};

use crate::AreaName;

/// Where a bootloader's slots are. This is compiled in; nothing else in flash says it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlashMap {
    /// The slot that images run from.
    pub primary: Region,
    /// The slot that new images are put into.
    pub secondary: Region,
    /// Where sectors wait while they are exchanged; only [`SwapKind::Scratch`] uses it.
    pub scratch: Option<Region>,
}

/// A bootloader: its slots and trailers, checked together.
///
/// Everything that cannot be set is as in Espressif's port (boot/espressif in mcu-tools/mcuboot,
/// `mcuboot_config.h`): one image, the primary slot validated at every boot, no bootstrap, no
/// encryption, no serial recovery, sectors of 4 KiB.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BootConfig {
    primary: TrailerLayout,
    secondary: TrailerLayout,
    scratch: Option<TrailerLayout>,
    trailer: TrailerConfig,
    key: Option<PublicKey>,
    downgrade_prevention: DowngradePrevention,
    overwrites_fast: bool,
}

impl BootConfig {
    /// A bootloader with those slots, which upgrades as `trailer.swap` says.
    ///
    /// The slots may have sizes that it cannot swap, or more sectors than `trailer.max_sectors`. It
    /// then does what MCUboot does, which logs that and boots what is in the primary, or crashes.
    ///
    /// # Errors
    /// Every variant of [`BootConfigError`].
    pub fn new(map: FlashMap, trailer: TrailerConfig) -> Result<Self, BootConfigError> {
        let scratch = match (trailer.swap, map.scratch) {
            (SwapKind::Scratch, None) => return Err(BootConfigError::NoScratch),
            (SwapKind::Scratch, Some(area)) => Some(area),
            _ => None,
        };
        let areas = [
            (AreaName::Primary, Some(map.primary)),
            (AreaName::Secondary, Some(map.secondary)),
            (AreaName::Scratch, scratch),
        ];
        let present = areas.into_iter().filter_map(|(area, region)| Some((area, region?)));
        for (area, region) in present.clone() {
            if region.is_empty() || !region.is_aligned(SECTOR_BYTES) {
                return Err(BootConfigError::NotWholeSectors { area, region });
            }
            let earlier = present.clone().take_while(|(other, _)| *other != area);
            for (other, other_region) in earlier {
                if region.overlaps(other_region) {
                    return Err(BootConfigError::Overlap { area, region, other, other_region });
                }
            }
        }
        let slot = |area, region| {
            TrailerLayout::new(region, trailer)
                .map_err(|error| BootConfigError::Trailer { area, error })
        };
        let scratch_layout = |region| {
            TrailerLayout::scratch(region, trailer)
                .map_err(|error| BootConfigError::Trailer { area: AreaName::Scratch, error })
        };
        Ok(Self {
            primary: slot(AreaName::Primary, map.primary)?,
            secondary: slot(AreaName::Secondary, map.secondary)?,
            scratch: scratch.map(scratch_layout).transpose()?,
            trailer,
            key: None,
            downgrade_prevention: DowngradePrevention::None,
            overwrites_fast: false,
        })
    }

    /// The bootloader with a key: it accepts only images that are signed with it.
    #[must_use]
    pub fn with_key(self, key: PublicKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The bootloader built to prevent downgrades in that way.
    #[must_use]
    pub fn with_downgrade_prevention(self, downgrade_prevention: DowngradePrevention) -> Self {
        Self { downgrade_prevention, ..self }
    }

    /// The bootloader built to overwrite no more than the new image needs, as Zephyr builds it by
    /// default (`MCUBOOT_OVERWRITE_ONLY_FAST`; `CONFIG_BOOT_UPGRADE_ONLY_FAST` in
    /// boot/zephyr/Kconfig), or the whole slot, as Espressif's port does. It matters only to
    /// [`SwapKind::Overwrite`].
    #[must_use]
    pub fn with_fast_overwrite(self, overwrites_fast: bool) -> Self {
        Self { overwrites_fast, ..self }
    }

    /// The key that the bootloader holds, if any.
    #[must_use]
    pub const fn key(&self) -> Option<&PublicKey> {
        self.key.as_ref()
    }

    /// What the bootloader compares before it replaces an image.
    #[must_use]
    pub const fn downgrade_prevention(&self) -> DowngradePrevention {
        self.downgrade_prevention
    }

    /// Whether the bootloader, if it overwrites, overwrites no more than the new image needs.
    #[must_use]
    pub const fn overwrites_fast(&self) -> bool {
        self.overwrites_fast
    }

    /// How many sectors the bootloader's tables have room for in each slot.
    #[must_use]
    pub const fn max_sectors(&self) -> u32 {
        self.trailer.max_sectors
    }

    /// How the bootloader upgrades.
    #[must_use]
    pub const fn swap(&self) -> SwapKind {
        self.trailer.swap
    }

    /// Where the trailer of that area has its fields; `None` for a scratch area that is not used.
    #[must_use]
    pub const fn layout(&self, area: AreaName) -> Option<&TrailerLayout> {
        match area {
            AreaName::Primary => Some(&self.primary),
            AreaName::Secondary => Some(&self.secondary),
            AreaName::Scratch => self.scratch.as_ref(),
        }
    }

    /// What the bootloader's slots allow an image that has to fit into both.
    #[must_use]
    pub fn limits(&self) -> SlotLimits {
        SlotLimits::new(&self.primary, &self.secondary, SECTOR_BYTES)
    }

    pub(crate) const fn trailer(&self) -> TrailerConfig {
        self.trailer
    }

    pub(crate) const fn slot_sectors(&self, slot: AreaName) -> u32 {
        match self.layout(slot) {
            Some(layout) => layout.slot().len_bytes() / SECTOR_BYTES,
            None => 0,
        }
    }

    /// First sector of the slot that holds part of the trailer (`boot_get_first_trailer_sector`,
    /// boot/bootutil/src/swap_scratch.c).
    pub(crate) const fn first_trailer_sector(&self, slot: AreaName) -> u32 {
        match self.layout(slot) {
            Some(layout) => layout.offset_bytes() / SECTOR_BYTES,
            None => 0,
        }
    }
}

/// Why slots and trailers are not those of a possible bootloader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BootConfigError {
    /// Swap using scratch has no scratch area.
    NoScratch,
    /// An area is empty, or does not consist of whole sectors.
    NotWholeSectors {
        /// Which.
        area: AreaName,
        /// Where it is.
        region: Region,
    },
    /// Two areas share flash.
    Overlap {
        /// The later of the two in the order of [`AreaName`].
        area: AreaName,
        /// Where it is.
        region: Region,
        /// The other.
        other: AreaName,
        /// Where that is.
        other_region: Region,
    },
    /// The trailer of an area is not possible.
    Trailer {
        /// Which.
        area: AreaName,
        /// What is wrong with it.
        error: TrailerError,
    },
}

impl fmt::Display for BootConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScratch => f.write_str("swap using scratch needs a scratch area"),
            Self::NotWholeSectors { area, region } => {
                write!(f, "{area} {region} is not made of whole sectors of {SECTOR_BYTES:#x} bytes")
            }
            Self::Overlap { area, region, other, other_region } => {
                write!(f, "{area} {region} overlaps {other} {other_region}")
            }
            Self::Trailer { area, error } => write!(f, "{area}: {error}"),
        }
    }
}

impl core::error::Error for BootConfigError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Trailer { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use flash_region::FlashAddr;

    use super::*;

    const SLOTS: FlashMap = FlashMap {
        primary: Region::clamped(FlashAddr(0x1_0000), 0x10_0000),
        secondary: Region::clamped(FlashAddr(0x11_0000), 0x10_0000),
        scratch: None,
    };

    fn error(map: FlashMap, swap: SwapKind) -> Option<BootConfigError> {
        BootConfig::new(map, TrailerConfig::espressif(swap)).err()
    }

    #[test]
    fn only_swap_using_scratch_needs_scratch() {
        assert_eq!(error(SLOTS, SwapKind::Scratch), Some(BootConfigError::NoScratch));
        for swap in [SwapKind::Move, SwapKind::Offset, SwapKind::Overwrite] {
            assert_eq!(error(SLOTS, swap), None);
            // What is not used does not matter, wherever it is.
            assert_eq!(error(FlashMap { scratch: Some(SLOTS.primary), ..SLOTS }, swap), None);
        }
    }

    #[test]
    fn areas_are_whole_sectors() {
        let region = Region::clamped(FlashAddr(0x21_0800), 0x1000);
        let expected = BootConfigError::NotWholeSectors { area: AreaName::Scratch, region };
        let map = FlashMap { scratch: Some(region), ..SLOTS };
        assert_eq!(error(map, SwapKind::Scratch), Some(expected));
        let region = Region::clamped(FlashAddr(0x1_0000), 0);
        let expected = BootConfigError::NotWholeSectors { area: AreaName::Primary, region };
        assert_eq!(error(FlashMap { primary: region, ..SLOTS }, SwapKind::Move), Some(expected));
    }

    #[test]
    fn areas_do_not_overlap() {
        let region = Region::clamped(FlashAddr(0x20_f000), 0x4_0000);
        let expected = BootConfigError::Overlap {
            area: AreaName::Scratch,
            region,
            other: AreaName::Secondary,
            other_region: SLOTS.secondary,
        };
        let map = FlashMap { scratch: Some(region), ..SLOTS };
        assert_eq!(error(map, SwapKind::Scratch), Some(expected));
    }

    #[test]
    fn a_slot_has_room_for_its_trailer() {
        let secondary = Region::clamped(FlashAddr(0x11_0000), 0x1000);
        let error = error(FlashMap { secondary, ..SLOTS }, SwapKind::Move);
        assert!(
            matches!(error, Some(BootConfigError::Trailer { area: AreaName::Secondary, .. })),
            "{error:?}"
        );
    }
}
