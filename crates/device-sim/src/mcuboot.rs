//! MCUboot's turn: the model of another crate, on this device's flash.

use core::fmt;

use flash_region::{FlashAddr, Region};
use mcuboot_boot::{BootConfig, ConfigError, FlashMap, RunningImage};
use mcuboot_format::SwapKind;
use mcuboot_format::espressif::LoadHeader;
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::TrailerConfig;
use nor_sim::{Driver, EraseUnit, NorDevice};

use crate::board::McubootBoot;
use crate::limited::Limited;
use crate::{Event, McubootFailure};

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
    /// Whether it is Espressif's port, which wants a [`LoadHeader`] behind the image's own.
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

    pub(crate) fn boot_config(&self) -> Result<BootConfig, ConfigError> {
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

/// The target application, started by MCUboot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its image.
    pub image: RunningImage,
    /// Its load header, where the bootloader wants one.
    pub load_header: Option<LoadHeader>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.image)
    }
}

/// Erase units of the flash functions that Espressif's port calls (`bootloader_flash_erase_range` in
/// `components/bootloader_support` of `espressif/esp-idf`).
const ERASE_UNITS: &[EraseUnit] = &[EraseUnit::Block64K, EraseUnit::Sector4K];

/// Boots.
pub(crate) fn run(
    mut flash: Limited<'_>,
    mcuboot: &McubootBoot,
    tell: &mut dyn FnMut(Event),
) -> Result<Target, McubootFailure> {
    tell(Event::McubootStarts { flash_len_bytes: flash.len_bytes });
    let mut driver = Driver::<_, 1, 4>::with_alignment(&mut flash).with_erase_units(ERASE_UNITS);
    let outcome = mcuboot_boot::boot(&mut driver, &mcuboot.config, &mut |event| {
        tell(Event::Mcuboot(event));
    })
    .map_err(McubootFailure::Flash)?;
    let image = *outcome.running().ok_or(McubootFailure::Boot(outcome))?;
    let mut load_header = None;
    if mcuboot.map.wants_load_header {
        let addr = image.slot.start().saturating_add(u32::from(image.header.hdr_size));
        let mut bytes = [0; LoadHeader::LEN_BYTES];
        flash.read(addr, &mut bytes).map_err(McubootFailure::Flash)?;
        let refused = |error| McubootFailure::LoadHeader { addr, error };
        let header = LoadHeader::parse(&bytes).map_err(refused)?;
        header.check(image.header.tlv_offset_bytes().unwrap_or(0)).map_err(refused)?;
        load_header = Some(header);
    }
    Ok(Target { image, load_header })
}
