//! Fetches one artifact: with patience, from where it broke off, and not for ever.

use bootswap_plan::{ArtifactIndex, Origin, Route};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{PAGE_BYTES, Region};

use crate::journal::{Entry, Fetched};
use crate::medium::PAGE;
use crate::places::slot_place;
use crate::receive::{Lent, Receiver, Refusal};
use crate::run::Work;
use crate::scan::{Rules, head};
use crate::source::{Flow, Header, Request, Sink, Source, SourceError};
use crate::verify::Known;
use crate::{Event, Failure, Platform, embedded, trailers, verify};

/// Transfers that may break in a row without a byte of progress.
const MAX_BROKEN: u32 = 6;
/// Times that an artifact may turn out to be the wrong one.
const MAX_REFUSED: u32 = 3;
/// Wait after the first broken transfer in milliseconds; it doubles each time.
const FIRST_WAIT_MS: u32 = 500;

/// Brings an artifact to its places, unless it is there already, and verifies it by reading flash.
///
/// `end` names the places where it ends if those are others: an artifact that has arrived there has no
/// need of the place where it waited, which may be another one's by now.
pub(crate) async fn fetch<F: NorFlash, S: Source, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    artifact: ArtifactIndex,
    routes: &[Route],
    rules: Rules<'_>,
    end: Option<(&[Route], Rules<'_>)>,
) -> Result<(), Failure<F::Error>> {
    if let Some((end, rules)) = end
        && holds(work, artifact, end, &rules).await?
    {
        work.platform.event(&Event::Holds);
        return Ok(());
    }
    let len_bytes = if holds(work, artifact, routes, &rules).await? {
        work.platform.event(&Event::Holds);
        work.known(artifact, &rules).map_or(0, |known| known.len_bytes)
    } else {
        let told_bytes = work.journal.progress(artifact.0);
        let mut len_bytes = receive(work, artifact, routes, rules).await?;
        if !ends_well(work, routes, &rules, told_bytes, len_bytes).await? {
            // Something else has been written there since the journal was.
            let nothing = Entry::Progress { artifact: artifact.0, len_bytes: 0 };
            work.journal.note(work.medium, nothing).await;
            len_bytes = receive(work, artifact, routes, rules).await?;
        }
        let fresh = Known { len_bytes, digest: None };
        let verdict = verify::in_place(work, routes, &rules, fresh).await?;
        let verdict = verdict.map_err(|fault| Failure::Image { artifact, fault })?;
        verify::report(work.platform, &rules, &verdict);
        let digest = head(&verdict.sha256);
        let fetched = Fetched { artifact: artifact.0, len_bytes, digest };
        work.journal.note(work.medium, Entry::Fetched(fetched)).await;
        len_bytes
    };
    match slot_place(routes) {
        Some(place) => {
            trailers::finish_slot(work.medium, work.sector, &place, &rules, len_bytes).await
        }
        None => Ok(()),
    }
}

/// Whether the artifact is in these places already. What the migration's digest does not prove, the
/// journal has to remember as fetched.
pub(crate) async fn holds<F: NorFlash, S, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    artifact: ArtifactIndex,
    routes: &[Route],
    rules: &Rules<'_>,
) -> Result<bool, Failure<F::Error>> {
    match work.known(artifact, rules) {
        Some(known) if rules.artifact.sha256.is_some() || known.digest.is_some() => {
            Ok(verify::in_place(work, routes, rules, known).await?.is_ok())
        }
        _ => Ok(false),
    }
}

/// Whether what was not fetched, because the journal had it in place, is what the image's own hash leaves
/// out: a trailer that MCUboot takes. What the migrator is to confirm has none yet.
async fn ends_well<F: NorFlash, S, P>(
    work: &mut Work<'_, '_, F, S, P>,
    routes: &[Route],
    rules: &Rules<'_>,
    told_bytes: u32,
    len_bytes: u32,
) -> Result<bool, Failure<F::Error>> {
    let (Some(asked), Some(slot)) = (rules.slot, slot_place(routes).and_then(|place| place.slot))
    else {
        return Ok(true);
    };
    let is_told = told_bytes > asked.trailer.offset_bytes() && len_bytes == slot.len_bytes();
    if !is_told || rules.artifact.confirm {
        return Ok(true);
    }
    Ok(verify::trailer(work.medium, slot, rules).await?.is_ok())
}

