//! Checks of an MCUboot image.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::espressif::{LoadFault, LoadHeader, check_entry};
use mcuboot_format::trailer::{Flag, Magic, TrailerError, TrailerLayout, TrailerState};
use mcuboot_format::{SlotLimits, validate};

use super::super::mcuboot::{ANY_SLOT, TrailerInfo};
use super::check::Check;
use super::wanted::Wanted;

/// Image, load header and trailer.
pub(super) fn mcuboot(file: &[u8], wanted: &Wanted<'_>) -> Result<Vec<Check>, TrailerError> {
    // A file that ends like a slot is a whole slot.
    let padded = || TrailerInfo::of(file).filter(|t| t.max_align == wanted.trailer.max_align);
    let slot_len_bytes = wanted.slot_len_bytes.or_else(|| padded().map(|t| t.slot_size));
    let layout = slot_len_bytes.map(|slot_len_bytes| {
        TrailerLayout::new(Region::clamped(FlashAddr::ZERO, slot_len_bytes), wanted.trailer)
    });
    let layout = layout.transpose()?;
    let limits =
        layout.as_ref().map_or(ANY_SLOT, |layout| SlotLimits::new(layout, layout, SECTOR_BYTES));
    let image = validate(file, limits, wanted.key).map_err(|error| error.to_string());
    let mut checks = Vec::new();
    if let Ok(image) = &image {
        let end = image.header.tlv_offset_bytes().unwrap_or(u32::MAX);
        let payload = file.get(usize::from(image.header.hdr_size)..).unwrap_or_default();
        let header = LoadHeader::parse(payload).and_then(|header| {
            match wanted.chip {
                Some(chip) => {
                    header.check(chip, &image.header)?;
                    check_entry(chip, file)?;
                }
                None => {
                    header.check_image(end)?;
                    header.check_header_size(&image.header)?;
                }
            }
            Ok(format!("starts at {:#x}", header.entry_addr))
        });
        // Without a chip, it may be an image for a bootloader that is not Espressif's.
        let none = matches!(header, Err(LoadFault::Magic { .. } | LoadFault::Truncated { .. }));
        if !none || wanted.chip.is_some() {
            checks.push(Check::new("load header", header.map_err(|error| error.to_string())));
        }
    }
    if let Some(layout) = &layout {
        checks.extend(trailer(file, layout).map(|result| Check::new("trailer", result)));
    }
    let image = image.map(|image| {
        let signed = match image.signed_by {
            Some(_) => "hash and signature are right",
            None => "hash is right, signatures were not checked",
        };
        format!("version {}, {:#x} bytes, {signed}", image.header.version, image.image_end_bytes)
    });
    checks.insert(0, Check::new("image", image));
    Ok(checks)
}

/// The trailer of a file that is as long as the slot; `None` for a shorter one, which has no
/// trailer.
fn trailer(file: &[u8], layout: &TrailerLayout) -> Option<Result<String, String>> {
    let slot_len = layout.slot().len_bytes() as usize;
    if file.len() < slot_len {
        return None;
    }
    if file.len() > slot_len {
        return Some(Err(format!("the file has {:#x} bytes, the slot {slot_len:#x}", file.len())));
    }
    let state = match TrailerState::parse(layout, file) {
        Ok(state) => state,
        Err(error) => return Some(Err(error.to_string())),
    };
    let magic_at = layout.magic();
    Some(match (state.magic, state.image_ok) {
        (Magic::Good, Flag::Set) => Ok("confirmed".to_owned()),
        (Magic::Good, Flag::Unset) => {
            Ok("pending: tested once, then reverted unless confirmed".to_owned())
        }
        (Magic::Good, Flag::Bad) => {
            Err(format!("image_ok at offset {} is neither set nor unset", layout.image_ok()))
        }
        (Magic::Unset, _) => Ok("none, so MCUboot ignores the image for now".to_owned()),
        (Magic::Bad, _) => {
            Err(format!("the magic at offset {magic_at} is not the one for this alignment"))
        }
    })
}
