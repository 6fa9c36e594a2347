//! Records operations with their bytes, so that the flash before any of them can be computed.
//!
//! A sweep over all power cuts runs everything once, recorded, and then starts every case from
//! [`Recording::cut`] instead of repeating the operations before the cut.

use flash_region::FlashAddr;

use crate::model::decorator;
use crate::{Cut, EraseUnit, NorDevice, NorError, NorMemory, NorModel, Op, Phase};

/// Operations from one snapshot to the next; those in between are replayed.
const SNAPSHOT_EVERY: usize = 64;

/// A recorded operation.
#[derive(Clone, Debug)]
enum Work {
    Program { addr: FlashAddr, bytes: Box<[u8]> },
    Erase { unit: EraseUnit, addr: FlashAddr },
}

impl Work {
    fn op(&self) -> Op {
        match self {
            Self::Program { addr, bytes } => Op::program(*addr, bytes),
            Self::Erase { unit, addr } => Op::erase(*unit, *addr),
        }
    }

    fn apply(&self, memory: &mut NorMemory) -> Result<(), NorError> {
        match self {
            Self::Program { addr, bytes } => memory.program_page(*addr, bytes),
            Self::Erase { unit, addr } => memory.erase(*unit, *addr),
        }
    }

    fn tear(&self, memory: &mut NorMemory, seed: u64) -> Result<(), NorError> {
        match self {
            Self::Program { addr, bytes } => memory.tear_program(*addr, bytes, seed),
            Self::Erase { unit, addr } => memory.tear_erase(*unit, *addr, seed),
        }
    }
}

/// What a [`Recorded`] has recorded.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    work: Vec<Work>,
    /// Flash before operations 0, 64, 128, ...
    snapshots: Vec<NorMemory>,
}

impl Recording {
    /// Operations in it; they are numbered from 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.work.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.work.is_empty()
    }

    /// The operations in their order.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = Op> + '_ {
        self.work.iter().map(Work::op)
    }

    /// Flash as it was before operation `number`, or after the last one if that is the number of
    /// operations; `None` beyond.
    #[must_use]
    pub fn before(&self, number: usize) -> Option<NorMemory> {
        if number > self.work.len() {
            return None;
        }
        // After the last operation there may be no snapshot yet.
        let from = (number / SNAPSHOT_EVERY).min(self.snapshots.len().checked_sub(1)?);
        let mut memory = self.snapshots.get(from)?.clone();
        for work in self.work.get(from * SNAPSHOT_EVERY..number)? {
            work.apply(&mut memory).ok()?;
        }
        Some(memory)
    }

    /// Flash as a loss of power at `cut` would have left it; `None` where there is no such
    /// operation.
    #[must_use]
    pub fn cut(&self, cut: Cut) -> Option<NorMemory> {
        let number = usize::try_from(cut.op).ok()?;
        let work = self.work.get(number)?;
        let mut memory = self.before(number)?;
        match cut.phase {
            Phase::Before => {}
            Phase::Middle { seed } => work.tear(&mut memory, seed).ok()?,
            Phase::After => work.apply(&mut memory).ok()?,
        }
        Some(memory)
    }
}

/// Records every operation that passes through and succeeds.
///
/// It must be directly around the memory: decorators underneath that fail or tear operations would
/// make the recording differ from what happened.
#[derive(Debug)]
pub struct Recorded<D> {
    inner: D,
    recording: Recording,
}

decorator!(Recorded);

impl<D: NorModel> Recorded<D> {
    /// An empty recording that begins with flash as it is.
    pub fn new(inner: D) -> Self {
        let recording = Recording { work: Vec::new(), snapshots: vec![inner.memory().clone()] };
        Self { inner, recording }
    }

    /// What is recorded so far.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// What was recorded; a new recording begins with flash as it is.
    pub fn take(&mut self) -> Recording {
        let snapshots = vec![self.inner.memory().clone()];
        core::mem::replace(&mut self.recording, Recording { work: Vec::new(), snapshots })
    }

    fn record(&mut self, work: Work) {
        self.recording.work.push(work);
        if self.recording.work.len().is_multiple_of(SNAPSHOT_EVERY) {
            self.recording.snapshots.push(self.inner.memory().clone());
        }
    }
}

impl<D: NorModel> NorDevice for Recorded<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        self.inner.program_page(addr, bytes)?;
        self.record(Work::Program { addr, bytes: bytes.into() });
        Ok(())
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.inner.erase(unit, addr)?;
        self.record(Work::Erase { unit, addr });
        Ok(())
    }
}