/// Takes the artifact from its source, and says how long it is.
async fn receive<F: NorFlash, S: Source, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    artifact: ArtifactIndex,
    routes: &[Route],
    rules: Rules<'_>,
) -> Result<u32, Failure<F::Error>> {
    let name = rules.artifact.name;
    let url = match rules.artifact.origin {
        Origin::Url(url) => Some(url),
        Origin::Embedded => None,
    };
    let (container, source) = (work.container, &mut *work.source);
    let lent = Lent {
        medium: work.medium,
        platform: work.platform,
        journal: work.journal,
        memory: work.memory,
        sector: work.sector,
    };
    let mut receiver = Receiver::new(lent, artifact.0, routes, rules);
    receiver.resume().await?;
    let (mut broken, mut refused) = (0, 0);
    loop {
        let before = receiver.received();
        let sent = match receiver.predict().await {
            // An earlier run may have got as far as the padding.
            Ok(true) => return Ok(receiver.received()),
            Ok(false) => {
                let request = Request { artifact, name, url };
                receiver.lent.platform.event(&Event::Fetching { name, url, offset: before });
                match url {
                    Some(_) => source.fetch(&request, &mut receiver).await,
                    None => unpack(&mut receiver, container, name).await,
                }
            }
            Err(refusal) => Err(SourceError::Sink(refusal)),
        };
        let ended = match sent {
            Ok(()) if receiver.is_short() => Err(SourceError::Broken),
            Ok(()) => receiver.end().await.map_err(SourceError::Sink),
            Err(SourceError::Sink(refusal)) => Err(SourceError::Sink(refusal)),
            // Whatever went wrong afterwards.
            Err(_) if receiver.is_complete() => Ok(()),
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return Ok(receiver.received()) };
        let platform = &mut *receiver.lent.platform;
        let cause = match error.split() {
            Ok(Refusal::Failure(failure)) => return Err(failure),
            Ok(Refusal::Image(fault)) => {
                refused += 1;
                if refused == MAX_REFUSED {
                    return Err(Failure::Image { artifact, fault });
                }
                platform.event(&Event::Refused { name, fault: &fault });
                platform.delay_ms(FIRST_WAIT_MS << refused).await;
                receiver.fall_back().await?;
                continue;
            }
            Err(cause) => cause,
        };
        broken = if receiver.received() > before { 1 } else { broken + 1 };
        let platform = &mut *receiver.lent.platform;
        if broken == MAX_BROKEN || cause.is_final() {
            return Err(Failure::Source { artifact, cause });
        }
        let wait_ms = FIRST_WAIT_MS << (broken - 1);
        platform.event(&Event::Retry { name, cause: &cause, wait_ms });
        platform.delay_ms(wait_ms).await;
    }
}

/// Hands over an artifact that travelled inside the migrator's own image.
async fn unpack<F: NorFlash, P: Platform>(
    receiver: &mut Receiver<'_, '_, F, P>,
    container: Option<Region>,
    name: &str,
) -> Result<(), SourceError<Refusal<F::Error>>> {
    let container = container.ok_or(SourceError::NotEmbedded)?;
    let bytes = embedded::locate(receiver.lent.medium, container, name).await?;
    let offset = receiver.wanted().min(bytes.len_bytes());
    let total_len_bytes = Some(bytes.len_bytes());
    receiver.begin(Header { offset, total_len_bytes }).map_err(SourceError::Sink)?;
    let mut page = [0; PAGE];
    for part in bytes.from(bytes.start().saturating_add(offset)).chunks(PAGE_BYTES) {
        let chunk = page.get_mut(..part.len_bytes() as usize).ok_or(SourceError::BadContainer)?;
        receiver.lent.medium.read(part.start(), chunk).await.map_err(|_| SourceError::Broken)?;
        if receiver.data(chunk).await.map_err(SourceError::Sink)? == Flow::Enough {
            break;
        }
    }
    Ok(())
}
