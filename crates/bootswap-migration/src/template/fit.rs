//! Where the target system's parts can be under a partition table.

use esp_idf_format::partition::Partition;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

/// Bytes of the scratch area in the example.
const SCRATCH_LEN_BYTES: u32 = 0x4_0000;

/// Slots and scratch area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fit {
    pub(super) primary: Region,
    pub(super) secondary: Region,
    /// `None` where there is no room for one.
    pub(super) scratch: Option<Region>,
}

/// The largest pair of app partitions as slots, and a scratch area where nothing is kept.
pub(super) fn fit(partitions: &[Partition], flash: Region) -> Option<Fit> {
    let mut apps: Vec<Region> =
        partitions.iter().filter(|p| p.is_app()).map(|p| p.region).collect();
    apps.sort_by_key(|region| region.start());
    let pairs = apps
        .iter()
        .enumerate()
        .flat_map(|(index, a)| apps.iter().skip(index + 1).map(move |b| (*a, *b)));
    let len_bytes = |(a, b): &(Region, Region)| a.len_bytes().min(b.len_bytes());
    // The first of the largest.
    let (a, b) =
        pairs.reduce(|best, pair| if len_bytes(&pair) > len_bytes(&best) { pair } else { best })?;
    let slot_len_bytes = len_bytes(&(a, b)) / SECTOR_BYTES * SECTOR_BYTES;
    let (primary, secondary) = (a.prefix(slot_len_bytes), b.prefix(slot_len_bytes));
    let other = apps.iter().copied().find(|app| *app != a && *app != b);
    let end = partitions.iter().map(|p| p.region.end()).max().unwrap_or_default();
    let unclaimed = Region::new(end, flash.end());
    let scratch = other
        .into_iter()
        .chain(unclaimed)
        .map(|free| free.align_in(SECTOR_BYTES).prefix(SCRATCH_LEN_BYTES))
        .find(|free| free.len_bytes() == SCRATCH_LEN_BYTES);
    Some(Fit { primary, secondary, scratch })
}

/// The example's map, for a table without two partitions for slots.
pub(super) fn example() -> Fit {
    let slot = |start| Region::clamped(FlashAddr(start), 0x10_0000);
    Fit {
        primary: slot(0x1_0000),
        secondary: slot(0x11_0000),
        scratch: Some(Region::clamped(FlashAddr(0x21_0000), SCRATCH_LEN_BYTES)),
    }
}
