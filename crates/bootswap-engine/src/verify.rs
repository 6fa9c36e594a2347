//! Reads an artifact back from its places and judges it as whoever boots it will.

use bootswap_plan::{Route, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, PAGE_BYTES, Region, SECTOR_BYTES};
use mcuboot_format::trailer::{TrailerLayout, TrailerState};

use crate::medium::{Medium, PAGE};
use crate::places::place_of;
use crate::run::Work;
use crate::scan::{Rules, Scan, Verdict, head};
use crate::{Event, Failure, ImageFault, Platform};

/// What an artifact is known by, besides what the migration says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    /// Bytes of the file.
    pub len_bytes: u32,
    /// How its SHA-256 began when it was fetched.
    pub digest: Option<[u8; 4]>,
}

/// Reads the artifact from its places and scans it. Says what is wrong with it, or its digest.
pub(crate) async fn in_place<F: NorFlash, S, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    routes: &[Route],
    rules: &Rules<'_>,
    known: Known,
) -> Result<Result<Verdict, ImageFault>, Failure<F::Error>> {
    let mut scan = Scan::new(*rules);
    let mut offset = 0;
    while offset < known.len_bytes {
        let len = SECTOR_BYTES.min(known.len_bytes - offset);
        let Some(bytes) = work.sector.get_mut(..len as usize) else { break };
        if rules.is_padding(offset, len, scan.image_end()) {
            // Whatever old data lies here, the artifact has padding, and MCUboot never looks.
            bytes.fill(ERASED);
        } else {
            match place_of(routes, offset) {
                Some((Target::Flash(_), addr)) => work.medium.read(addr, bytes).await?,
                Some((Target::Memory { .. }, at)) => {
                    let at = at.get() as usize;
                    let staged =
                        at.checked_add(bytes.len()).and_then(|end| work.memory.get(at..end));
                    bytes.copy_from_slice(staged.ok_or(Failure::Plan(MEMORY))?);
                }
                None => return Err(Failure::Plan("an artifact is longer than its places")),
            }
        }
        offset += len;
        work.platform.alive();
        if offset == known.len_bytes
            && let Some(confirmed) = confirmation(bytes, offset - len, rules)
        {
            // The file may have come confirmed, or the migrator did it.
            let mut unconfirmed = scan.clone();
            let as_it_is = scan.push(bytes).and_then(|()| judge(scan, known));
            if let Some(byte) = bytes.get_mut(confirmed) {
                *byte = ERASED;
            }
            return Ok(as_it_is.or_else(|fault| {
                unconfirmed.push(bytes).and_then(|()| judge(unconfirmed, known)).map_err(|_| fault)
            }));
        }
        if let Err(fault) = scan.push(bytes) {
            return Ok(Err(fault));
        }
    }
    Ok(judge(scan, known))
}

/// What a plan asks for that needs more memory than there is.
pub(crate) const MEMORY: &str = "the memory to stage in is too small";

fn judge(scan: Scan<'_>, known: Known) -> Result<Verdict, ImageFault> {
    let named = scan.rules().artifact.sha256.is_some();
    let verdict = scan.finish()?;
    let found = head(&verdict.sha256);
    match known.digest {
        Some(wanted) if !named && wanted != found => Err(ImageFault::Digest { wanted, found }),
        _ => Ok(verdict),
    }
}

/// Where in the last bytes of a file that the migrator is to confirm the flag for that is, unless it is
/// blank.
fn confirmation(bytes: &[u8], offset: u32, rules: &Rules<'_>) -> Option<usize> {
    let slot = rules.slot.filter(|_| rules.artifact.confirm)?;
    let at = slot.trailer.image_ok().get().checked_sub(offset)? as usize;
    bytes.get(at).is_some_and(|byte| *byte != ERASED).then_some(at)
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
    Ok(if clean && asked.image.accepts(state) { Ok(()) } else { Err(ImageFault::Trailer) })
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
