//! From ELF to app image, through espflash.

use anyhow::{Context, Result, anyhow};
use espflash::flasher::{FlashData, FlashSettings};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target;

use super::chip::Chip;

/// The app image of an ELF, for any OTA mechanism.
///
/// # Errors
///
/// If the ELF is not an app for this chip, by espflash's rules.
pub(super) fn of(elf: &[u8], chip: Chip) -> Result<Vec<u8>> {
    let target: target::Chip =
        chip.name().parse().map_err(|error| anyhow!("espflash does not know the chip: {error}"))?;
    // Mode, size and frequency are read from the bootloader's header, not from an app's.
    let settings = FlashSettings::new(None, None, None);
    let flash = FlashData::new(settings, 0, None, target, target.default_xtal_frequency());
    let format = IdfBootloaderFormat::new(elf, &flash, None, None, None, None)
        .map_err(|error| anyhow!("espflash cannot make an image of it: {error}"))?;
    let app = format.ota_segments().next().context("espflash made an image without an app")?;
    Ok(app.data.into_owned())
}
