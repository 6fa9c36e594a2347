//! What the steps clean for MCUboot before the commit.

use flash_region::{Region, SECTOR_BYTES};

use crate::check::trailer;
use crate::migration::McubootMap;

/// What is cleaned with the application in the slot `filled`, or in none: the trailers of slots that it
/// does not fill, the header of the primary if it is swapped in, and the end of the scratch area.
///
/// Whole sectors, each with the name of what it belongs to; empty where nothing is cleaned. Nothing that
/// has to last to the commit may be there.
pub(crate) fn cleaned(map: &McubootMap<'_>, filled: Option<Region>) -> [(&'static str, Region); 4] {
    let trailer = |slot| trailer(map, slot).filter(|_| filled != Some(slot));
    let header = (filled == Some(map.secondary)).then_some(map.primary.prefix(SECTOR_BYTES));
    [
        ("the primary slot", trailer(map.primary)),
        ("the primary slot", header),
        ("the secondary slot", trailer(map.secondary)),
        ("scratch", map.scratch.map(|scratch| scratch.suffix(SECTOR_BYTES))),
    ]
    .map(|(what, part)| {
        (what, part.and_then(|part| part.align_out(SECTOR_BYTES)).unwrap_or_default())
    })
}
