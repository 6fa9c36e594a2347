//! Where the target system's regions can be under a partition table.
//!
//! ```text
//!   table ──> spaces: app partitions, and what nobody claims ──> pairs of them as slots
//!                 with a scratch area where a third space has room, else without one,
//!                 else with one at the end of the second slot
//! ```

use esp_idf_format::partition::{Partition, TABLE_ADDR};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

/// Bytes of the scratch area in the example.
const SCRATCH_LEN_BYTES: u32 = 0x4_0000;
/// Bytes that are left after two slots in one partition: a scratch area, and room to stage a
/// bootloader.
const REST_LEN_BYTES: u32 = SCRATCH_LEN_BYTES + 0x2_0000;
/// Smaller slots are of no use: the smallest application with Wi-Fi is larger.
const LEAST_SLOT_LEN_BYTES: u32 = 0x2_0000;
/// Most maps that are tried, the best ones first; a table that has more is unusual.
const MOST_FITS: usize = 96;

/// Slots and scratch area, and how an update is installed in the primary slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fit {
    pub(super) primary: Region,
    pub(super) secondary: Region,
    /// `None` if there is no room for one.
    pub(super) scratch: Option<Region>,
    pub(super) swap: SwapKind,
}

/// Every map that a table has room for: largest slots first, and among equal ones those first that
/// keep most of the old contents.
pub(super) fn fits(partitions: &[Partition], flash: Region) -> Vec<Fit> {
    let apps = apps(partitions, flash);
    let unclaimed = unclaimed(partitions, flash);
    let mut pairs = pairs(&apps);
    if pairs.is_empty() {
        let spaces: Vec<Region> = apps.iter().chain(&unclaimed).copied().collect();
        pairs = self::pairs(&spaces);
        // If there is only one space, its halves, with a rest for scratch and staging.
        pairs.extend(spaces.iter().filter_map(|space| {
            let half = space.len_bytes().saturating_sub(REST_LEN_BYTES) / 2;
            let half = half / SECTOR_BYTES * SECTOR_BYTES;
            pair(space.prefix(half), space.from(space.start().saturating_add(half)).prefix(half))
        }));
    }
    let mut fits = Vec::new();
    for (primary, secondary) in pairs {
        let spaces = apps.iter().chain(&unclaimed).copied();
        let taken = |space: &Region| space.overlaps(primary) || space.overlaps(secondary);
        let behind = [behind(&apps, primary), behind(&apps, secondary)].into_iter().flatten();
        let scratch = spaces
            .chain(behind)
            .filter(|space| !taken(space))
            .map(|space| space.align_in(SECTOR_BYTES).prefix(SCRATCH_LEN_BYTES))
            .find(|space| space.len_bytes() == SCRATCH_LEN_BYTES);
        let fit = Fit { primary, secondary, scratch, swap: SwapKind::Scratch };
        if scratch.is_some() {
            fits.push(fit);
        }
        let without = |swap| Fit { scratch: None, swap, ..fit };
        fits.extend([SwapKind::Move, SwapKind::Offset].map(without));
        let slot_len_bytes = secondary.len_bytes().saturating_sub(SCRATCH_LEN_BYTES);
        if scratch.is_none() && slot_len_bytes >= LEAST_SLOT_LEN_BYTES {
            let end = secondary.from(secondary.start().saturating_add(slot_len_bytes));
            let [primary, secondary] = [primary, secondary].map(|s| s.prefix(slot_len_bytes));
            fits.push(Fit { primary, secondary, scratch: Some(end), ..fit });
        }
        // Without the old image to revert to: the last choice.
        fits.push(without(SwapKind::Overwrite));
    }
    fits.truncate(MOST_FITS);
    fits
}

/// App partitions that are inside of flash, in the order of their addresses.
fn apps(partitions: &[Partition], flash: Region) -> Vec<Region> {
    let apps = partitions.iter().filter(|p| p.is_app() && flash.contains_region(p.region));
    let mut apps: Vec<Region> = apps.map(|p| p.region.align_in(SECTOR_BYTES)).collect();
    apps.sort_by_key(|region| region.start());
    apps
}

/// What is after the table and in no partition.
fn unclaimed(partitions: &[Partition], flash: Region) -> Vec<Region> {
    let mut claimed: Vec<Region> = partitions.iter().map(|p| p.region).collect();
    claimed.sort_by_key(|region| region.start());
    let mut free = Vec::new();
    let mut at = TABLE_ADDR.saturating_add(SECTOR_BYTES);
    for region in claimed.into_iter().chain([Region::clamped(flash.end(), 0)]) {
        free.extend(Region::new(at, region.start()));
        at = at.max(region.end());
    }
    free.iter().map(|gap| gap.align_in(SECTOR_BYTES)).filter(|gap| !gap.is_empty()).collect()
}

/// What a slot leaves free of the app partition whose start it occupies.
fn behind(apps: &[Region], slot: Region) -> Option<Region> {
    let app = apps.iter().find(|app| app.contains(slot.start()))?;
    Some(app.from(slot.end()))
}

/// Two spaces as slots of one size, the largest first.
fn pairs(spaces: &[Region]) -> Vec<(Region, Region)> {
    let all = spaces
        .iter()
        .enumerate()
        .flat_map(|(index, a)| spaces.iter().skip(index + 1).filter_map(move |b| pair(*a, *b)));
    let mut pairs: Vec<_> = all.collect();
    // A stable sort: equal ones remain in the order of their addresses.
    pairs.sort_by_key(|(primary, _)| std::cmp::Reverse(primary.len_bytes()));
    pairs
}

fn pair(a: Region, b: Region) -> Option<(Region, Region)> {
    let len_bytes = a.len_bytes().min(b.len_bytes()) / SECTOR_BYTES * SECTOR_BYTES;
    let large_enough = len_bytes >= LEAST_SLOT_LEN_BYTES;
    large_enough.then(|| (a.prefix(len_bytes), b.prefix(len_bytes)))
}

/// The example's map, for a table without room for any.
pub(super) fn example() -> Fit {
    let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
    Fit {
        primary: slot(0x1_0000),
        secondary: slot(0x11_0000),
        scratch: Some(Region::clamped(FlashAddr(0x21_0000), SCRATCH_LEN_BYTES)),
        swap: SwapKind::Scratch,
    }
}
