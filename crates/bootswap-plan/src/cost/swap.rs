//! What MCUboot does to flash after the reset, before it starts the application.
//!
//! ```text
//!   application in      swap                what MCUboot does
//!   primary slot        any                 nothing: it starts the application
//!   secondary slot      scratch             passes of as many sectors as scratch has, each copied
//!                                           three times
//!                       overwrite           erases the primary slot and copies the secondary
//!                       overwrite, fast     the same with the image's sectors and the trailer
//! ```
//!
//! The swap is that of MCUboot without an image of its own in the primary slot, which the plan's
//! steps see to, on flash with sectors of 4 KiB and sources as in boot/bootutil/src/swap_scratch.c
//! (`boot_swap_sectors`), swap_misc.c and loader.c (`boot_copy_image`). It erases sector by sector,
//! and programs every page of a sector, blank or not. The other kinds of swap are never planned
//! from the secondary slot.

use flash_region::{PAGE_BYTES, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{TrailerConfig, TrailerLayout};

use super::count::Cost;
use super::erases::sectors;
use crate::migration::{Artifact, Content, McubootMap, Migration, Role};
use crate::step::{Plan, Strategy};

/// Entries of the scratch area's status that go to the primary slot's (`boot_swap_sectors`).
const KEPT_STEPS: u32 = 2;

/// What MCUboot does before it starts the application that this plan has placed.
pub(super) fn swapped_in(migration: &Migration<'_>, plan: &Plan) -> Cost {
    let mut apps = migration.artifacts.iter().filter(|a| a.role == Role::Application);
    let (Some(map), Some(app)) = (&migration.mcuboot, apps.next()) else { return Cost::NONE };
    if plan.strategy != Strategy::SecondaryAndSwap || migration.goes_back() {
        return Cost::NONE;
    }
    let Some(primary) = map.trailer(map.primary) else { return Cost::NONE };
    let image_bytes = image_len_bytes(app, &primary);
    match map.swap {
        SwapKind::Scratch => Scratch::new(map, &primary, is_confirmed(app)).swap(image_bytes),
        SwapKind::Overwrite if map.overwrites_fast => overwrite_fast(map, image_bytes),
        SwapKind::Overwrite => {
            let pages = map.primary.len_bytes().div_ceil(PAGE_BYTES);
            erased(map.primary) + Cost::pages(pages) + Cost::sectors(2)
        }
        SwapKind::Move | SwapKind::Offset => Cost::NONE,
    }
}

/// Bytes of the image with its TLVs; if they are not known, as many as there is room for.
fn image_len_bytes(app: &Artifact<'_>, trailer: &TrailerLayout) -> u32 {
    match app.content {
        Some(Content::Mcuboot { image_len_bytes, .. }) => image_len_bytes,
        _ => app.len_bytes.unwrap_or(u32::MAX).min(trailer.offset_bytes()),
    }
}

/// Whether MCUboot finds the image confirmed; assumed where the file is not known.
fn is_confirmed(app: &Artifact<'_>) -> bool {
    match app.content {
        Some(Content::Mcuboot { padded, confirmed, .. }) => app.confirm || (padded && confirmed),
        _ => true,
    }
}

fn erased(region: Region) -> Cost {
    Cost::sectors(sectors(region))
}

fn overwrite_fast(map: &McubootMap<'_>, image_bytes: u32) -> Cost {
    let image = map.primary.prefix(image_bytes.max(1));
    // The room of a status area is counted, although overwriting keeps none.
    let config = TrailerConfig { swap: SwapKind::Scratch, ..map.trailer_config() };
    let trailer = TrailerLayout::new(map.primary, config).map(|layout| layout.trailer());
    // The image and at least one byte more, in whole write units.
    let copied_bytes = image_bytes.saturating_add(1).next_multiple_of(config.write_unit_bytes);
    // The trailer's magic; then the secondary slot's header and trailer, so that it asks no more.
    let pages = Cost::pages(copied_bytes.div_ceil(PAGE_BYTES) + 1);
    erased(image) + trailer.map_or(Cost::NONE, erased) + pages + Cost::sectors(2)
}

/// Swap using scratch.
struct Scratch {
    len_bytes: u32,
    /// Bytes of the scratch area before its own trailer.
    before_trailer_bytes: u32,
    /// Bytes of a slot before the trailer.
    slot_before_trailer_bytes: u32,
    /// The trailer of a slot made blank.
    no_trailer: Cost,
    /// The fields of a trailer written.
    fields: Cost,
}

impl Scratch {
    fn new(map: &McubootMap<'_>, trailer: &TrailerLayout, confirmed: bool) -> Self {
        let scratch = map.scratch.unwrap_or_default();
        let own = TrailerLayout::scratch(scratch, map.trailer_config());
        Self {
            len_bytes: scratch.len_bytes().max(SECTOR_BYTES),
            before_trailer_bytes: own.map_or(0, |own| own.offset_bytes()),
            slot_before_trailer_bytes: trailer.offset_bytes(),
            no_trailer: erased(trailer.trailer()),
            // Type of swap, size, magic, and the confirmation.
            fields: Cost::pages(3 + u32::from(confirmed)),
        }
    }

    /// All passes, from the end of the images to their start, and the mark that it is done.
    fn swap(&self, image_bytes: u32) -> Cost {
        let mut cost = Cost::pages(1);
        let mut end = image_bytes.div_ceil(SECTOR_BYTES) * SECTOR_BYTES;
        let mut is_first = true;
        while end > 0 {
            let start = end.saturating_sub(self.len_bytes);
            cost += self.pass(start, end - start, is_first);
            (end, is_first) = (start, false);
        }
        cost
    }

    /// A pass: secondary to scratch, primary to secondary, scratch to primary, each with an entry
    /// of the status.
    fn pass(&self, start: u32, len: u32, is_first: bool) -> Cost {
        let scratch = Cost::sectors(self.len_bytes / SECTOR_BYTES);
        let trailer_sector = self.slot_before_trailer_bytes / SECTOR_BYTES * SECTOR_BYTES;
        // An image may end in the sector in which the trailer begins.
        let copied = if start + len <= trailer_sector {
            len
        } else {
            self.slot_before_trailer_bytes.saturating_sub(start).min(self.before_trailer_bytes)
        };
        let (mut cost, mut erased) = (scratch, len);
        if is_first && copied != len {
            // The status is in the scratch area during this pass, and its trailer goes to the
            // primary slot in the end.
            let moved = KEPT_STEPS * TrailerConfig::espressif(SwapKind::Scratch).write_unit_bytes;
            let entries = Cost::pages(pages_at(start + copied, moved));
            cost += self.fields + self.no_trailer + self.no_trailer;
            cost += entries + self.fields + scratch;
            erased = trailer_sector.saturating_sub(start);
        } else if is_first {
            cost += self.fields + self.no_trailer + self.fields + scratch + self.no_trailer;
        }
        let copies = Cost::pages(3 * (copied.div_ceil(PAGE_BYTES) + 1));
        cost + Cost::sectors(2 * (erased / SECTOR_BYTES)) + copies
    }
}

/// Pages that so many bytes from this offset on touch.
const fn pages_at(offset: u32, len_bytes: u32) -> u32 {
    (offset % PAGE_BYTES + len_bytes).div_ceil(PAGE_BYTES)
}
