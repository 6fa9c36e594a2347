//! What is cleaned for MCUboot before the commit.

use flash_region::{Region, SECTOR_BYTES};

use crate::migration::McubootMap;
use crate::step::{Purpose, Step};

/// A part of MCUboot's map that is cleaned before the commit.
pub(crate) struct Cleaned {
    /// What it belongs to, for messages.
    pub what: &'static str,
    /// Its whole sectors: nothing that must remain until the commit may be there.
    pub area: Region,
    /// What may be erased for it; empty if the running image is in the way.
    pub erasable: Region,
    /// The step that cleans it.
    pub step: Step,
}

/// What is cleaned with the application in the slot `filled`, or in none, while `running` is in
/// use: the trailers of slots that it does not fill, the header of the primary slot if the
/// application is swapped in, and the end of the scratch area.
pub(crate) fn cleaned(
    map: &McubootMap<'_>,
    filled: Option<Region>,
    running: Region,
) -> impl Iterator<Item = Cleaned> + use<> {
    let trailer = |what, slot, purpose| {
        // The trailer of the application's own slot is written with it, or cleaned before it.
        let region = map.trailer_area(slot).filter(|_| filled != Some(slot))?;
        let area = region.align_out(SECTOR_BYTES).unwrap_or(region);
        let erasable = if area.overlaps(running) { area.from(running.end()) } else { area };
        Some(Cleaned { what, area, erasable, step: Step::Clean { region, erasable, purpose } })
    };
    let sector = |what, area: Region, step: &dyn Fn(Region) -> Step| {
        let busy = area.overlaps(running);
        let erasable = if busy { Region::clamped(area.end(), 0) } else { area };
        Cleaned { what, area, erasable, step: step(erasable) }
    };
    let slot = map.primary;
    let header = (filled == Some(map.secondary)).then(|| {
        let area = slot.prefix(SECTOR_BYTES);
        sector("the primary slot", area, &|erasable| Step::CleanHeader { slot, erasable })
    });
    let scratch = map.scratch.map(|scratch| {
        let area = scratch.suffix(SECTOR_BYTES);
        sector("scratch", area, &|erasable| Step::CleanScratch { scratch, erasable })
    });
    [
        trailer("the primary slot", map.primary, Purpose::PrimaryTrailer),
        trailer("the secondary slot", map.secondary, Purpose::SecondaryTrailer),
        header,
        scratch,
    ]
    .into_iter()
    .flatten()
}
