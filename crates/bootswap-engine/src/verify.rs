//! Reads an artifact back from its places and judges it as whoever boots it will.

use bootswap_plan::{Route, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};
use mcuboot_format::trailer::{Flag, Magic, TrailerLayout, TrailerState};

use crate::medium::{Medium, PAGE};
use crate::receive::place_of;
use crate::run::Work;
use crate::scan::{Rules, Scan, Verdict};
use crate::{Event, Failure, ImageFault, Platform};

/// Reads the artifact from its places and scans it. Says what is wrong with it, or its digest.
pub(crate) async fn in_place<F: NorFlash, S, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    routes: &[Route],
    rules: &Rules<'_>,
) -> Result<Result<Verdict, ImageFault>, Failure<F::Error>> {
    let mut scan = Scan::new(*rules);
    let mut offset = 0;
    // Without a length from the migration, the artifact's own format says where it ends.
    let end = rules.artifact.len_bytes.unwrap_or(rules.room_bytes);
    while offset < end && !(rules.artifact.len_bytes.is_none() && scan.is_complete()) {
        let limit = match rules.artifact.len_bytes {
            Some(_) => end,
            None => scan.needed_bytes().unwrap_or(end).clamp(offset + 1, end),
        };
        let len = limit.min(offset + SECTOR_BYTES) - offset;
        let Some(bytes) = work.sector.get_mut(..len as usize) else { break };
        if rules.is_padding(offset, len, scan.image_end()) {
            // Whatever old data lies here, the artifact has padding, and MCUboot never looks.
            bytes.fill(ERASED);
        } else {
            match place_of(routes, offset) {
                Some((Target::Flash(_), addr)) => read(work.medium, addr, bytes).await?,
                Some((Target::Memory { .. }, at)) => {
                    let at = at.get() as usize;
                    let staged = at.checked_add(bytes.len()).and_then(|end| work.memory.get(at..end));
                    bytes.copy_from_slice(staged.ok_or(Failure::Plan("the memory to stage in is too small"))?);
                }
                None => return Err(Failure::Plan("an artifact is longer than its places")),
            }
            if rules.artifact.confirm {
                hide_confirmation(bytes, offset, rules);
            }
        }
        if let Err(fault) = scan.push(bytes) {
            return Ok(Err(fault));
        }
        offset += len;
        work.platform.alive();
    }
    Ok(scan.finish())
}

/// Reads any number of bytes; drivers want whole words, so the last page is read in whole.
async fn read<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    addr: FlashAddr,
    out: &mut [u8],
) -> Result<(), Failure<F::Error>> {
    let whole = out.len() - out.len() % PAGE;
    let (pages, rest) = out.split_at_mut(whole);
    if !pages.is_empty() {
        medium.read(addr, pages).await?;
    }
    if !rest.is_empty() {
        let mut page = [0; PAGE];
        medium.read(addr.saturating_add(crate::medium::len_bytes(pages)), &mut page).await?;
        rest.iter_mut().zip(page).for_each(|(to, from)| *to = from);
    }
    Ok(())
}

/// Takes back, in memory, the confirmation that the migrator itself wrote, so that the digest is that
/// of the file.
fn hide_confirmation(bytes: &mut [u8], offset: u32, rules: &Rules<'_>) {
    let Some(slot) = rules.slot else { return };
    let image_ok = slot.trailer.image_ok();
    let byte = image_ok.get().checked_sub(offset).and_then(|at| bytes.get_mut(at as usize));
    if let Some(byte) = byte {
        *byte = ERASED;
    }
}

/// Whether MCUboot will take the trailer in `slot` as this migration wants it.
pub(crate) async fn trailer<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    slot: Region,
    rules: &Rules<'_>,
) -> Result<Result<(), ImageFault>, Failure<F::Error>> {
    let Some(asked) = rules.slot else { return Ok(Ok(())) };
    let Ok(layout) = TrailerLayout::new(slot, asked.trailer.config()) else {
        return Ok(Err(ImageFault::Trailer));
    };
    let state = read_trailer(medium, &layout).await?;
    let clean = medium.is_blank(layout.status()).await?;
    let confirmed = state.magic == Magic::Good && state.image_ok == Flag::Set;
    let pending = state.magic == Magic::Good && state.image_ok == Flag::Unset;
    let wanted = confirmed || (pending && asked.allow_test) || !asked.needs_trailer;
    let fresh = state.copy_done == Flag::Unset || !asked.needs_trailer;
    Ok(if clean && wanted && fresh { Ok(()) } else { Err(ImageFault::Trailer) })
}

/// Reads the fields of a trailer.
pub(crate) async fn read_trailer<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    layout: &TrailerLayout,
) -> Result<TrailerState, Failure<F::Error>> {
    let mut tail = [0; PAGE];
    let start = layout.slot().suffix(PAGE_BYTES).start();
    medium.read(start, &mut tail).await?;
    TrailerState::parse(layout, &tail).map_err(|_| Failure::Plan("a trailer is longer than a page"))
}

/// Tells the console that an artifact is what it should be.
pub(crate) fn report<P: Platform>(platform: &mut P, rules: &Rules<'_>, verdict: &Verdict) {
    let Verdict { len_bytes, sha256 } = verdict;
    platform.event(&Event::Verified { name: rules.artifact.name, len_bytes: *len_bytes, sha256 });
}
