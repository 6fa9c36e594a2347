//! A log of the operations.

use core::fmt;
use core::ops::Range;

use flash_region::{FlashAddr, Region, is_blank};

use crate::model::decorator;
use crate::{Counts, EraseUnit, NorDevice, NorError, Op};

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpOutcome {
    /// It was done.
    Done,
    /// It was interrupted by a loss of power.
    Torn,
    /// It failed, or was refused.
    Error(NorError),
}

/// One operation of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceEntry {
    /// The operation.
    pub op: Op,
    /// Whether it programmed only 0xff, which changes nothing but takes time.
    pub is_blank: bool,
    /// How it ended.
    pub outcome: OpOutcome,
}

impl fmt::Display for TraceEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)?;
        if self.is_blank {
            f.write_str(" (blank)")?;
        }
        match self.outcome {
            OpOutcome::Done => Ok(()),
            OpOutcome::Torn => f.write_str(": torn"),
            OpOutcome::Error(error) => write!(f, ": {error}"),
        }
    }
}

/// Logs every operation that passes through. Its place in the log is its number, from 0.
#[derive(Clone, Debug)]
pub struct Traced<D> {
    inner: D,
    entries: Vec<TraceEntry>,
}

decorator!(Traced);

impl<D> Traced<D> {
    /// An empty log.
    pub fn new(inner: D) -> Self {
        Self { inner, entries: Vec::new() }
    }

    /// The log.
    pub fn entries(&self) -> &[TraceEntry] {
        &self.entries
    }

    /// The log, which is empty afterwards.
    pub fn take(&mut self) -> Vec<TraceEntry> {
        core::mem::take(&mut self.entries)
    }

    /// The numbers of all operations from the first to the last one that touches `region`, with
    /// those in between; `None` if none touches it.
    pub fn window(&self, region: Region) -> Option<Range<usize>> {
        let touches = |entry: &TraceEntry| entry.op.region().overlaps(region);
        let first = self.entries.iter().position(touches)?;
        let last = self.entries.iter().rposition(touches)?;
        Some(first..last + 1)
    }

    /// Counts of the operations with numbers in `range`.
    pub fn counts(&self, range: Range<usize>) -> Counts {
        self.entries.get(range).unwrap_or_default().iter().map(|entry| entry.op).collect()
    }

    fn log(&mut self, op: Op, is_blank: bool, outcome: OpOutcome) {
        self.entries.push(TraceEntry { op, is_blank, outcome });
    }
}

fn outcome(result: Result<(), NorError>, otherwise: OpOutcome) -> OpOutcome {
    result.map_or_else(OpOutcome::Error, |()| otherwise)
}

impl<D: NorDevice> NorDevice for Traced<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        let result = self.inner.program_page(addr, bytes);
        self.log(Op::program(addr, bytes), is_blank(bytes), outcome(result, OpOutcome::Done));
        result
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        let result = self.inner.erase(unit, addr);
        self.log(Op::erase(unit, addr), false, outcome(result, OpOutcome::Done));
        result
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        let result = self.inner.tear_program(addr, bytes, seed);
        self.log(Op::program(addr, bytes), is_blank(bytes), outcome(result, OpOutcome::Torn));
        result
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        let result = self.inner.tear_erase(unit, addr, seed);
        self.log(Op::erase(unit, addr), false, outcome(result, OpOutcome::Torn));
        result
    }
}
