//! Many cases on a few threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Shows progress: called with a description and the number of pieces of work, it returns a
/// function that is called once for each finished piece, and dropped at the end.
pub type SweepProgress = fn(what: &'static str, count: usize) -> Box<dyn Fn() + Send + Sync>;

/// The number of threads, and how progress is shown.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    jobs: usize,
    progress: SweepProgress,
}

impl Pool {
    /// That number of threads, or as many as there are processors; progress is not shown.
    #[must_use]
    pub fn new(jobs: Option<NonZeroUsize>) -> Self {
        let available = || thread::available_parallelism().ok();
        let jobs = jobs.or_else(available).map_or(1, NonZeroUsize::get);
        Self { jobs, progress: |_, _| Box::new(|| ()) }
    }

    /// The same threads, with progress shown.
    #[must_use]
    pub const fn with_progress(self, progress: SweepProgress) -> Self {
        Self { progress, ..self }
    }

    /// Does work 0, 1, ... `count` - 1 in any order and returns the results in that order.
    ///
    /// Each thread sets up its own context once.
    ///
    /// # Errors
    ///
    /// The first error; work that was not begun by then is not done.
    pub fn run<S, T: Send, E: Send>(
        &self,
        what: &'static str,
        count: usize,
        set_up: impl Fn() -> Result<S, E> + Sync,
        work: impl Fn(&S, usize) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        let one_done = (self.progress)(what, count);
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let one = || -> Result<Vec<(usize, T)>, E> {
            let (place, mut done) = (set_up()?, Vec::new());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return Ok(done);
                }
                done.push((index, work(&place, index)?));
                one_done();
            }
        };
        let guarded = || {
            one().unwrap_or_else(|error| {
                next.store(count, Ordering::Relaxed);
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Vec::new()
            })
        };
        let jobs = self.jobs.min(count).max(1);
        let mut results: Vec<(usize, T)> = thread::scope(|scope| {
            let others: Vec<_> = (1..jobs).map(|_| scope.spawn(guarded)).collect();
            let mut results = guarded();
            for other in others {
                match other.join() {
                    Ok(more) => results.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            results
        });
        drop(one_done);
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        results.sort_unstable_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(jobs: usize) -> Pool {
        Pool::new(NonZeroUsize::new(jobs))
    }

    #[test]
    fn results_come_in_the_order_of_the_work() {
        for jobs in [1, 2, 7] {
            let squares = pool(jobs).run("", 1000, || Ok::<_, ()>(2), |two, n| Ok(n.pow(*two)));
            assert_eq!(squares.unwrap(), (0..1000).map(|n| n * n).collect::<Vec<usize>>());
        }
        assert_eq!(pool(4).run("", 0, || Ok::<_, ()>(()), |(), n| Ok(n)), Ok(Vec::new()));
    }

    #[test]
    fn an_error_ends_the_work() {
        let tried = AtomicUsize::new(0);
        let result = pool(2).run(
            "",
            1_000_000,
            || Ok(()),
            |(), n| {
                tried.fetch_add(1, Ordering::Relaxed);
                if n == 10 { Err("ten") } else { Ok(n) }
            },
        );
        assert_eq!(result, Err("ten"));
        assert!(tried.into_inner() < 1_000_000);
        assert_eq!(pool(1).run("", 3, || Err::<(), _>("no place"), |(), n| Ok(n)), Err("no place"));
    }
}
