//! Where a plan sends the bytes of an artifact, and whether a plan can be trusted.

use bootswap_plan::{Place, Route, Step, Target};
use esp_idf_format::partition::TABLE_ADDR;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::Job;

/// The place that a byte of the file goes to, and its address there; in memory that is an offset.
pub(crate) fn place_of(routes: &[Route], offset: u32) -> Option<(Target, FlashAddr)> {
    let route = routes.iter().rev().find(|route| route.file_offset <= offset)?;
    let within = offset - route.file_offset;
    let start = match route.to {
        Target::Flash(place) => place.start(),
        Target::Memory { .. } => FlashAddr::ZERO,
    };
    (within < route.to.len_bytes()).then(|| (route.to, start.saturating_add(within)))
}

/// The place among the routes that is an MCUboot slot, or stages for one.
pub(crate) fn slot_place(routes: &[Route]) -> Option<Place> {
    routes.iter().find_map(|route| match route.to {
        Target::Flash(place) => place.slot.map(|_| place),
        Target::Memory { .. } => None,
    })
}

/// Says what is wrong with a plan, if anything is, before its first step.
///
/// The planner makes no such plan. That the running code, what the device boots from and the journal are
/// out of harm's way is checked here once more all the same, because one mistake there costs a device.
pub(crate) fn objection(job: &Job<'_>, memory_len_bytes: usize) -> Option<&'static str> {
    let steps = &job.plan.steps;
    let is_last = |step: &Step| matches!(step, Step::Commit { .. } | Step::Reset);
    let mut behind = steps.iter().skip_while(|step| !matches!(step, Step::Commit { .. }));
    if !behind.all(is_last) {
        return Some("something is to be done after the commit");
    }
    if job.plan.journal.is_some_and(|sector| !is_sector(sector) || is_vital(job, sector)) {
        return Some("the journal is not a free sector");
    }
    steps.iter().find_map(|step| object_to(job, step, memory_len_bytes))
}

fn object_to(job: &Job<'_>, step: &Step, memory_len_bytes: usize) -> Option<&'static str> {
    if step
        .artifact()
        .is_some_and(|artifact| usize::from(artifact.0) >= job.migration.artifacts.len())
    {
        return Some("an artifact that the migration does not name");
    }
    match step {
        Step::Fetch { routes, .. } => object_to_routes(job, routes, memory_len_bytes),
        Step::Copy { to, .. } | Step::CopySelf { to, .. } => object_to_place(job, to),
        Step::Clean { erasable, .. } => object_to_erase(job, *erasable, None),
        Step::CleanScratch { erasable, .. } | Step::CleanHeader { erasable, .. } => {
            object_to_erase(job, *erasable, None)
        }
        Step::Commit { to, .. } => {
            let running = job.facts.running_image();
            let whole = to.region.start().is_aligned(SECTOR_BYTES)
                && to.erasable.is_aligned(SECTOR_BYTES)
                && to.erasable.contains_region(to.region);
            (!whole || to.erasable.overlaps(running)).then_some("the commit is not in its place")
        }
        Step::Verify { .. }
        | Step::Confirm { .. }
        | Step::Select { .. }
        | Step::Reset
        | Step::ResetIntoCopy => None,
    }
}

fn object_to_routes(
    job: &Job<'_>,
    routes: &[Route],
    memory_len_bytes: usize,
) -> Option<&'static str> {
    let mut next = Some(0);
    for route in routes {
        if next != Some(route.file_offset) || !route.file_offset.is_multiple_of(SECTOR_BYTES) {
            return Some("the places of an artifact have gaps");
        }
        next = route.file_offset.checked_add(route.to.len_bytes());
        match route.to {
            Target::Memory { len_bytes } if len_bytes as usize > memory_len_bytes => {
                return Some(crate::verify::MEMORY);
            }
            Target::Memory { .. } => {}
            Target::Flash(place) => {
                if let objection @ Some(_) = object_to_place(job, &place) {
                    return objection;
                }
            }
        }
    }
    None
}

fn object_to_place(job: &Job<'_>, place: &Place) -> Option<&'static str> {
    let whole = place.region.start().is_aligned(SECTOR_BYTES)
        && place.erasable.is_aligned(SECTOR_BYTES)
        && place.erasable.contains_region(place.region);
    if !whole {
        return Some("a place is not made of whole sectors");
    }
    object_to_erase(job, place.erasable, place.reserved)
}

fn object_to_erase(
    job: &Job<'_>,
    erasable: Region,
    reserved: Option<Region>,
) -> Option<&'static str> {
    let guarded =
        |region: Region| reserved.is_some_and(|reserved| reserved.contains_region(region));
    if job.plan.journal.is_some_and(|sector| sector.overlaps(erasable) && !guarded(sector)) {
        return Some("the journal is in the way of a place");
    }
    is_vital(job, erasable).then_some("a place overlaps what the device boots from")
}

/// Whether the device, as it is before the commit, boots from some of the region.
fn is_vital(job: &Job<'_>, region: Region) -> bool {
    let facts = job.facts;
    let table = Region::clamped(TABLE_ADDR, SECTOR_BYTES);
    let boot = Region::new(facts.chip.bootloader_addr(), table.end()).unwrap_or(table);
    let otadata = facts.partitions.iter().filter(|p| p.is_otadata()).map(|p| p.region);
    let mut vital = [boot, facts.running_image()].into_iter().chain(otadata);
    vital.any(|vital| vital.overlaps(region))
}

fn is_sector(region: Region) -> bool {
    region.is_aligned(SECTOR_BYTES) && region.len_bytes() == SECTOR_BYTES
}

#[cfg(test)]
mod tests;
