//! What the engine remembers from one start to the next: attempts without progress, and what has
//! arrived.

use bootswap_plan::{Step, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::Region;
use heapless::Vec;

use crate::job::Job;
use crate::journal::{Entry, Journal};
use crate::medium::Medium;
use crate::work::Work;
use crate::{Event, Failure, Platform};

/// Attempts without progress after which the engine gives up.
const MAX_ATTEMPTS: u32 = 8;
/// Wait before the second attempt without progress in milliseconds; it doubles each time.
const FIRST_BACKOFF_MS: u32 = 1000;
/// Most places in which artifacts end: a critical and a harmless one for each of eight.
pub(crate) const MAX_PLACES: usize = 16;

/// Reads what is remembered of this job.
pub(crate) async fn recall<F: NorFlash>(medium: &mut Medium<'_, F>, job: &Job<'_>) -> Journal {
    Journal::load(medium, job.plan.journal, job.tag()).await
}

/// Counts an attempt at so many steps, and waits if earlier ones failed. Says which one it is.
pub(crate) async fn begin<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    steps: usize,
) -> Result<u32, Failure<F::Error>> {
    let attempt = work.journal.attempts().saturating_add(1);
    if attempt > MAX_ATTEMPTS {
        return Err(Failure::GivenUp { attempts: attempt - 1 });
    }
    work.platform.event(&Event::Started { steps, attempt });
    work.journal.note(work.medium, Entry::Attempt(attempt)).await;
    if attempt > 1 {
        let wait_ms = FIRST_BACKOFF_MS << (attempt - 2).min(MAX_ATTEMPTS);
        work.platform.event(&Event::Waiting { wait_ms });
        work.platform.delay_ms(wait_ms).await;
    }
    Ok(attempt)
}

/// Forgets all attempts.
pub(crate) async fn forget<F: NorFlash>(medium: &mut Medium<'_, F>, job: &Job<'_>) {
    let mut journal = recall(medium, job).await;
    journal.note(medium, Entry::Attempt(0)).await;
}

/// Where artifacts end that have come, or begun to.
pub(crate) async fn arrived<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    job: &Job<'_>,
) -> Vec<Region, MAX_PLACES> {
    let journal = recall(medium, job).await;
    let mut regions = Vec::new();
    for step in &job.plan.steps {
        let Step::Verify { artifact, routes } = step else { continue };
        let has_come = journal.fetched(artifact.0).is_some() || journal.progress(artifact.0) > 0;
        for route in routes.iter().filter(|_| has_come) {
            if let Target::Flash(place) = route.to {
                let _ = regions.push(place.region);
            }
        }
    }
    regions
}
