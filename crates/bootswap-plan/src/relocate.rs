//! Moves the migrator out of the way.
//!
//! ```text
//!   before   | ... | migrator (running) | ...  spare app partition ... |    otadata -> running
//!   copy     | ... | migrator (running) | ...  migrator's copy     ... |    otadata -> running
//!   select   | ... | migrator           | ...  migrator's copy     ... |    otadata -> copy
//!   reset    | ... | free               | ...  migrator (running)  ... |    and it plans anew
//! ```
//!
//! # Power-fail safety
//!
//! Until otadata selects the copy, the old bootloader starts the original, which finds again that
//! it must move, and continues with the copy. Otadata changes in one sector while the other is
//! still valid; whichever of the two apps is started then is a complete migrator.

use esp_idf_format::partition::Partition;
use flash_region::{Region, SECTOR_BYTES};

use crate::facts::{DeviceFacts, previous_firmware};
use crate::layout::AppSlot;
use crate::migration::Migration;
use crate::otadata::select;
use crate::planner::in_place;
use crate::reason::Reason;
use crate::step::{Place, Plan, Purpose, Step, Strategy};

/// Plans the move to the first app partition from which the migration is possible.
///
/// OTA slots are tried first: the factory app is what a device falls back to. The previous
/// firmware's partition is tried last.
pub(crate) fn relocate(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> Result<Plan, Reason> {
    let image = facts.running_image();
    let is_free = |p: &&Partition| p.is_app() && p.region != facts.running && !facts.is_doubtful(p);
    let others = || facts.partitions.iter().filter(is_free);
    let rank = |region: Region, factory: bool| match (facts.previous == Some(region), factory) {
        (false, false) => 0,
        (false, true) => 1,
        (true, _) => 2,
    };
    let mut tried = 0;
    for wanted in 0..=2 {
        for to in others().filter(|p| rank(p.region, p.is_factory()) == wanted) {
            tried += 1;
            let fits = to.region.len_bytes() >= image.len_bytes()
                && !to.region.overlaps(image)
                && facts.reachable().contains_region(to.region.prefix(image.len_bytes()));
            let Some(step) = select(facts, to.region).filter(|_| fits) else { continue };
            let previous = previous_firmware(facts.partitions, to.region);
            let there = DeviceFacts { running: to.region, previous, ..*facts };
            // Only whether it is possible matters here, not the plan: it is made again from there.
            if in_place(migration, &there).is_err() || !keeps_trailers_clean(migration, &there) {
                continue;
            }
            let mut plan = Plan { strategy: Strategy::Relocate, ..Plan::default() };
            let region = to.region.prefix(image.len_bytes());
            let place = Place::plain(region, region, Purpose::Relocation);
            let steps = select(facts, facts.running).into_iter().chain([
                Step::CopySelf { from: image, to: place },
                step,
                Step::ResetIntoCopy,
            ]);
            for step in steps {
                if plan.steps.push(step).is_err() {
                    return Err(Reason::TooComplex);
                }
            }
            return Ok(plan);
        }
    }
    let choices = migration.mcuboot.map_or(&[][..], |map| AppSlot::choices(map.swap));
    let is_swapped_in = choices.is_empty() || choices.contains(&AppSlot::Secondary);
    let most_bytes = most_bytes(migration, facts);
    Err(Reason::NoRelocation { needed_bytes: image.len_bytes(), tried, is_swapped_in, most_bytes })
}

/// The most bytes that the migrator's image may have for the migration to be possible, from where
/// it runs or from another partition; 0 where no size would do.
fn most_bytes(migration: &Migration<'_>, facts: &DeviceFacts<'_>) -> u32 {
    let apps = facts.partitions.iter().filter(|p| p.is_app());
    let here = |p: &Partition| p.region == facts.running;
    let can_be = apps.filter(|p| here(p) || (!facts.is_doubtful(p) && can_select(facts, p.region)));
    let most = can_be.map(|p| {
        let does = |sectors: u32| {
            let running_len_bytes = sectors * SECTOR_BYTES;
            let there = DeviceFacts {
                running: p.region,
                running_len_bytes,
                previous: previous_firmware(facts.partitions, p.region),
                ..*facts
            };
            // Where it is now, the plan itself says what is in the way of trailers.
            let is_clean = here(p) || keeps_trailers_clean(migration, &there);
            is_clean && in_place(migration, &there).is_ok()
        };
        // What a smaller one cannot do, a larger one cannot either.
        let longest = facts.running_image().len_bytes().min(p.region.len_bytes());
        let (mut least, mut beyond) = (0, longest / SECTOR_BYTES + 1);
        while least + 1 < beyond {
            let middle = least.midpoint(beyond);
            if does(middle) { least = middle } else { beyond = middle }
        }
        least * SECTOR_BYTES
    });
    most.max().unwrap_or(0)
}

/// Whether the old bootloader can be told to start the app in that partition.
fn can_select(facts: &DeviceFacts<'_>, partition: Region) -> bool {
    select(facts, partition).is_some()
}

/// Whether the copy stays out of the sector in which a trailer begins: it cannot be cleaned under
/// running code.
fn keeps_trailers_clean(migration: &Migration<'_>, there: &DeviceFacts<'_>) -> bool {
    let Some(map) = migration.mcuboot else { return true };
    let image = there.running_image();
    let overlaps = |slot| {
        map.trailer_area(slot)
            .is_some_and(|t| t.align_out(SECTOR_BYTES).unwrap_or(t).overlaps(image))
    };
    ![map.primary, map.secondary].into_iter().any(overlaps)
}
