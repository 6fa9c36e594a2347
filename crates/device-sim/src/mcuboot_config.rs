//! What was compiled into an MCUboot.

use flash_region::{FlashAddr, Region};
use mcuboot_boot::{BootConfig, BootConfigError, FlashMap};
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::TrailerConfig;
use mcuboot_format::{DowngradePrevention, SwapKind};

/// What was compiled into an MCUboot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct McubootConfig {
    /// The slot that images run from.
    pub primary: Region,
    /// The slot that new images are put into.
    pub secondary: Region,
    /// Where sectors wait while they are exchanged.
    pub scratch: Option<Region>,
    /// How it upgrades.
    pub swap: SwapKind,
    /// The distance of the trailer's fields in bytes.
    pub max_align: u32,
    /// Number of sectors of a slot that it has room for. It swaps no slots with more.
    pub max_sectors: u32,
    /// What it compares before it replaces an image.
    pub downgrade_prevention: DowngradePrevention,
    /// Whether, if it overwrites, it overwrites only what the new image needs
    /// (`MCUBOOT_OVERWRITE_ONLY_FAST`).
    pub overwrites_fast: bool,
    /// The key that it was built with: it accepts only images that are signed with it.
    pub key: Option<PublicKey>,
    /// Whether it is Espressif's port, which expects a [load
    /// header](mcuboot_format::espressif::LoadHeader) after the image's own.
    pub wants_load_header: bool,
    /// Whether it checks the LP segments in the load header, as MCUboot does since 2.2.0.
    pub checks_lp_segments: bool,
}

impl McubootConfig {
    /// The bootloader that the example migrates to: slots of 1 MiB at 0x10000 and 0x110000, swap
    /// using scratch at 0x210000, no key.
    #[must_use]
    pub const fn example() -> Self {
        Self {
            primary: Region::clamped(FlashAddr(0x10000), 0x10_0000),
            secondary: Region::clamped(FlashAddr(0x11_0000), 0x10_0000),
            scratch: Some(Region::clamped(FlashAddr(0x21_0000), 0x4_0000)),
            swap: SwapKind::Scratch,
            max_align: 8,
            max_sectors: 512,
            downgrade_prevention: DowngradePrevention::None,
            overwrites_fast: false,
            key: None,
            wants_load_header: true,
            checks_lp_segments: true,
        }
    }

    pub(crate) fn boot_config(&self) -> Result<BootConfig, BootConfigError> {
        let map =
            FlashMap { primary: self.primary, secondary: self.secondary, scratch: self.scratch };
        let trailer = TrailerConfig {
            max_align: self.max_align,
            max_sectors: self.max_sectors,
            ..TrailerConfig::espressif(self.swap)
        };
        let config = BootConfig::new(map, trailer)?
            .with_downgrade_prevention(self.downgrade_prevention)
            .with_fast_overwrite(self.overwrites_fast);
        Ok(match &self.key {
            Some(key) => config.with_key(key.clone()),
            None => config,
        })
    }
}
