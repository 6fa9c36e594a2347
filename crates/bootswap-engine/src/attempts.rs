//! What the engine remembers from one start to the next: attempts without progress, and which
//! artifacts have arrived.
//!
//! ```text
//!   wait ---> attempt noted ---> radio, engine ---> failed noted ---> reset
//!    ^             |                   |
//!    |             '---- power lost ---'--> the same attempt again
//!    '------------------ a reset, as by a watchdog: it has failed
//! ```
//!
//! A plan without a journal sector, on flash that is full, remembers nothing: every start is the
//! first one, and such a device tries as long as it has power. Memory that survives a reset would
//! not survive a loss of power, and NVS belongs to the old firmware.

use bootswap_plan::{Step, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::Region;
use heapless::Vec;

use crate::job::Job;
use crate::journal::{Entry, Journal};
use crate::medium::Medium;
use crate::{Event, Failure, Platform};

/// Attempts without progress after which the engine gives up.
const MAX_ATTEMPTS: u32 = 8;
/// Wait before the second attempt without progress in milliseconds; it doubles each time.
const FIRST_BACKOFF_MS: u32 = 1000;
/// Successive attempts without progress that may lose power. This is not their fault; but a device
/// that always loses power, perhaps because its radio starts, must not stay in the migrator for
/// ever.
const MAX_LOST: u32 = 256;
/// Largest number of final regions: a critical and a harmless one for each of eight artifacts.
pub const MAX_PLACES: usize = 16;

/// An attempt that has begun; [`begin`] returns it for [`Engine::go_on`](crate::Engine::go_on).
#[derive(Debug)]
pub struct Begun {
    pub(crate) journal: Journal,
}

/// Reads what the journal has about this job.
async fn recall<F: NorFlash>(medium: &mut Medium<'_, F>, job: &Job<'_>) -> Journal {
    Journal::load(medium, job.plan.journal, job.tag()).await
}

/// Counts an attempt, after a wait if earlier ones failed. Call it before anything that can hang or
/// reset the chip, so that such a failure counts, too.
///
/// # Power-fail safety
///
/// That of the journal. Power lost during the wait changes nothing; power lost later leaves an
/// attempt that does not count.
///
/// # Errors
///
/// [`Failure::GivenUp`] after too many attempts without progress.
pub async fn begin<F: NorFlash, P: Platform>(
    flash: &mut F,
    platform: &mut P,
    job: &Job<'_>,
) -> Result<Begun, Failure<F::Error, &'static str>> {
    let medium = &mut Medium::new(flash);
    let mut journal = recall(medium, job).await;
    let mut lost = journal.lost();
    if journal.is_open() {
        if platform.follows_reset() {
            let failed = journal.failed().saturating_add(1);
            journal.note(medium, Entry::Failed(failed)).await;
            lost = 0;
        } else {
            lost = lost.saturating_add(1);
        }
    }
    let failed = journal.failed();
    if failed >= MAX_ATTEMPTS || lost > MAX_LOST {
        return Err(Failure::GivenUp { attempts: failed.max(lost) });
    }
    let number = failed + 1;
    platform.event(&Event::Started { steps: job.plan.steps.len(), attempt: number });
    if failed > 0 {
        let wait_ms = FIRST_BACKOFF_MS << (failed - 1);
        platform.event(&Event::Waiting { wait_ms });
        platform.delay_ms(wait_ms).await;
    }
    journal.note(medium, Entry::Attempt { number, lost }).await;
    Ok(Begun { journal })
}

/// Records that an attempt failed, unless it made progress or was only told to wait for a better
/// moment.
pub(crate) async fn end<F: NorFlash, E>(
    medium: &mut Medium<'_, F>,
    journal: &mut Journal,
    failure: &Failure<E>,
) {
    let failed = match failure {
        Failure::Veto(_) => journal.failed(),
        _ => journal.failed().saturating_add(u32::from(journal.is_open())),
    };
    journal.note(medium, Entry::Failed(failed)).await;
}

/// Forgets earlier attempts, so that the engine starts a new series of them: for devices that have
/// no firmware to go back to, after a long wait.
///
/// # Power-fail safety
///
/// That of the journal: a torn record is ignored, and the attempts count as before.
pub async fn forget_attempts<F: NorFlash>(flash: &mut F, job: &Job<'_>) {
    let medium = &mut Medium::new(flash);
    let mut journal = recall(medium, job).await;
    journal.note(medium, Entry::Failed(0)).await;
}

/// The final regions of artifacts that have arrived, completely or in part, according to the
/// journal: they contain the target, not a firmware to go back to.
pub async fn arrived<F: NorFlash>(flash: &mut F, job: &Job<'_>) -> Vec<Region, MAX_PLACES> {
    let journal = recall(&mut Medium::new(flash), job).await;
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
