//! What earlier systems left in the target's slots: trailers, images, and bytes where a status is.

use arbitrary::Result;
use device_sim::{McubootConfig, synthetic};
use flash_region::{FlashAddr, Region};
use mcuboot_format::ImageVersion;
use mcuboot_format::builder::{SignOptions, sign};
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout, magic_bytes};

use super::choose::Choices;
use super::device::Device;

/// Puts stale bytes into the device's flash, beside what it needs to start.
pub(super) fn put(u: &mut Choices<'_>, device: &mut Device, truth: &McubootConfig) -> Result<()> {
    let config = TrailerConfig {
        max_align: truth.max_align,
        max_sectors: truth.max_sectors,
        ..TrailerConfig::espressif(truth.swap)
    };
    let areas = [Some(truth.primary), Some(truth.secondary), truth.scratch];
    for area in areas.into_iter().flatten() {
        if !u.rarely(3)? {
            continue;
        }
        if u.below(2)? == 0 {
            let magic = magic_bytes(*u.mostly_first(6, &[truth.max_align, 8, 16, 32])?);
            write(device, area.suffix(16).start(), &magic);
        }
        let Ok(layout) = TrailerLayout::new(area, config) else { continue };
        let flag = *u.one_of(&[0x01, 0xff, 0x00, 0x5a])?;
        let fields = [layout.image_ok(), layout.copy_done(), layout.swap_info()];
        for field in fields {
            if u.below(2)? == 0 {
                write(device, field, &[flag]);
            }
        }
        if u.below(2)? == 0 {
            let status = layout.status();
            write(device, status.start(), &crate::noise(60, status.len_bytes().min(64)));
        }
    }
    // An earlier target, or its update, of a version of its own.
    if u.rarely(6)? {
        let slot = *u.one_of(&[truth.primary, truth.secondary])?;
        let options = SignOptions {
            version: *u.one_of(&[ImageVersion::new(9, 0, 0), ImageVersion::new(0, 0, 1)])?,
            security_counter: *u.one_of(&[None, Some(9)])?,
            ..SignOptions::espressif(slot.len_bytes().max(0x1_0000), truth.swap)
        };
        let payload = synthetic::target_payload(device.chip, 0x2000, 61);
        if let Ok(image) = sign(&payload, &options) {
            write(device, slot.start(), &image);
        }
    }
    Ok(())
}

/// Writes bytes, unless the device needs that place to start.
fn write(device: &mut Device, addr: FlashAddr, bytes: &[u8]) {
    let region = Region::clamped(addr, u32::try_from(bytes.len()).expect("a few bytes"));
    let apps = device.apps().map(|app| app.prefix(0x8000)).collect::<Vec<_>>();
    let is_app = apps.iter().any(|app| app.overlaps(region));
    let first = device.apps().map(Region::start).min().unwrap_or_default();
    let (start, end) = (region.start().get() as usize, region.end().get() as usize);
    if is_app || region.start() < first || device.needs(region) {
        return;
    }
    if let Some(room) = device.dump.get_mut(start..end) {
        room.copy_from_slice(bytes);
    }
}
