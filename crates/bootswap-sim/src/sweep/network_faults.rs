//! Servers that fail: connections lost at every KiB, answers that end early, have wrong ranges or a
//! wrong bit, silence. Each once, and also while the device recovers from a loss of power.

use std::num::NonZeroU32;
use std::time::Duration;

use bootswap_plan::{Content, Origin};
use bootswap_serve::{FaultKind, ServerFault};
use nor_sim::{Cut, Noise};

use super::case::Case;
use super::choice::{Amount, seed_of};
use super::context::SweepContext;
use super::error::SweepError;
use super::faults::{Demand, try_all};
use super::pool::Pool;
use super::report::FaultsReport;
use crate::Settings;
use crate::origin::path_of;
use crate::run::Run;

/// Timeout for a silent server in cases in which servers are silent on purpose.
const TIMEOUT: Duration = Duration::from_millis(60);
/// Distance in bytes of the points at which a connection is lost.
const DROP_EVERY_BYTES: u32 = 1024;
/// Distance in bytes of the points at which an answer ends early or has a wrong bit.
const DAMAGE_EVERY_BYTES: u32 = 4096;
/// Distance in bytes of the points at which a server falls silent, which takes real time.
const STALL_EVERY_BYTES: u32 = 32 * 1024;
/// Cases in which a connection is lost while the device recovers from a loss of power.
const CUT_AND_DROPPED: u64 = 500;

/// Tries the faults in `life`, and in recoveries of it.
///
/// # Errors
///
/// [`SweepError`].
pub fn sweep(
    context: &SweepContext<'_>,
    life: &Run,
    amount: Amount,
    seed: u64,
    pool: Pool,
) -> Result<FaultsReport, SweepError> {
    let mut cases: Vec<Case> = Vec::new();
    for artifact in context.migration.artifacts {
        let Origin::Url(url) = artifact.origin else { continue };
        let fetched = match artifact.content {
            Some(Content::Mcuboot { image_len_bytes, .. }) => Some(image_len_bytes),
            _ => artifact.len_bytes,
        };
        let faults = server_faults(path_of(url), fetched.unwrap_or(0), seed);
        cases.extend(faults.into_iter().map(|faults| Case::network(None, faults)));
    }
    let alone = cases.len() as u64;
    // The same faults for a device that recovers from a loss of power.
    let mut noise = Noise::new(!seed);
    let ops = life.ops.len() as u64;
    for number in 0..CUT_AND_DROPPED.min(alone * ops) {
        let op = noise.below(ops);
        let cut = match number % 3 {
            0 => Cut::before(op),
            1 => Cut::middle(op, seed_of(seed, op)),
            _ => Cut::after(op),
        };
        let at = usize::try_from(noise.below(alone)).unwrap_or(0);
        let faults = cases.get(at).map(|case| case.last.network.clone());
        cases.push(Case::network(Some(cut), faults.unwrap_or_default()));
    }
    // Here too, a device need not survive a cut in the window.
    let inside = |case: &Case| case.interrupted.iter().any(|(_, cut)| life.window_is_open_at(*cut));
    cases.retain(|case| !inside(case));
    let picked = amount.pick(cases.len() as u64, seed);
    let pick = |index: &u64| {
        let case = cases.get(usize::try_from(*index).ok()?)?.clone();
        Some((case, Demand::TargetInTheEnd))
    };
    let settings = Settings { network_timeout: TIMEOUT, ..context.settings };
    let impatient = SweepContext { settings, ..context.clone() };
    let cases = picked.iter().filter_map(pick).collect();
    try_all(&impatient, life, cases, seed, ("network faults", pool))
}

/// What can go wrong with one file of which this many bytes are fetched.
fn server_faults(path: &str, fetched_bytes: u32, seed: u64) -> Vec<Vec<ServerFault>> {
    let once = |kinds: &[FaultKind]| ServerFault {
        path: Some(path.to_owned()),
        kinds: kinds.to_vec(),
        times: NonZeroU32::new(1),
    };
    let points = |every: u32| (0..fetched_bytes).step_by(every as usize).map(u64::from);
    let mut stories: Vec<Vec<ServerFault>> = Vec::new();
    for at in points(DROP_EVERY_BYTES) {
        stories.push(vec![once(&[FaultKind::Drop(Some(at))])]);
    }
    for at in points(DAMAGE_EVERY_BYTES) {
        let anywhere = at + Noise::new(seed ^ at).below(u64::from(DAMAGE_EVERY_BYTES));
        stories.push(vec![once(&[FaultKind::Truncate(anywhere)])]);
        stories.push(vec![once(&[FaultKind::NoLength, FaultKind::Truncate(anywhere)])]);
        let at = anywhere.min(u64::from(fetched_bytes.saturating_sub(1)));
        stories.push(vec![once(&[FaultKind::Corrupt(Some(at))])]);
    }
    for at in points(STALL_EVERY_BYTES) {
        stories.push(vec![once(&[FaultKind::Stall(Some(at))])]);
        // The device requests the rest, and the server answers with another range.
        let dropped = once(&[FaultKind::Drop(Some(at))]);
        for lie in [
            FaultKind::RangeIgnored,
            FaultKind::RangeWrong,
            FaultKind::RangeMisplaced,
            FaultKind::EtagChanges,
            FaultKind::Html,
            FaultKind::Empty,
            FaultKind::Status(503),
            FaultKind::Chunked,
            FaultKind::Redirect(2),
        ] {
            stories.push(vec![dropped.clone(), once(&[lie])]);
        }
    }
    for kind in [
        FaultKind::Drop(None),
        FaultKind::Stall(None),
        FaultKind::Html,
        FaultKind::Empty,
        FaultKind::Status(404),
        FaultKind::Status(503),
        FaultKind::Oversize(1),
        FaultKind::Chunked,
        FaultKind::NoLength,
        FaultKind::RedirectLoop,
    ] {
        stories.push(vec![once(&[kind])]);
    }
    stories
}
