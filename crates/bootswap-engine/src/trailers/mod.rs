//! Leaves trailers and scratch area in a state that MCUboot accepts.
//!
//! MCUboot trusts what it finds at the ends of slots and scratch area. Stale bytes there make it
//! resume a swap that never began, and access its arrays out of bounds.
//!
//! # Power-fail safety
//!
//! All of this happens before the commit, in regions that the old bootloader never reads. A cut
//! leaves a sector that is neither old nor blank, or a flag or magic with some of its bits cleared;
//! the next run finds that the postcondition does not hold and erases again, or clears the rest.

use bootswap_plan::{Place, Purpose};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};
use mcuboot_format::IMAGE_MAGIC;
use mcuboot_format::trailer::{FLAG_SET, Magic, TrailerLayout, TrailerState, magic_bytes};

use crate::erase::{self, Bounds};
use crate::medium::{Medium, PAGE, SECTOR};
use crate::scan::Rules;
use crate::work::Work;
use crate::writer::{self, ATTEMPTS};
use crate::{Event, Failure, FlashFailure, Platform};

/// Makes `region` blank by erasing whole sectors of `erasable`, if it is not blank.
pub(crate) async fn clean<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    region: Region,
    erasable: Region,
) -> Result<(), Failure<F::Error>> {
    let bounds = Bounds { erasable, reserved: None, horizon: region.end(), combine: true };
    for part in region.chunks(SECTOR_BYTES) {
        let sector = Region::clamped(part.start().align_down(SECTOR_BYTES), SECTOR_BYTES);
        let (mut attempts, mut last) = (0, None);
        while !medium.is_blank(part).await? {
            if !bounds.allows(sector) {
                return Err(Failure::Unclean { region: part });
            }
            let unit = match attempts {
                0 => erase::block(medium, sector.start(), true, bounds).await?.unwrap_or(sector),
                ATTEMPTS => {
                    return Err(
                        last.map_or(Failure::Stuck { sector: sector.start() }, Failure::Flash)
                    );
                }
                _ => sector,
            };
            platform.event(&Event::Cleaning { region: part });
            attempts += 1;
            last = medium.erase(unit).await.err().or(last);
        }
    }
    Ok(())
}

/// As [`clean`], but leaves the trailer `own` unchanged where the migrator itself has written to
/// it, or will.
pub(crate) async fn clean_but_own<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    region: Region,
    erasable: Region,
    own: Option<&TrailerLayout>,
) -> Result<(), Failure<F::Error>> {
    if let Some(layout) = own
        && is_untouched(work.medium, layout).await?
    {
        return Ok(());
    }
    clean(work.medium, work.platform, region, erasable).await
}

/// Erases the last sector of the scratch area if it ends with a good trailer magic.
pub(crate) async fn clean_scratch<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    layout: &TrailerLayout,
    erasable: Region,
) -> Result<(), Failure<F::Error>> {
    if read(work.medium, layout).await?.magic != Magic::Good {
        return Ok(());
    }
    let end = layout.slot().suffix(SECTOR_BYTES);
    clean(work.medium, work.platform, end, erasable).await
}

/// Erases the first sector of the primary slot if it begins with MCUboot's magic.
///
/// Whatever image that was, MCUboot would use its lengths when it swaps the slot's contents out,
/// and stop at every boot if they make no sense.
pub(crate) async fn clean_header<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    slot: Region,
    erasable: Region,
) -> Result<(), Failure<F::Error>> {
    let mut magic = [0; 4];
    work.medium.read(slot.start(), &mut magic).await?;
    if magic != IMAGE_MAGIC.to_le_bytes() {
        return Ok(());
    }
    clean(work.medium, work.platform, slot.prefix(SECTOR_BYTES), erasable).await
}

/// Completes the trailer of a slot: `image_ok` first, then the magic that makes it valid.
pub(crate) async fn confirm<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    layout: &TrailerLayout,
) -> Result<(), Failure<F::Error>> {
    // Drivers need whole words; the bytes after the flag stay unchanged.
    let flag = [FLAG_SET, ERASED, ERASED, ERASED];
    clear_to(medium, layout.image_ok(), &flag).await?;
    clear_to(medium, layout.magic(), &magic_bytes(layout.config().max_align)).await
}

