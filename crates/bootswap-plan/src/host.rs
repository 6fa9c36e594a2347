//! The app partition that holds a carrier.
//!
//! ```text
//!   | factory | ota_0    | ota_1                          |     table of the old system
//!   | primary | secondary|  carrier |    | scratch |      |     map of the target
//!                         ^ starts outside of all three
//! ```
//!
//! The carrier, the old bootloader, the partition table and otadata remain for good, so nothing of
//! the target may be there.

use esp_idf_format::partition::Partition;
use flash_region::{BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::SwapKind;

use crate::facts::DeviceFacts;
use crate::migration::{Artifact, McubootMap, Migration};
use crate::otadata::app_in;
use crate::step::App;

/// The areas that MCUboot has for itself.
pub(crate) fn areas(map: &McubootMap<'_>) -> impl Iterator<Item = (&'static str, Region)> + use<> {
    let scratch = map.scratch.filter(|_| map.swap == SwapKind::Scratch);
    [
        ("primary slot", Some(map.primary)),
        ("secondary slot", Some(map.secondary)),
        ("scratch area", scratch),
    ]
    .into_iter()
    .filter_map(|(what, area)| Some((what, area?)))
}

/// The region for a carrier of the migration: the start of an app partition that otadata can
/// select, in which the migrator does not run, up to where MCUboot's areas begin. `None` if there
/// is none with room.
///
/// The previous firmware's partition is taken last. A destination that the migration names is the
/// only one that counts.
pub(crate) fn host(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    carrier: &Artifact<'_>,
) -> Option<Region> {
    let map = migration.mcuboot.as_ref()?;
    let len_bytes = carrier.len_bytes.unwrap_or(SECTOR_BYTES);
    let fits = |p: &&Partition| {
        let is_meant = carrier.dest.is_none_or(|dest| dest.start() == p.region.start());
        is_meant && is_candidate(facts, p) && room(map, facts, p).len_bytes() >= len_bytes
    };
    let mut fitting = facts.partitions.iter().filter(fits);
    let is_previous = |p: &&Partition| facts.previous == Some(p.region);
    let found = fitting.clone().find(|p| !is_previous(p)).or_else(|| fitting.next())?;
    let room = room(map, facts, found);
    // What follows the carrier in its partition is of no use any more, so whole blocks may be
    // erased.
    let blocks = [BLOCK_64K_BYTES, BLOCK_32K_BYTES, SECTOR_BYTES].into_iter();
    let needed = carrier.len_bytes.and_then(|len_bytes| {
        let mut whole = blocks.filter_map(|unit| len_bytes.checked_next_multiple_of(unit));
        whole.find(|needed| *needed <= room.len_bytes())
    });
    Some(needed.map_or(room, |needed| room.prefix(needed)))
}

/// Whether the old bootloader can be told to start an app there, without losing the migrator.
fn is_candidate(facts: &DeviceFacts<'_>, partition: &Partition) -> bool {
    partition.is_app()
        && partition.region != facts.running
        && !partition.region.overlaps(facts.running_image())
        && can_start(facts, partition)
}

/// Whether one entry of otadata can select an app there.
fn can_start(facts: &DeviceFacts<'_>, partition: &Partition) -> bool {
    !facts.is_doubtful(partition)
        && matches!(app_in(facts, partition.region), Some(App::Ota { .. }))
}

/// What MCUboot leaves of a partition, from its start.
fn room(map: &McubootMap<'_>, facts: &DeviceFacts<'_>, partition: &Partition) -> Region {
    let start = partition.region.start();
    let nothing = Region::clamped(start, 0);
    let reachable = partition.region.intersection(facts.reachable()).unwrap_or(nothing);
    let free = areas(map).map(|(_, area)| area).fold(reachable, |free, area| {
        let end = if area.contains(start) { start } else { area.start().min(free.end()) };
        if area.end() <= start { free } else { Region::new(start, end).unwrap_or(nothing) }
    });
    if free.start() == start { free.align_in(SECTOR_BYTES) } else { nothing }
}

/// Whether the migrator's own partition would do if it ran elsewhere.
pub(crate) fn is_where_it_runs(
    map: &McubootMap<'_>,
    facts: &DeviceFacts<'_>,
    carrier: &Artifact<'_>,
) -> bool {
    let mut apps = facts.partitions.iter().filter(|p| p.is_app() && p.region == facts.running);
    let len_bytes = carrier.len_bytes.unwrap_or(SECTOR_BYTES);
    apps.any(|p| can_start(facts, p) && room(map, facts, p).len_bytes() >= len_bytes)
}

/// Where the scratch area would have to begin for the carrier to fit: behind the start of an app
/// partition that it covers today, at a multiple of its own length, so that later carriers have
/// room too. `None` if moving it does not help.
pub(crate) fn better_scratch(
    map: &McubootMap<'_>,
    facts: &DeviceFacts<'_>,
    carrier: &Artifact<'_>,
) -> Option<FlashAddr> {
    let scratch = map.scratch.filter(|s| map.swap == SwapKind::Scratch && !s.is_empty())?;
    let len_bytes = carrier.len_bytes.unwrap_or(SECTOR_BYTES);
    let is_covered = |p: &&Partition| scratch.contains(p.region.start()) && is_candidate(facts, p);
    facts.partitions.iter().filter(is_covered).find_map(|p| {
        let end = p.region.start().checked_add(len_bytes)?;
        let start = FlashAddr(end.get().checked_next_multiple_of(scratch.len_bytes())?);
        let moved = Region::from_len(start, scratch.len_bytes())?;
        let taken = |p: &Partition| !p.is_app() && p.region.overlaps(moved);
        let is_free = p.region.end() >= end
            && facts.reachable().contains_region(moved)
            && ![map.primary, map.secondary, facts.running_image()]
                .iter()
                .any(|r| r.overlaps(moved))
            && !facts.partitions.iter().any(taken);
        is_free.then_some(start)
    })
}
