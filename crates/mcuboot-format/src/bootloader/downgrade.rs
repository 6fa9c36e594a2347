//! Whether a bootloader prevents downgrades, and how.
//!
//! A missing line of the log is evidence only if other lines of the same level are there.

use super::code::{Code, Cpu};
use super::memory::Memory;
use super::{Found, found};
use crate::tlv::TlvType;
use crate::{DowngradePrevention, SwapKind};

/// Register of the fourth argument of `bootutil_tlv_iter_begin`: the type (a3).
const TYPE: u8 = 13;
/// Register of its fifth: whether only protected TLVs count (a4).
const PROTECTED: u8 = 14;

/// What the bootloader compares before it replaces an image.
pub(super) fn downgrade_prevention(
    memory: &Memory<'_>,
    code: &Code,
    swap: Option<SwapKind>,
) -> Option<Found<DowngradePrevention>> {
    let counter = code.constants.iter().find(|constant| {
        constant.register == TYPE
            && constant.value == u32::from(TlvType::SEC_CNT.0)
            && code.near(constant.at, 16).any(|c| c.register == PROTECTED && c.value == 1)
    });
    let counter = counter.filter(|_| code.cpu == Cpu::RiscV).and_then(|c| memory.place(c.at));
    // boot_validate_slot and boot_validated_swap_type, boot/bootutil/src/loader.c.
    const SWAPPED: &str = "erased due to downgrade prevention";
    const OVERWRITTEN: &str = "Insufficient version in secondary slot";
    if let Some(place) = memory.text(SWAPPED) {
        return Some(match counter {
            Some(_) => {
                Found::sure(DowngradePrevention::SecurityCounter, place, found::text(SWAPPED))
            }
            // The code for the counter is recognized on RISC-V only.
            None if code.cpu == Cpu::Xtensa => {
                Found::likely(DowngradePrevention::Version, place, found::text(SWAPPED))
            }
            None => Found::sure(DowngradePrevention::Version, place, found::text(SWAPPED)),
        });
    }
    if let Some(place) = memory.text(OVERWRITTEN) {
        return Some(Found::sure(DowngradePrevention::Version, place, found::text(OVERWRITTEN)));
    }
    let none =
        |place, evidence| Some(Found::sure(DowngradePrevention::None, Some(place), evidence));
    match swap {
        Some(SwapKind::Overwrite) => {
            let place = memory.text("Image in the %s slot is not valid");
            if let Some(place) = place {
                return none(place, "errors are logged, this one is not there");
            }
        }
        Some(SwapKind::Scratch | SwapKind::Move | SwapKind::Offset) => {
            if let Some(place) = memory.text("Starting swap using") {
                return none(place, "information is logged, its line is not there");
            }
        }
        None => {}
    }
    let evidence = "code that asks for the security counter";
    counter.map(|place| Found::sure(DowngradePrevention::SecurityCounter, place, evidence))
}

/// Whether that bootloader validates the primary slot at every boot
/// (`MCUBOOT_VALIDATE_PRIMARY_SLOT`).
pub(super) fn validates_primary(memory: &Memory<'_>) -> Option<Found<bool>> {
    // Whole texts: parts of them are in both kinds of bootloader.
    const NOT: &str = "Bad image magic 0x%lx; Image=%u";
    const FAILED: &str = "status write fails performing the swap";
    const INVALID: &str = "Image in the %s slot is not valid";
    if let Some(place) = memory.text(NOT) {
        return Some(Found::sure(false, place, found::text(NOT)));
    }
    if let Some(place) = memory.text(FAILED) {
        return Some(Found::sure(true, place, found::text(FAILED)));
    }
    memory.text("Unable to find bootable image")?;
    Some(Found::sure(true, memory.text(INVALID)?, found::text(INVALID)))
}
