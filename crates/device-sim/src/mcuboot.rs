//! Runs the model of MCUboot ([`mcuboot_boot`]) on this device's flash.

use esp_idf_format::Chip;
use mcuboot_format::espressif::LoadHeader;
use nor_sim::{Driver, EraseUnit, NorDevice};

use crate::board::McubootBoot;
use crate::limited::Limited;
use crate::{DeviceEvent, McubootFailure, TargetApp, TargetStart};

/// Erase units of the flash functions that Espressif's port calls (`bootloader_flash_erase_range`
/// in `components/bootloader_support` of `espressif/esp-idf`).
const ERASE_UNITS: &[EraseUnit] = &[EraseUnit::Block64K, EraseUnit::Sector4K];

/// Boots.
pub(crate) fn run(
    mut flash: Limited<'_>,
    mcuboot: &McubootBoot,
    chip: Chip,
    start: TargetStart,
    tell: &mut dyn FnMut(DeviceEvent),
) -> Result<TargetApp, McubootFailure> {
    tell(DeviceEvent::McubootStarts { flash_len_bytes: flash.len_bytes });
    let mut driver = Driver::<_, 1, 4>::with_alignment(&mut flash).with_erase_units(ERASE_UNITS);
    let outcome = mcuboot_boot::boot(&mut driver, &mcuboot.config, &mut |event| {
        tell(DeviceEvent::Mcuboot(event));
    })
    .map_err(McubootFailure::Flash)?;
    let image = *outcome.running().ok_or(McubootFailure::Boot(outcome))?;
    let mut load_header = None;
    if mcuboot.map.wants_load_header {
        let addr = image.slot.start().saturating_add(u32::from(image.header.hdr_size));
        let mut bytes = [0; LoadHeader::LEN_BYTES];
        flash.read(addr, &mut bytes).map_err(McubootFailure::Flash)?;
        let refused = |fault| McubootFailure::LoadHeader { addr, fault };
        let header = LoadHeader::parse(&bytes).map_err(refused)?;
        header.check(chip, &image.header).map_err(refused)?;
        if mcuboot.map.checks_lp_segments {
            header.check_lp_memory(chip).map_err(refused)?;
        }
        load_header = Some(header);
    }
    Ok(TargetApp { image, load_header, start })
}
