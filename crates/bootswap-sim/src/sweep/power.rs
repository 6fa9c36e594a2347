//! Power lost before, in the middle of, and after every flash operation of a device's life.
//!
//! The life is run once without interruption and recorded. Every case begins with flash as the cut
//! leaves it, which the recording knows, and continues from its mask ROM, without shortcuts.
//!
//! ```text
//!   op 0 ... migrator ... op 840 ... MCUboot's swap ... op 3133     the recorded life
//!        |           '-- commit window --'        |
//!        cut                                      cut
//!        '--> ROM, ... target?                    '--> ROM, ... target?
//! ```
//!
//! Power may be lost once more in each of these recoveries, which are recorded too.

use std::ops::Range;
use std::time::Instant;

use nor_sim::{Cut, NorMemory, Phase, Recording};

use super::case::{Case, Hazards};
use super::choice::{Amount, seed_of};
use super::context::SweepContext;
use super::error::SweepError;
use super::pool::Pool;
use super::report::{FailureReport, PowerCutsReport, SecondCutsReport, Worst};
use super::worker::{CaseOutcome, Worker};
use crate::run::Run;
use crate::window;

/// Number of pairs of cuts up to which all are tried; a second is enough for some hundred.
const FEASIBLE_PAIRS: u64 = 20_000;
/// Number of pairs that are tried if there are more.
const SAMPLED_PAIRS: u64 = 10_000;

/// Which cuts are tried.
#[derive(Clone, Copy, Debug)]
pub struct PowerCuts {
    /// How many.
    pub amount: Amount,
    /// Whether operations are interrupted in the middle, too.
    pub torn: bool,
    /// Whether power is lost again while the device recovers.
    pub twice: bool,
    /// Seed of the random choice.
    pub seed: u64,
}

/// The result of a cut.
struct Tried {
    in_window: bool,
    ended: CaseOutcome,
    cost: Cost,
}

/// What the device did again because of the cut.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    downloaded_bytes: u64,
    ops: u64,
    bootloader_ops: u64,
}

impl PowerCuts {
    /// Tries the cuts of `life`, which begins with the context's device.
    ///
    /// # Errors
    ///
    /// [`SweepError`].
    pub fn sweep(
        self,
        context: &SweepContext<'_>,
        life: &Run,
        pool: Pool,
    ) -> Result<PowerCutsReport, SweepError> {
        let started = Instant::now();
        let interrupted = Interrupted::new(life, self);
        let picked = self.amount.pick(interrupted.cuts(), self.seed);
        let tried = pool.run(
            "power cuts",
            picked.len(),
            || Worker::new(context),
            |worker, index| {
                let cut = interrupted.cut(picked.get(index).copied().unwrap_or_default());
                Ok((cut, interrupted.try_cut(worker, cut)?))
            },
        )?;
        let mut tally = Tally::default();
        for (cut, tried) in &tried {
            tally.add(tried, || Case::cuts(&[*cut]));
        }
        let second = if self.twice {
            Some(self.second_cuts(context, life, &tried, pool, &mut tally)?)
        } else {
            None
        };
        let seconds = started.elapsed().as_secs_f64();
        Ok(tally.report(self, life.recording.len() as u64, second, seconds))
    }

    /// Cuts the recoveries: each at every operation if that is feasible, else a sample of all
    /// pairs.
    fn second_cuts(
        self,
        context: &SweepContext<'_>,
        life: &Run,
        tried: &[(Cut, Tried)],
        pool: Pool,
        tally: &mut Tally,
    ) -> Result<SecondCutsReport, SweepError> {
        let phases = self.phases();
        let recovered = tried.iter().filter(|(_, tried)| tried.ended.is_good());
        let recoveries: Vec<(Cut, u64)> =
            recovered.map(|(cut, tried)| (*cut, tried.ended.ops * phases)).collect();
        let possible = recoveries.iter().map(|(_, pairs)| pairs).sum();
        let wanted = match self.amount {
            Amount::Some(count) => Amount::Some(count),
            _ if possible <= FEASIBLE_PAIRS => Amount::All,
            _ => Amount::Some(SAMPLED_PAIRS),
        };
        let groups = group(&recoveries, &wanted.pick(possible, !self.seed));
        let results = pool.run(
            "second power cuts",
            groups.len(),
            || Worker::new(context),
            |worker, index| {
                let Some((first, seconds)) = groups.get(index) else { return Ok(Vec::new()) };
                let recovery =
                    worker.record(left_by(&life.recording, *first)?, &Hazards::default())?;
                let interrupted = Interrupted::new(&recovery, self);
                let both = seconds.iter().map(|second| {
                    let second = interrupted.cut(*second);
                    let tried = interrupted.try_cut(worker, second)?;
                    Ok((Case::cuts(&[*first, second]), tried))
                });
                both.collect::<Result<Vec<_>, SweepError>>()
            },
        )?;
        let before = *tally.counts();
        for (case, tried) in results.into_iter().flatten() {
            tally.add(&tried, || case);
        }
        let after = tally.counts();
        Ok(SecondCutsReport {
            possible,
            cases: after.cases - before.cases,
            recovered: after.recovered - before.recovered,
            in_commit_window: after.in_window - before.in_window,
            failed: after.failed - before.failed,
        })
    }

    const fn phases(self) -> u64 {
        if self.torn { 3 } else { 2 }
    }
}

