//! How long an image in one of the slots may be.
//!
//! If the slots are equal, there is one limit. If they differ by more than the kind of swap allows,
//! nothing is swapped, but the primary is still validated, with a limit that depends on the kind
//! (`bootutil_max_image_size`, boot/bootutil/src/bootutil_misc.c).

use flash_region::SECTOR_BYTES;
use mcuboot_format::trailer::TrailerLayout;
use mcuboot_format::{SlotLimits, SwapKind};

use crate::{AreaName, BootConfig};

impl BootConfig {
    /// What the bootloader allows an image that is in that slot, primary or secondary.
    ///
    /// Overwriting looks at that slot alone, the swaps at both.
    #[must_use]
    pub fn limits_in(&self, slot: AreaName) -> SlotLimits {
        let of = |area| self.layout(area).copied();
        let (Some(primary), Some(secondary)) = (of(AreaName::Primary), of(AreaName::Secondary))
        else {
            return self.limits();
        };
        let own = if slot == AreaName::Secondary { &secondary } else { &primary };
        let max_image_len_bytes = match self.swap() {
            SwapKind::Move => in_place(&primary, 1).min(in_place(&secondary, 0)),
            SwapKind::Offset => in_place(&primary, 0).min(in_place(&secondary, 1)),
            SwapKind::Overwrite => alone(own),
            SwapKind::Scratch => self.max_image_len_scratch(&primary, &secondary),
        };
        SlotLimits { slot_len_bytes: own.slot().len_bytes(), max_image_len_bytes }
    }

    /// The limit of swap using scratch (`app_max_size`, boot/bootutil/src/swap_scratch.c), which
    /// pairs the sectors of the slots in their tables.
    ///
    /// One extra sector in either slot is ignored. With more, MCUboot reads on after the table of
    /// the shorter slot, in the table that follows: the secondary's, or the scratch area's. If that
    /// is too short as well, no image is short enough.
    fn max_image_len_scratch(&self, primary: &TrailerLayout, secondary: &TrailerLayout) -> u32 {
        let sectors = |layout: &TrailerLayout| layout.slot().len_bytes() / SECTOR_BYTES;
        let (of_primary, of_secondary) = (sectors(primary), sectors(secondary));
        let longer = if of_primary > of_secondary { primary } else { secondary };
        let without_one =
            (longer.slot().len_bytes() - SECTOR_BYTES).saturating_sub(longer.trailer().len_bytes());
        let following = self.slot_sectors(AreaName::Scratch);
        // After a full table comes the first entry of the next one.
        let is_full = of_primary.min(of_secondary) >= self.max_sectors();
        match (of_primary.abs_diff(of_secondary), of_primary > of_secondary) {
            (1, _) if !is_full => without_one,
            (more, true) if more > following + 1 => 0,
            (more, true) if more > following => without_one,
            _ => alone(longer),
        }
    }
}

/// The limit of swap using move and swap using offset in a slot in which `spare_sectors` are kept
/// free (`app_max_size`, boot/bootutil/src/swap_move.c and swap_offset.c). In a slot too small for
/// that, MCUboot wraps around, and the other slot decides.
fn in_place(layout: &TrailerLayout, spare_sectors: u32) -> u32 {
    let trailer = layout.trailer().len_bytes().next_multiple_of(SECTOR_BYTES);
    layout.slot().len_bytes().wrapping_sub(trailer).wrapping_sub(spare_sectors * SECTOR_BYTES)
}

/// The limit if both slots are like this one.
fn alone(layout: &TrailerLayout) -> u32 {
    SlotLimits::new(layout, layout, SECTOR_BYTES).max_image_len_bytes
}
