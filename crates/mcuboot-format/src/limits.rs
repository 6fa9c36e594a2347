//! How long an image may be.

use crate::SwapKind;
use crate::trailer::TrailerLayout;

/// What a bootloader's slots allow an image.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SlotLimits {
    /// Bytes of the slot, trailer included.
    pub slot_len_bytes: u32,
    /// The furthest that header, payload and TLVs may reach from the slot's start.
    pub max_image_len_bytes: u32,
}

impl SlotLimits {
    /// The limits of an image that is to be booted from `primary` and gets there through
    /// `secondary`.
    ///
    /// `sector_len_bytes` is the erase unit that the bootloader swaps by, 4096 on Espressif's
    /// chips. The rules are those of `bootutil_max_image_size` (boot/bootutil/src/bootutil_misc.c)
    /// and `app_max_size` (swap_scratch.c, swap_move.c, swap_offset.c beside it), for slots of
    /// which all sectors have that length.
    #[must_use]
    pub fn new(primary: &TrailerLayout, secondary: &TrailerLayout, sector_len_bytes: u32) -> Self {
        let swap = primary.config().swap;
        let in_primary = max_image_len_bytes(primary, sector_len_bytes, swap == SwapKind::Move);
        let in_secondary =
            max_image_len_bytes(secondary, sector_len_bytes, swap == SwapKind::Offset);
        Self {
            slot_len_bytes: primary.slot().len_bytes().min(secondary.slot().len_bytes()),
            max_image_len_bytes: in_primary.min(in_secondary),
        }
    }
}

/// The room in one slot. `spare_sector` says that the swap shifts the image by a sector in this
/// slot.
fn max_image_len_bytes(layout: &TrailerLayout, sector_len_bytes: u32, spare_sector: bool) -> u32 {
    let config = layout.config();
    let slot_len_bytes = layout.slot().len_bytes();
    let trailer_len_bytes = layout.trailer().len_bytes();
    // No sector has 0 bytes; the smallest unit stands for one.
    let sector_len_bytes = sector_len_bytes.max(1);
    let sectors_of_trailer = trailer_len_bytes.div_ceil(sector_len_bytes);
    match config.swap {
        SwapKind::Overwrite => layout.offset_bytes(),
        SwapKind::Scratch => {
            // As the sector that the trailer starts in goes through the scratch area, the scratch
            // area's own trailer must fit after the image's last bytes.
            let behind_first =
                sectors_of_trailer.saturating_sub(1).saturating_mul(sector_len_bytes);
            let in_first_sector = trailer_len_bytes.saturating_sub(behind_first);
            let scratch_trailer = TrailerLayout::scratch(layout.slot(), config)
                .map_or(0, |scratch| scratch.trailer().len_bytes());
            layout.offset_bytes().saturating_sub(scratch_trailer.saturating_sub(in_first_sector))
        }
        SwapKind::Move | SwapKind::Offset => {
            let taken = sectors_of_trailer.saturating_add(u32::from(spare_sector));
            slot_len_bytes.saturating_sub(taken.saturating_mul(sector_len_bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use flash_region::{FlashAddr, Region, SECTOR_BYTES};

    use super::*;
    use crate::trailer::TrailerConfig;

    fn limits(config: TrailerConfig) -> SlotLimits {
        let slot = |start| {
            TrailerLayout::new(Region::clamped(FlashAddr(start), 0x10_0000), config).unwrap()
        };
        SlotLimits::new(&slot(0x1_0000), &slot(0x11_0000), SECTOR_BYTES)
    }

    #[test]
    fn scratch_leaves_all_but_the_trailer() {
        let limits = limits(TrailerConfig::espressif(SwapKind::Scratch));
        assert_eq!(limits.slot_len_bytes, 0x10_0000);
        assert_eq!(limits.max_image_len_bytes, 0xf_e7d0);
    }

    #[test]
    fn scratch_leaves_less_where_the_trailer_just_reaches_into_a_sector() {
        // 338 sectors of 3 steps of 4 bytes, and 0x30 bytes: 8 bytes more than a sector.
        let config =
            TrailerConfig { max_sectors: 338, ..TrailerConfig::espressif(SwapKind::Scratch) };
        let scratch_trailer = 3 * 4 + 0x30;
        let trailer = 338 * 3 * 4 + 0x30;
        assert_eq!(trailer, 0x1000 + 8);
        let expected = 0x10_0000 - trailer - (scratch_trailer - 8);
        assert_eq!(limits(config).max_image_len_bytes, expected);
    }

    #[test]
    fn move_and_offset_need_whole_sectors_and_a_spare_one() {
        let of = |swap| limits(TrailerConfig::espressif(swap)).max_image_len_bytes;
        assert_eq!(of(SwapKind::Move), 0x10_0000 - 3 * 0x1000);
        assert_eq!(of(SwapKind::Offset), 0x10_0000 - 3 * 0x1000);
    }

    #[test]
    fn sectors_of_0_bytes_give_no_larger_limit() {
        let slot = Region::clamped(FlashAddr(0x1_0000), 0x10_0000);
        for swap in SwapKind::ALL {
            let layout = TrailerLayout::new(slot, TrailerConfig::espressif(swap)).unwrap();
            let limits = SlotLimits::new(&layout, &layout, 0);
            assert!(limits.max_image_len_bytes <= layout.offset_bytes(), "{swap}");
        }
    }

    #[test]
    fn overwrite_leaves_all_but_the_flags() {
        let limits = limits(TrailerConfig::espressif(SwapKind::Overwrite));
        assert_eq!(limits.max_image_len_bytes, 0x10_0000 - 40);
    }
}
