//! Reads an artifact back from its regions and checks it as the bootloader that reads it will.

use bootswap_plan::Target;
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, Region, SECTOR_BYTES};
use mcuboot_format::trailer::TrailerLayout;

use crate::item::Item;
use crate::medium::Medium;
use crate::refusal::Refusal;
use crate::scan::{Rules, Scan, Scanned, SlotRules, head};
use crate::work::{Known, Work};
use crate::{Event, Failure, ImageFault, Platform, trailers};

/// Verifies an item in its regions by all of its rules, and reports it on the console.
pub(crate) async fn verify<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    item: &Item<'_>,
) -> Result<(), Failure<F::Error>> {
    let known = work.fetched(&item.placed)?;
    let scanned =
        in_place(work, item, known).await.map_err(|refusal| refusal.of(item.placed.index))?;
    if let Some(slot) = item.placed.slot() {
        let done = trailer(work.medium, slot, &item.rules).await;
        done.map_err(|refusal| refusal.of(item.placed.index))?;
    }
    if let Some(app) = item.rules.app.filter(|app| known.len_bytes > app.at) {
        let done = trailer_of(work.medium, app.slot, &app.rules).await;
        done.map_err(|refusal| refusal.of(item.placed.index))?;
    }
    report(work.platform, item, &scanned);
    Ok(())
}

/// Whether the item is in its regions already. If the migration's digest does not prove it, the
/// journal must have recorded it as fetched.
pub(crate) async fn holds<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    item: &Item<'_>,
) -> Result<bool, Failure<F::Error>> {
    match work.known(&item.placed) {
        Some(known) if item.rules.artifact.sha256.is_some() || known.digest.is_some() => {
            is_good(in_place(work, item, known).await)
        }
        _ => Ok(false),
    }
}

/// Whether bytes were accepted, unless the device cannot continue.
pub(crate) fn is_good<T, E>(judged: Result<T, Refusal<E>>) -> Result<bool, Failure<E>> {
    match judged {
        Ok(_) => Ok(true),
        Err(Refusal::Image(_)) => Ok(false),
        Err(Refusal::Failure(failure)) => Err(failure),
    }
}

/// Reads the item from its regions and scans it.
pub(crate) async fn in_place<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    item: &Item<'_>,
    known: Known,
) -> Result<Scanned, Refusal<F::Error>> {
    let rules = &item.rules;
    let mut scan = Scan::new(*rules);
    let mut offset = 0;
    let judged = loop {
        let len = SECTOR_BYTES.min(known.len_bytes - offset);
        let Some(bytes) = work.sector.get_mut(..len as usize).filter(|_| len > 0) else {
            break judge(scan, known);
        };
        if rules.is_padding(offset, len, scan.image_end()) {
            // Whatever old data is here, the artifact has padding, and MCUboot never reads it.
            bytes.fill(ERASED);
        } else {
            let is_there = match item.place_of(offset) {
                Some((Target::Flash(_), addr)) => {
                    work.medium.read(addr, bytes).await?;
                    true
                }
                Some((Target::Memory { .. }, at)) => {
                    let at = at.get() as usize;
                    let staged = work.memory.get(at..at.saturating_add(bytes.len()));
                    staged.map(|staged| bytes.copy_from_slice(staged)).is_some()
                }
                None => false,
            };
            if !is_there {
                break Err(item.too_long());
            }
        }
        offset += len;
        work.platform.alive();
        if offset == known.len_bytes
            && let Some(confirmed) = confirmation(bytes, offset - len, rules)
        {
            // The file may have been confirmed already, or the migrator did it.
            let mut unconfirmed = scan.clone();
            let as_found = scan.push(bytes).and_then(|()| judge(scan, known));
            if let Some(byte) = bytes.get_mut(confirmed) {
                *byte = ERASED;
            }
            break as_found.or_else(|fault| {
                unconfirmed.push(bytes).and_then(|()| judge(unconfirmed, known)).map_err(|_| fault)
            });
        }
        if let Err(fault) = scan.push(bytes) {
            break Err(fault);
        }
    };
    judged.map_err(Refusal::Image)
}

fn judge(scan: Scan<'_>, known: Known) -> Result<Scanned, ImageFault> {
    let named = scan.rules().artifact.sha256.is_some();
    let scanned = scan.finish()?;
    let found = head(&scanned.sha256);
    match known.digest {
        Some(wanted) if !named && wanted != found => Err(ImageFault::Digest { wanted, found }),
        _ => Ok(scanned),
    }
}

/// Offset of the flag for the confirmation in the last bytes of a file that the migrator will
/// confirm, unless it is blank.
fn confirmation(bytes: &[u8], offset: u32, rules: &Rules<'_>) -> Option<usize> {
    let slot = rules.slot.filter(|_| rules.artifact.confirm)?;
    let at = slot.trailer.image_ok().get().checked_sub(offset)? as usize;
    bytes.get(at).is_some_and(|byte| *byte != ERASED).then_some(at)
}

/// Checks that MCUboot will accept the trailer in `slot` as this migration requires.
pub(crate) async fn trailer<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    slot: Region,
    rules: &Rules<'_>,
) -> Result<(), Refusal<F::Error>> {
    match &rules.slot {
        Some(asked) => trailer_of(medium, slot, asked).await,
        None => Ok(()),
    }
}

/// Checks the same by the rules for that slot.
async fn trailer_of<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    slot: Region,
    asked: &SlotRules<'_>,
) -> Result<(), Refusal<F::Error>> {
    let Ok(layout) = TrailerLayout::new(slot, asked.trailer.config()) else {
        return Err(ImageFault::Trailer.into());
    };
    let state = trailers::read(medium, &layout).await?;
    let clean = medium.is_blank(layout.status()).await?;
    let good = clean && asked.image.accepts(state);
    if good { Ok(()) } else { Err(ImageFault::Trailer.into()) }
}

/// Reports on the console that an item is verified.
pub(crate) fn report<P: Platform>(platform: &mut P, item: &Item<'_>, scanned: &Scanned) {
    let Scanned { len_bytes, sha256 } = scanned;
    platform.event(&Event::Verified { name: item.name(), len_bytes: *len_bytes, sha256 });
}
