//! The commit step: gathers what the commits of a plan write, and writes all of it in one window.

use bootswap_plan::{Merge, Route, Step, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;

use crate::block::{Bytes, Wanted};
use crate::check::{Checked, MAX_COMMITS};
use crate::commit::{Commit, commit};
use crate::item::Item;
use crate::medium::{Medium, SECTOR};
use crate::routes::place_of;
use crate::scan::Scan;
use crate::work::Work;
use crate::{Failure, Platform};

/// Writes what the ROM boots from: all commits of the plan.
///
/// # Power-fail safety
///
/// That of [`commit`]: power lost in the window leaves a device that does not boot. The window
/// opens only after everything is gathered.
pub(crate) async fn commit_all<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    checked: &Checked<'_>,
) -> Result<(), Failure<F::Error>> {
    let mut commits: Vec<Commit<'_>, MAX_COMMITS> = Vec::new();
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Commit { artifact, from, to, merge, unused } = step else { continue };
        let end = checked.at(index).end(*artifact)?;
        let known = work.fetched(&end)?;
        let too_long = || end.failure(end.too_long());
        let region = to.region.prefix(known.len_bytes);
        let first_len_bytes = region.len_bytes();
        let from = match *from {
            Target::Flash(place) => Bytes::Flash(place.start()),
            Target::Memory { .. } => {
                let staged = work.memory.get(..first_len_bytes as usize);
                Bytes::Memory(staged.ok_or_else(too_long)?)
            }
        };
        let item = checked.item(end, None);
        let padding =
            padding(work.medium, work.sector, work.memory, &item, known.len_bytes).await?;
        let rest = rest_of(end.routes, first_len_bytes, known.len_bytes - first_len_bytes);
        let wanted = Wanted {
            from,
            to: region,
            erasable: to.erasable,
            reserved: to.reserved,
            gap: None,
            unused: *unused,
            keep_under_blank: *merge == Merge::KeepUnderBlank,
        };
        let commit = Commit {
            artifact: end.artifact,
            digest: known.digest,
            wanted,
            rest: rest.ok_or_else(too_long)?,
            padding,
            sectors: 0,
        };
        // The check has counted them.
        let _ = commits.push(commit);
    }
    commit(work.medium, work.platform, work.sector, &mut commits).await
}

/// Which bytes of a file are padding: MCUboot never reads them, and old data may be there.
async fn padding<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    sector: &mut [u8; SECTOR],
    memory: &[u8],
    item: &Item<'_>,
    len_bytes: u32,
) -> Result<Option<(u32, u32)>, Failure<F::Error>> {
    if item.rules.slot.is_none() {
        return Ok(None);
    }
    let mut scan = Scan::new(item.rules);
    let file = Region::clamped(FlashAddr::ZERO, len_bytes);
    for part in file.chunks(SECTOR_BYTES) {
        let Some(bytes) = sector.get_mut(..part.len_bytes() as usize) else { break };
        match item.place_of(part.start().get()) {
            Some((Target::Flash(_), addr)) => medium.read(addr, bytes).await?,
            Some((Target::Memory { .. }, at)) => {
                let staged = memory.iter().skip(at.get() as usize);
                bytes.iter_mut().zip(staged).for_each(|(to, from)| *to = *from);
            }
            None => break,
        }
        if scan.push(bytes).is_err() || scan.image_end().is_some() {
            break;
        }
    }
    Ok(scan.image_end().and_then(|end| item.rules.padding(end)))
}

/// Where the bytes of a file after its first `file_offset` are, this many; empty for none.
fn rest_of(routes: &[Route], file_offset: u32, len_bytes: u32) -> Option<Region> {
    if len_bytes == 0 {
        return Some(Region::default());
    }
    match place_of(routes, file_offset)? {
        (Target::Flash(place), addr) => {
            let rest = Region::from_len(addr, len_bytes)?;
            place.region.contains_region(rest).then_some(rest)
        }
        (Target::Memory { .. }, _) => None,
    }
}
