//! Fetches one artifact: with patience, from where it broke off, and not for ever.

use bootswap_plan::{ArtifactIndex, Origin, Route};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{PAGE_BYTES, Region};

use crate::journal::Entry;
use crate::medium::PAGE;
use crate::receive::{Receiver, Refusal};
use crate::run::Work;
use crate::scan::{Rules, head};
use crate::source::{Flow, Header, Request, Sink, Source, SourceError};
use crate::{Event, Failure, Platform, embedded, verify};

/// Transfers that may break in a row without a byte of progress.
const MAX_BROKEN: u32 = 6;
/// Times that a complete artifact may turn out to be the wrong one.
const MAX_REFUSED: u32 = 3;
/// Wait after the first broken transfer in milliseconds; it doubles each time.
const FIRST_WAIT_MS: u32 = 500;

/// Brings an artifact to its places, unless it is there already, and verifies it by reading flash.
pub(crate) async fn fetch<F: NorFlash, S: Source, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    step: u8,
    artifact: ArtifactIndex,
    routes: &[Route],
    rules: Rules<'_>,
) -> Result<(), Failure<F::Error>> {
    if holds(work, step, routes, &rules).await? {
        work.platform.event(&Event::Holds);
        return Ok(());
    }
    receive(work, step, artifact, routes, rules).await?;
    match verify::in_place(work, routes, &rules).await? {
        Ok(verdict) => {
            verify::report(work.platform, &rules, &verdict);
            let digest = head(&verdict.sha256);
            work.journal.note(work.medium, Entry::Fetched { step, digest }).await;
            Ok(())
        }
        Err(fault) => Err(Failure::Image { artifact, fault }),
    }
}

/// Whether the artifact is in its places already. What its digest does not prove, the journal has to
/// remember as fetched.
async fn holds<F: NorFlash, S, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    step: u8,
    routes: &[Route],
    rules: &Rules<'_>,
) -> Result<bool, Failure<F::Error>> {
    let remembered = work.journal.fetched(step);
    if rules.artifact.sha256.is_none() && remembered.is_none() {
        return Ok(false);
    }
    let verdict = verify::in_place(work, routes, rules).await?;
    let same = |sha256: &[u8; 32]| rules.artifact.sha256.is_some() || remembered == Some(head(sha256));
    Ok(verdict.is_ok_and(|verdict| same(&verdict.sha256)))
}

async fn receive<F: NorFlash, S: Source, P: Platform>(
    work: &mut Work<'_, '_, F, S, P>,
    step: u8,
    artifact: ArtifactIndex,
    routes: &[Route],
    rules: Rules<'_>,
) -> Result<(), Failure<F::Error>> {
    let name = rules.artifact.name;
    let url = match rules.artifact.origin {
        Origin::Url(url) => Some(url),
        Origin::Embedded => None,
    };
    let (container, source) = (work.container, &mut *work.source);
    let mut receiver = Receiver::new(
        work.medium,
        work.platform,
        work.journal,
        work.memory,
        work.sector,
        step,
        routes,
        rules,
    );
    receiver.resume().await?;
    let (mut broken, mut refused) = (0, 0);
    loop {
        let before = receiver.received();
        receiver.platform.event(&Event::Fetching { name, url, offset: before });
        let request = Request { artifact, name, url };
        let sent = match url {
            Some(_) => source.fetch(&request, &mut receiver).await,
            None => unpack(&mut receiver, container, name).await,
        };
        let ended = match sent {
            Ok(()) if receiver.is_short() => Err(SourceError::Broken),
            Ok(()) => receiver.end().await.map_err(SourceError::Sink),
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return Ok(()) };
        let cause = match error.split() {
            Ok(Refusal::Failure(failure)) => return Err(failure),
            Ok(Refusal::Image(fault)) => {
                refused += 1;
                if refused == MAX_REFUSED || url.is_none() {
                    return Err(Failure::Image { artifact, fault });
                }
                receiver.restart();
                receiver.platform.event(&Event::Refused { name, fault: &fault });
                receiver.platform.delay_ms(FIRST_WAIT_MS << refused).await;
                continue;
            }
            Err(cause) => cause,
        };
        broken = if receiver.received() > before { 1 } else { broken + 1 };
        if broken == MAX_BROKEN || cause.is_final() {
            return Err(Failure::Source { artifact, cause });
        }
        let wait_ms = FIRST_WAIT_MS << (broken - 1);
        receiver.platform.event(&Event::Retry { name, cause: &cause, wait_ms });
        receiver.platform.delay_ms(wait_ms).await;
    }
}

/// Hands over an artifact that travelled inside the migrator's own image.
async fn unpack<F: NorFlash, P: Platform>(
    receiver: &mut Receiver<'_, '_, F, P>,
    container: Option<Region>,
    name: &str,
) -> Result<(), SourceError<Refusal<F::Error>>> {
    let container = container.ok_or(SourceError::NotEmbedded)?;
    let bytes = embedded::locate(receiver.medium, container, name).await?;
    let offset = receiver.wanted().min(bytes.len_bytes());
    let total_len_bytes = Some(bytes.len_bytes());
    receiver.begin(Header { offset, total_len_bytes }).map_err(SourceError::Sink)?;
    let mut page = [0; PAGE];
    for part in bytes.from(bytes.start().saturating_add(offset)).chunks(PAGE_BYTES) {
        let chunk = page.get_mut(..part.len_bytes() as usize).ok_or(SourceError::BadContainer)?;
        receiver.medium.read(part.start(), chunk).await.map_err(|_| SourceError::Broken)?;
        if receiver.data(chunk).await.map_err(SourceError::Sink)? == Flow::Enough {
            break;
        }
    }
    Ok(())
}
