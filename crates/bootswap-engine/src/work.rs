//! What the steps of a run have in common: flash, journal, memory and platform.

use bootswap_plan::Step;

use crate::item::Placed;
use crate::journal::Journal;
use crate::medium::{Medium, SECTOR};
use crate::{Event, Failure, ImageFault, Platform};

/// Memory of the engine, besides its stack: static on a chip.
#[derive(Debug)]
pub struct Buffers {
    pub(crate) sector: [u8; SECTOR],
}

impl Buffers {
    /// Buffers for one engine.
    #[must_use]
    pub const fn new() -> Self {
        Self { sector: [0; SECTOR] }
    }

    /// Lends the memory for something else while no engine runs.
    pub const fn sector(&mut self) -> &mut [u8; SECTOR] {
        &mut self.sector
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

/// What the steps need, lent for one run.
pub(crate) struct Work<'w, 'f, F, P> {
    pub medium: &'w mut Medium<'f, F>,
    pub platform: &'w mut P,
    pub journal: &'w mut Journal,
    /// Memory to stage in.
    pub memory: &'w mut [u8],
    /// Buffer for one sector.
    pub sector: &'w mut [u8; SECTOR],
}

/// What is known about an artifact besides what the migration says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    /// Bytes of the file.
    pub len_bytes: u32,
    /// The start of its SHA-256 when it was fetched.
    pub digest: Option<[u8; 4]>,
}

impl<F, P: Platform> Work<'_, '_, F, P> {
    /// Reports on the console that a step begins.
    pub(crate) fn announce(&mut self, index: usize, steps: &[Step], artifact: Option<&str>) {
        if let Some(step) = steps.get(index) {
            let (number, of) = (index + 1, steps.len());
            self.platform.event(&Event::Step { number, of, step, artifact });
        }
    }
}

impl<F, P> Work<'_, '_, F, P> {
    /// What is known about an artifact: its length from the migration, or from when it was fetched.
    pub(crate) fn known(&self, placed: &Placed<'_>) -> Option<Known> {
        let fetched = self.journal.fetched(placed.number());
        let len_bytes = placed.artifact.len_bytes.or(fetched.map(|fetched| fetched.len_bytes))?;
        Some(Known { len_bytes, digest: fetched.map(|fetched| fetched.digest) })
    }

    /// The same for an artifact that an earlier step has fetched.
    pub(crate) fn fetched<E>(&self, placed: &Placed<'_>) -> Result<Known, Failure<E>> {
        self.known(placed).ok_or_else(|| placed.failure(ImageFault::NotFetched))
    }
}