/// Clears bits until flash reads like this; `Unclean` if bits would have to be set.
async fn clear_to<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    at: FlashAddr,
    bytes: &[u8],
) -> Result<(), Failure<F::Error>> {
    let region = Region::clamped(at, crate::medium::len_bytes(bytes));
    let (mut attempts, mut last) = (0, None);
    loop {
        let mut old = [0; 16];
        let Some(old) = old.get_mut(..bytes.len()) else { return Err(Failure::Unclean { region }) };
        medium.read(at, old).await?;
        if old.iter().zip(bytes).any(|(old, new)| old & new != *new) {
            return Err(Failure::Unclean { region });
        }
        if old == bytes {
            return Ok(());
        }
        if attempts == ATTEMPTS {
            let sector = at.align_down(SECTOR_BYTES);
            return Err(last.map_or(Failure::Stuck { sector }, Failure::Flash));
        }
        attempts += 1;
        last = medium.program(at, bytes).await.err().or(last);
    }
}

/// Makes sure that nothing stale is in a slot's trailer after a file of `len_bytes` that ends
/// before it, such as an unpadded image.
///
/// What the migrator itself has written to confirm the image stays. The first of the trailer's
/// sectors may contain the end of the image, which is then written again.
pub(crate) async fn finish_slot<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    buffer: &mut [u8; SECTOR],
    place: &Place,
    rules: &Rules<'_>,
    len_bytes: u32,
) -> Result<(), Failure<F::Error>> {
    let (Some(slot), Some(asked)) = (place.slot, rules.slot) else { return Ok(()) };
    if place.purpose != Purpose::Destination {
        return Ok(());
    }
    let trailer = slot.from(slot.start().saturating_add(asked.trailer.offset_bytes()));
    let behind = trailer.from(slot.start().saturating_add(len_bytes));
    let wanted = fresh_tail(&asked.trailer, rules.artifact.confirm);
    for part in behind.chunks(SECTOR_BYTES) {
        if is_fresh(medium, part, slot, &wanted).await? {
            continue;
        }
        let sector = Region::clamped(part.start().align_down(SECTOR_BYTES), SECTOR_BYTES);
        medium.read(sector.start(), buffer).await?;
        // What is before the trailer stays: the end of the image may be there.
        let kept = part.start().bytes_since(sector.start()) as usize;
        buffer.iter_mut().skip(kept).for_each(|byte| *byte = ERASED);
        let (erasable, reserved) = (place.erasable, place.reserved);
        let bounds = Bounds { erasable, reserved, horizon: part.end(), combine: false };
        writer::put_sector(medium, sector.start(), buffer, bounds).await?;
    }
    Ok(())
}

/// Whether the trailer is blank, confirmed, or in between.
pub(crate) async fn is_untouched<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    layout: &TrailerLayout,
) -> Result<bool, Failure<F::Error>> {
    let wanted = fresh_tail(layout, true);
    for part in layout.trailer().chunks(SECTOR_BYTES) {
        if !is_fresh(medium, part, layout.slot(), &wanted).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads the fields of a trailer.
pub(crate) async fn read<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    layout: &TrailerLayout,
) -> Result<TrailerState, FlashFailure<F::Error>> {
    let mut tail = [0; PAGE];
    medium.read(layout.slot().suffix(PAGE_BYTES).start(), &mut tail).await?;
    // The fields of the largest trailer need 192 bytes, so a page contains all of them.
    let unusable = TrailerState { magic: Magic::Bad, ..TrailerState::UNSET };
    Ok(TrailerState::parse(layout, &tail).unwrap_or(unusable))
}

/// The last page of a slot in its possible final states: blank, or confirmed.
fn fresh_tail(layout: &TrailerLayout, confirm: bool) -> [u8; PAGE] {
    let state = if confirm { TrailerState::CONFIRMED } else { TrailerState::UNSET };
    let mut tail = [ERASED; PAGE];
    // As in `read`, a page contains all of the fields.
    let _ = state.emit(layout, &mut tail);
    tail
}

/// Whether the bytes at `part` of the slot are blank, except for bits of its last page that `tail`
/// has cleared too.
async fn is_fresh<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    part: Region,
    slot: Region,
    tail: &[u8; PAGE],
) -> Result<bool, Failure<F::Error>> {
    let last = slot.suffix(PAGE_BYTES).start();
    let before = part.prefix(last.bytes_since(part.start()));
    if !medium.is_blank(before).await? {
        return Ok(false);
    }
    let fields = part.from(last);
    let mut old = [ERASED; PAGE];
    let Some(old) = old.get_mut(..fields.len_bytes() as usize) else { return Ok(false) };
    medium.read(fields.start(), old).await?;
    // Both end with the slot, wherever they begin.
    Ok(old.iter().rev().zip(tail.iter().rev()).all(|(old, new)| old & new == *new))
}

#[cfg(test)]
mod tests;
