//! How a bootloader brings an update to the primary slot.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::code::{Code, Cpu};
use super::map::{CompiledMap, MapForm};
use super::memory::Memory;
use super::{Found, Location, found};
use crate::SwapKind;

/// `boot_status_tables`, which only swap using scratch has: three steps by the trailers' magics
/// (boot/bootutil/src/swap_scratch.c).
const STATUS_TABLES: [u8; 12] = [1, 5, 1, 0, 1, 5, 3, 2, 4, 1, 4, 1];
/// `boot_swap_tables` of swap using offset, rows of 7 (boot/bootutil/src/bootutil_public.c).
const SWAP_TABLES_OFFSET: [u8; 28] =
    [4, 1, 4, 3, 4, 1, 4, 4, 1, 4, 3, 4, 4, 2, 4, 1, 4, 1, 4, 4, 3, 1, 4, 3, 4, 1, 4, 4];
/// `boot_swap_tables` of all the others, rows of 6 (same file).
const SWAP_TABLES: [u8; 18] = [4, 1, 4, 3, 4, 2, 4, 1, 4, 1, 4, 3, 1, 4, 3, 4, 1, 4];

/// The kinds that leave neither table nor text where logs and asserts are off.
const SILENT: [SwapKind; 2] = [SwapKind::Move, SwapKind::Overwrite];

/// The kinds of swap that a bootloader may be of.
///
/// There is only one, unless logs and asserts are off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwapKinds {
    kinds: &'static [SwapKind],
}

impl SwapKinds {
    const fn one(kind: SwapKind) -> Self {
        Self {
            kinds: match kind {
                SwapKind::Scratch => &[SwapKind::Scratch],
                SwapKind::Move => &[SwapKind::Move],
                SwapKind::Offset => &[SwapKind::Offset],
                SwapKind::Overwrite => &[SwapKind::Overwrite],
            },
        }
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> &'static [SwapKind] {
        self.kinds
    }

    /// The only one.
    #[must_use]
    pub const fn only(&self) -> Option<SwapKind> {
        match self.kinds {
            [kind] => Some(*kind),
            _ => None,
        }
    }
}

/// Texts of logs and asserts, and the kind that has them.
const TEXTS: [(SwapKind, &str); 11] = [
    (SwapKind::Scratch, "Starting swap using scratch algorithm"),
    (SwapKind::Move, "Starting swap using move algorithm"),
    (SwapKind::Offset, "Starting swap using offset algorithm"),
    (SwapKind::Scratch, NOT_IN_SCRATCH),
    (SwapKind::Move, "boot_move_sector_up"),
    (SwapKind::Move, "/swap_move.c"),
    (SwapKind::Offset, "/swap_offset.c"),
    (SwapKind::Overwrite, "boot_copy_image"),
    (SwapKind::Overwrite, "Copying the secondary slot to the primary slot"),
    (SwapKind::Overwrite, "upgrade secondary slot -> primary slot"),
    (SwapKind::Overwrite, "Erasing the primary slot"),
];
const NOT_IN_SCRATCH: &str = "not all sectors fit inside scratch";

/// The kind of swap of that bootloader.
pub(super) fn swap(
    memory: &Memory<'_>,
    code: &Code,
    trailer_magic_addr: u32,
) -> Option<Found<SwapKinds>> {
    let mut votes: Vec<(SwapKind, Option<Location>, Cow<'static, str>)> = Vec::new();
    let at = |addr: Option<u32>| addr.and_then(|addr| memory.place(addr));
    let has = |text| memory.text(text).is_some();
    let offset_tables = at(memory.find(&SWAP_TABLES_OFFSET));
    if let Some(place) = at(memory.find(&STATUS_TABLES)) {
        votes.push((SwapKind::Scratch, Some(place), "table of swap states".into()));
    }
    if let Some(place) = offset_tables {
        votes.push((SwapKind::Offset, Some(place), "table of swap types".into()));
    }
    for (kind, text) in TEXTS {
        if let Some(place) = memory.text(text) {
            votes.push((kind, Some(place), found::text(text)));
        }
    }
    // Every build that overwrites has that file name, too, because it reads headers with functions
    // of that file.
    if has("/swap_scratch.c")
        && let Some(place) = memory.text("boot_swap_sectors")
    {
        votes.push((SwapKind::Scratch, Some(place), found::text("boot_swap_sectors")));
    }
    const INCOMPATIBLE: &str = "slots have non-compatible sectors";
    if let Some(place) = memory.text(INCOMPATIBLE).filter(|_| !has(NOT_IN_SCRATCH)) {
        votes.push((SwapKind::Overwrite, Some(place), found::text(INCOMPATIBLE)));
    }
    const AMOUNT: &str = "not a compatible amount of sectors";
    if let Some(place) = memory.text(AMOUNT).filter(|_| offset_tables.is_none()) {
        votes.push((SwapKind::Move, Some(place), found::text(AMOUNT)));
    }
    match votes.first() {
        Some((kind, place, evidence)) => {
            let agree = votes.iter().all(|(other, ..)| other == kind);
            agree.then(|| Found::sure(SwapKinds::one(*kind), *place, evidence.clone()))
        }
        None => silent(memory, code, trailer_magic_addr),
    }
}

/// The kind where logs and asserts are off.
fn silent(memory: &Memory<'_>, code: &Code, trailer_magic_addr: u32) -> Option<Found<SwapKinds>> {
    let place = memory.place(memory.find(&SWAP_TABLES)?);
    let uses = code.constants.iter().filter(|constant| constant.value == trailer_magic_addr);
    if code.cpu == Cpu::RiscV && uses.count() == 1 {
        let overwrite = SwapKinds::one(SwapKind::Overwrite);
        let evidence = "table of swap types, and one use of the trailer's magic";
        return Some(Found::likely(overwrite, place, evidence));
    }
    let evidence = "table of swap types, and none of swap states";
    Some(Found::sure(SwapKinds { kinds: &SILENT }, place, evidence))
}

/// Whether a bootloader that overwrites copies only the image (`MCUBOOT_OVERWRITE_ONLY_FAST`).
pub(super) fn overwrites_fast(
    memory: &Memory<'_>,
    map: Option<&CompiledMap>,
) -> Option<Found<bool>> {
    // Names of functions that have asserts, which print them.
    if let Some(place) = memory.text("boot_read_image_size") {
        return Some(Found::sure(true, place, found::text("boot_read_image_size")));
    }
    for text in ["boot_copy_image", "Erasing the primary slot"] {
        if let Some(place) = memory.text(text) {
            return Some(Found::sure(false, place, found::text(text)));
        }
    }
    // boot/zephyr/include/mcuboot_config/mcuboot_config.h
    let is_zephyr = map.is_some_and(|map| map.form == MapForm::Zephyr);
    is_zephyr.then(|| Found::likely(true, None, "Zephyr's port always does"))
}
