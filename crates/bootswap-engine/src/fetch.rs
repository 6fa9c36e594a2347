//! Fetches one artifact: with retries, from where it was interrupted, and with a limit.

use bootswap_plan::Origin;
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{PAGE_BYTES, Region};

use crate::item::Item;
use crate::journal::{Entry, Fetched};
use crate::medium::PAGE;
use crate::receive::Receiver;
use crate::refusal::Refusal;
use crate::scan::head;
use crate::source::{Flow, Header, Request, Sink, Source, SourceError};
use crate::work::{Known, Work};
use crate::{Advice, Event, Failure, Platform, apart, embedded, trailers, verify};

/// Successive transfers that may break without a byte of progress.
const MAX_BROKEN: u32 = 6;
/// How often an artifact may turn out to be the wrong one.
const MAX_REFUSED: u32 = 3;
/// Wait after the first broken transfer in milliseconds; it doubles each time.
const FIRST_WAIT_MS: u32 = 500;

/// Brings an item to its regions, unless it is there already, and verifies it by reading flash.
///
/// `end` is the item in its final region, if that is elsewhere: once it has arrived there, its
/// staging region is not needed, and another artifact may be there already.
pub(crate) async fn fetch<F: NorFlash, S: Source, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    source: &mut S,
    container: Option<Region>,
    item: &Item<'_>,
    end: Option<&Item<'_>>,
) -> Result<(), Failure<F::Error>> {
    if let Some(end) = end
        && verify::holds(work, end).await?
    {
        work.platform.event(&Event::Holds);
        return Ok(());
    }
    let len_bytes = if verify::holds(work, item).await? {
        work.platform.event(&Event::Holds);
        work.fetched(&item.placed)?.len_bytes
    } else {
        let told_bytes = work.journal.progress(item.placed.number());
        let mut len_bytes = receive(work, source, container, item).await?;
        if !ends_well(work, item, told_bytes, len_bytes).await? {
            // Something else has been written there since the journal's record.
            let nothing = Entry::Progress { artifact: item.placed.number(), len_bytes: 0 };
            work.journal.note(work.medium, nothing).await;
            len_bytes = receive(work, source, container, item).await?;
        }
        let fresh = Known { len_bytes, digest: None };
        let scanned = verify::in_place(work, item, fresh).await;
        let scanned = scanned.map_err(|refusal| refusal.of(item.placed.index))?;
        verify::report(work.platform, item, &scanned);
        let digest = head(&scanned.sha256);
        let fetched = Fetched { artifact: item.placed.number(), len_bytes, digest };
        work.journal.note(work.medium, Entry::Fetched(fetched)).await;
        len_bytes
    };
    match item.placed.slot_place() {
        Some(place) => {
            let (medium, sector) = (&mut *work.medium, &mut *work.sector);
            trailers::finish_slot(medium, sector, &place, &item.rules, len_bytes).await
        }
        None => Ok(()),
    }
}

/// Whether the part that was not fetched, because the journal says that it is in place, is correct
/// where the image's own hash does not cover it: a trailer that MCUboot accepts. If the migrator
/// will confirm the image, there is no trailer yet.
async fn ends_well<F: NorFlash, P>(
    work: &mut Work<'_, '_, F, P>,
    item: &Item<'_>,
    told_bytes: u32,
    len_bytes: u32,
) -> Result<bool, Failure<F::Error>> {
    let (Some(asked), Some(slot)) = (item.rules.slot, item.placed.slot()) else { return Ok(true) };
    let is_told = told_bytes > asked.trailer.offset_bytes() && len_bytes == slot.len_bytes();
    if !is_told || item.rules.artifact.confirm {
        return Ok(true);
    }
    verify::is_good(verify::trailer(work.medium, slot, &item.rules).await)
}

/// Receives the artifact from its source, and returns its length.
async fn receive<F: NorFlash, S: Source, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    source: &mut S,
    container: Option<Region>,
    item: &Item<'_>,
) -> Result<u32, Failure<F::Error>> {
    let name = item.name();
    let url = match item.rules.artifact.origin {
        Origin::Url(url) => Some(url),
        Origin::Embedded => None,
    };
    let mut receiver = Receiver::new(work, item);
    receiver.resume().await?;
    let (mut broken, mut refused) = (0, 0);
    loop {
        let before = receiver.received();
        let sent = match receiver.predict().await {
            // An earlier run may have reached the padding.
            Ok(true) => return Ok(receiver.received()),
            Ok(false) => {
                let request = Request { artifact: item.placed.index, name, url };
                receiver.work.platform.event(&Event::Fetching { name, url, offset: before });
                match url {
                    Some(_) => apart!(source.fetch(&request, &mut receiver)),
                    None => apart!(unpack(&mut receiver, container, name)),
                }
            }
            Err(refusal) => Err(SourceError::Sink(refusal)),
        };
        let ended = match sent {
            Ok(()) if receiver.is_short() => Err(SourceError::Broken),
            Ok(()) => receiver.end().await.map_err(SourceError::Sink),
            Err(SourceError::Sink(refusal)) => Err(SourceError::Sink(refusal)),
            // Whatever went wrong afterwards does not matter.
            Err(_) if receiver.is_complete() => Ok(()),
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return Ok(receiver.received()) };
        let platform = &mut *receiver.work.platform;
        let cause = match error.split() {
            Ok(Refusal::Failure(failure)) => return Err(failure),
            Ok(Refusal::Image(fault)) => {
                refused += 1;
                if refused == MAX_REFUSED {
                    let advice = Some(Advice::about(item.placed.artifact));
                    platform.event(&Event::Refused { name, fault: &fault, advice });
                    return Err(Failure::Image { artifact: item.placed.index, fault });
                }
                platform.event(&Event::Refused { name, fault: &fault, advice: None });
                platform.delay_ms(FIRST_WAIT_MS << refused).await;
                receiver.fall_back().await?;
                continue;
            }
            Err(cause) => cause,
        };
        broken = if receiver.received() > before { 1 } else { broken + 1 };
        let platform = &mut *receiver.work.platform;
        if broken == MAX_BROKEN || cause.is_final() {
            return Err(Failure::Source { artifact: item.placed.index, cause });
        }
        let wait_ms = FIRST_WAIT_MS << (broken - 1);
        platform.event(&Event::Retry { name, cause: &cause, wait_ms });
        platform.delay_ms(wait_ms).await;
    }
}

/// Unpacks an artifact that is embedded in the migrator's own image.
async fn unpack<F: NorFlash, P: Platform>(
    receiver: &mut Receiver<'_, '_, '_, F, P>,
    container: Option<Region>,
    name: &str,
) -> Result<(), SourceError<Refusal<F::Error>>> {
    let container = container.ok_or(SourceError::NotEmbedded)?;
    let bytes = embedded::locate(receiver.work.medium, container, name).await?;
    let offset = receiver.wanted().min(bytes.len_bytes());
    let total_len_bytes = Some(bytes.len_bytes());
    receiver.begin(Header { offset, total_len_bytes }).map_err(SourceError::Sink)?;
    let mut page = [0; PAGE];
    for part in bytes.from(bytes.start().saturating_add(offset)).chunks(PAGE_BYTES) {
        let chunk = page.get_mut(..part.len_bytes() as usize).ok_or(SourceError::BadContainer)?;
        receiver.work.medium.read(part.start(), chunk).await.map_err(|_| SourceError::Broken)?;
        if receiver.data(chunk).await.map_err(SourceError::Sink)? == Flow::Enough {
            break;
        }
    }
    Ok(())
}
