//! The steps that copy: the migrator itself, and artifacts from where they were staged.
//!
//! # Power-fail safety
//!
//! That of [`copy`](crate::copy): the source stays unchanged until the copy is complete, and the
//! next run compares the two again.

use bootswap_plan::{Place, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{Region, SECTOR_BYTES};

use crate::block::{Bytes, Wanted};
use crate::item::Item;
use crate::journal::Entry;
use crate::scan::{Rules, Scan};
use crate::work::Work;
use crate::{Event, Failure, Platform, copy, trailers, verify};

/// Copies the running image; correct sectors are not written again.
pub(crate) async fn copy_self<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    from: Region,
    to: &Place,
) -> Result<(), Failure<F::Error>> {
    let region = to.region.prefix(from.len_bytes());
    let wanted = wanted(from, region, to, None);
    copy::copy(work.medium, work.platform, work.sector, &wanted).await.map(drop)
}

/// Copies what was staged in `from` to the item's final region, unless it is there.
pub(crate) async fn copy<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    item: &Item<'_>,
    from: Region,
    to: &Place,
) -> Result<(), Failure<F::Error>> {
    let known = work.fetched(&item.placed)?;
    if verify::holds(work, item).await? {
        work.platform.event(&Event::Holds);
    } else {
        // If the first part of a file is staged for the commit, only the rest is copied.
        let skipped = item.placed.routes.iter().find(|route| route.to == Target::Flash(*to));
        let file_offset = skipped.map_or(0, |route| route.file_offset);
        let len_bytes = known.len_bytes.saturating_sub(file_offset).min(from.len_bytes());
        let region = to.region.prefix(len_bytes);
        let gap = padding(work, from, region, &item.rules).await?;
        let wanted = wanted(from, region, to, gap);
        if copy::copy(work.medium, work.platform, work.sector, &wanted).await? {
            // This is progress, so the attempt does not count.
            work.journal.note(work.medium, Entry::Failed(0)).await;
        }
    }
    trailers::finish_slot(work.medium, work.sector, to, &item.rules, known.len_bytes).await
}

/// The bytes staged in `from` with `region` as their destination, within the bounds of a place.
fn wanted(from: Region, region: Region, place: &Place, gap: Option<Region>) -> Wanted<'static> {
    Wanted {
        from: Bytes::Flash(from.start()),
        to: region,
        erasable: place.erasable,
        reserved: place.reserved,
        gap,
        unused: None,
        keep_under_blank: false,
    }
}

/// Where in the slot `to` the image staged in `from` has padding.
async fn padding<F: NorFlash, P>(
    work: &mut Work<'_, '_, F, P>,
    from: Region,
    to: Region,
    rules: &Rules<'_>,
) -> Result<Option<Region>, Failure<F::Error>> {
    if rules.slot.is_none() {
        return Ok(None);
    }
    let mut scan = Scan::new(*rules);
    for part in from.chunks(SECTOR_BYTES) {
        let Some(bytes) = work.sector.get_mut(..part.len_bytes() as usize) else { break };
        work.medium.read(part.start(), bytes).await?;
        if scan.push(bytes).is_err() || scan.image_end().is_some() {
            break;
        }
    }
    let padding = scan.image_end().and_then(|end| rules.padding(end));
    Ok(padding.and_then(|(first, last)| {
        let start = to.start().checked_add(first)?;
        Region::new(start, to.start().checked_add(last)?)?.intersection(to)
    }))
}
