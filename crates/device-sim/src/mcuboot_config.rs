//! What was compiled into an MCUboot.

use flash_region::{FlashAddr, Region};
use mcuboot_boot::{BootConfig, BootConfigError, FlashMap};
use mcuboot_format::SwapKind;
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::TrailerConfig;

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
    /// The key that it was built with: it takes no image but those signed with it.
    pub key: Option<PublicKey>,
    /// Whether it is Espressif's port, which expects a [load
    /// header](mcuboot_format::espressif::LoadHeader) after the image's own.
    pub wants_load_header: bool,
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
            key: None,
            wants_load_header: true,
        }
    }

    pub(crate) fn boot_config(&self) -> Result<BootConfig, BootConfigError> {
        let map =
            FlashMap { primary: self.primary, secondary: self.secondary, scratch: self.scratch };
        let trailer =
            TrailerConfig { max_align: self.max_align, ..TrailerConfig::espressif(self.swap) };
        let config = BootConfig::new(map, trailer)?;
        Ok(match &self.key {
            Some(key) => config.with_key(key.clone()),
            None => config,
        })
    }
}