/// The picked pairs grouped by their first cuts; each gives the number of its second cut within the
/// recovery.
fn group(recoveries: &[(Cut, u64)], picked: &[u64]) -> Vec<(Cut, Vec<u64>)> {
    let mut groups = Vec::new();
    let (mut rest, mut begin) = (picked, 0);
    for (cut, pairs) in recoveries {
        let end = begin + pairs;
        let (mine, others) = rest.split_at(rest.partition_point(|pair| *pair < end));
        if !mine.is_empty() {
            groups.push((*cut, mine.iter().map(|pair| pair - begin).collect()));
        }
        (rest, begin) = (others, end);
    }
    groups
}

/// A life that can be cut anywhere.
struct Interrupted<'a> {
    life: &'a Run,
    window: Option<Range<usize>>,
    options: PowerCuts,
}

impl<'a> Interrupted<'a> {
    fn new(life: &'a Run, options: PowerCuts) -> Self {
        Self { life, window: life.commit_window(), options }
    }

    /// How many cuts there are.
    fn cuts(&self) -> u64 {
        self.life.recording.len() as u64 * self.options.phases()
    }

    /// The cut with that number.
    fn cut(&self, number: u64) -> Cut {
        let (op, phase) = (number / self.options.phases(), number % self.options.phases());
        match (phase, self.options.torn) {
            (0, _) => Cut::before(op),
            (1, true) => Cut::middle(op, seed_of(self.options.seed, op)),
            _ => Cut::after(op),
        }
    }

    fn try_cut(&self, worker: &Worker<'_>, cut: Cut) -> Result<Tried, SweepError> {
        let ended = worker.end(left_by(&self.life.recording, cut)?, &Hazards::default())?;
        let cost = self.cost(cut, &ended);
        let in_window = self.window.as_ref().is_some_and(|window| window::is_inside(window, cut));
        Ok(Tried { in_window, ended, cost })
    }

    /// What was done before and after the cut, minus the uninterrupted life.
    fn cost(&self, cut: Cut, ended: &CaseOutcome) -> Cost {
        if !ended.is_good() {
            return Cost::default();
        }
        let life = self.life;
        let at = usize::try_from(cut.op).unwrap_or(usize::MAX);
        let received = life.received_before.get(at).copied().unwrap_or_default();
        let done = cut.op + u64::from(cut.phase != Phase::Before);
        let (of_migrator, all) = (life.ops.len() as u64, life.recording.len() as u64);
        let again = ended.ops_at_reset.unwrap_or(0);
        let (before, behind) = (done.min(of_migrator), done.saturating_sub(of_migrator));
        let bootloader_again = behind + (ended.ops - again);
        Cost {
            downloaded_bytes: (received + ended.received_bytes)
                .saturating_sub(life.downloaded_bytes),
            ops: (before + again).saturating_sub(of_migrator),
            bootloader_ops: bootloader_again.saturating_sub(all - of_migrator),
        }
    }
}

/// Flash as a cut leaves it.
pub fn left_by(recording: &Recording, cut: Cut) -> Result<NorMemory, SweepError> {
    let ops = recording.len();
    recording.cut(cut).ok_or(SweepError::Unsteady { op: cut.op, ops })
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    cases: u64,
    recovered: u64,
    in_window: u64,
    lost_in_window: u64,
    failed: u64,
}

/// Counters over all cases.
#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    downloaded_again: Worst,
    ops_again: Worst,
    bootloader_ops_again: Worst,
    failures: Vec<FailureReport>,
}

impl Tally {
    const fn counts(&self) -> &Counts {
        &self.counts
    }

    fn add(&mut self, tried: &Tried, case: impl FnOnce() -> Case) {
        let Tried { in_window, ended, cost } = tried;
        self.counts.cases += 1;
        self.counts.in_window += u64::from(*in_window);
        let case = case();
        match (ended.is_good(), in_window) {
            (true, _) => self.counts.recovered += 1,
            (false, true) => self.counts.lost_in_window += 1,
            (false, false) => {
                self.counts.failed += 1;
                self.failures.push(FailureReport::new(&case, ended.to_string()));
            }
        }
        self.downloaded_again.note(cost.downloaded_bytes, &case);
        self.ops_again.note(cost.ops, &case);
        self.bootloader_ops_again.note(cost.bootloader_ops, &case);
    }

    fn report(
        self,
        options: PowerCuts,
        operations: u64,
        second_cuts: Option<SecondCutsReport>,
        seconds: f64,
    ) -> PowerCutsReport {
        let Counts { cases, recovered, in_window, lost_in_window, failed } = self.counts;
        PowerCutsReport {
            cases,
            recovered,
            in_commit_window: in_window,
            failed,
            seconds,
            lost_in_commit_window: lost_in_window,
            operations,
            torn: options.torn,
            seed: options.seed,
            second_cuts,
            downloaded_again_bytes: self.downloaded_again,
            operations_again: self.ops_again,
            bootloader_operations_again: self.bootloader_ops_again,
            failures: self.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_find_their_first_cuts() {
        let cuts = [Cut::before(0), Cut::before(1), Cut::before(2), Cut::before(3)];
        let recoveries = [(cuts[0], 3), (cuts[1], 0), (cuts[2], 2), (cuts[3], 4)];
        let groups = group(&recoveries, &[0, 2, 4, 5, 8]);
        assert_eq!(groups, [(cuts[0], vec![0, 2]), (cuts[2], vec![1]), (cuts[3], vec![0, 3])]);
    }
}
