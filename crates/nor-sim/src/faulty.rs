//! A chip with faults.

use flash_region::{FlashAddr, Region};

use crate::model::decorator;
use crate::{EraseUnit, NorDevice, NorError, Op};

/// Which operations a fault hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// The operation with this number, from 0, counted by the [`Faulty`].
    Op(u64),
    /// That many operations that touch the region, from the first on; `u32::MAX` for all, as in a
    /// worn-out region.
    Touching(Region, u32),
}

/// What a faulty operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpFault {
    /// Nothing is done, and the chip reports a failure.
    Fails,
    /// A part is done, and the chip reports a failure.
    FailsTorn {
        /// Picks the bits that change.
        seed: u64,
    },
    /// A part is done, and the chip reports success.
    SilentlyTorn {
        /// Picks the bits that change.
        seed: u64,
    },
    /// Nothing is done, and the chip reports success, as where its block protection bits are set.
    Ignored,
}

/// What a faulty read does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFault {
    /// The read fails.
    Fails,
    /// The read succeeds, with these bits flipped in its first byte.
    Flipped(u8),
}

/// Cells that do not change any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StuckBits {
    /// Where.
    pub addr: FlashAddr,
    /// Bits that always read as 0.
    pub at_0: u8,
    /// Bits that always read as 1.
    pub at_1: u8,
}

/// A chip with faults. Without any, it forwards everything.
#[derive(Clone, Debug)]
pub struct Faulty<D> {
    inner: D,
    faults: Vec<(When, OpFault)>,
    read_faults: Vec<(Region, u32, ReadFault)>,
    stuck: Vec<StuckBits>,
    ops: u64,
}

decorator!(Faulty);

impl<D> Faulty<D> {
    /// No faults yet.
    pub fn new(inner: D) -> Self {
        Self { inner, faults: Vec::new(), read_faults: Vec::new(), stuck: Vec::new(), ops: 0 }
    }

    /// Adds a fault of an operation, and returns the chip. If several hit an operation, the first
    /// one added counts.
    #[must_use]
    pub fn with(mut self, when: When, fault: OpFault) -> Self {
        self.add(when, fault);
        self
    }

    /// Adds a fault of the first `times` reads that touch `region`, and returns the chip.
    #[must_use]
    pub fn with_read_fault(mut self, region: Region, times: u32, fault: ReadFault) -> Self {
        self.read_faults.push((region, times, fault));
        self
    }

    /// Adds cells that are stuck, and returns the chip.
    #[must_use]
    pub fn with_stuck_bits(mut self, bits: StuckBits) -> Self {
        self.stuck.push(bits);
        self
    }

    /// Adds a fault of an operation.
    pub fn add(&mut self, when: When, fault: OpFault) {
        self.faults.push((when, fault));
    }

    /// Operations so far: the number of the next one.
    pub fn ops(&self) -> u64 {
        self.ops
    }

    fn next_fault(&mut self, op: Op) -> Option<OpFault> {
        let number = self.ops;
        self.ops += 1;
        for (when, fault) in &mut self.faults {
            match when {
                When::Op(hit) if *hit == number => return Some(*fault),
                When::Touching(region, times) if *times > 0 && region.overlaps(op.region()) => {
                    if *times < u32::MAX {
                        *times -= 1;
                    }
                    return Some(*fault);
                }
                When::Op(_) | When::Touching(..) => {}
            }
        }
        None
    }
}

impl<D: NorDevice> Faulty<D> {
    fn run(
        &mut self,
        op: Op,
        whole: impl FnOnce(&mut D) -> Result<(), NorError>,
        torn: impl FnOnce(&mut D, u64) -> Result<(), NorError>,
    ) -> Result<(), NorError> {
        op.check(self.inner.capacity_bytes())?;
        match self.next_fault(op) {
            None => whole(&mut self.inner),
            Some(OpFault::Fails) => Err(NorError::Failed { op }),
            Some(OpFault::FailsTorn { seed }) => {
                torn(&mut self.inner, seed)?;
                Err(NorError::Failed { op })
            }
            Some(OpFault::SilentlyTorn { seed }) => torn(&mut self.inner, seed),
            Some(OpFault::Ignored) => Ok(()),
        }
    }
}

impl<D: NorDevice> NorDevice for Faulty<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)?;
        let len_bytes = u32::try_from(out.len()).unwrap_or(u32::MAX);
        let read = Region::clamped(addr, len_bytes);
        for bits in &self.stuck {
            if read.contains(bits.addr)
                && let Some(byte) = out.get_mut(bits.addr.bytes_since(addr) as usize)
            {
                *byte = (*byte & !bits.at_0) | bits.at_1;
            }
        }
        for (region, times, fault) in &mut self.read_faults {
            if *times == 0 || !region.overlaps(read) {
                continue;
            }
            *times -= u32::from(*times < u32::MAX);
            match fault {
                ReadFault::Fails => return Err(NorError::ReadFailed { addr, len_bytes }),
                ReadFault::Flipped(bits) => out.iter_mut().take(1).for_each(|byte| *byte ^= *bits),
            }
        }
        Ok(())
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        self.run(
            Op::program(addr, bytes),
            |inner| inner.program_page(addr, bytes),
            |inner, seed| inner.tear_program(addr, bytes, seed),
        )
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.run(
            Op::erase(unit, addr),
            |inner| inner.erase(unit, addr),
            |inner, seed| inner.tear_erase(unit, addr, seed),
        )
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        self.run(
            Op::program(addr, bytes),
            |inner| inner.tear_program(addr, bytes, seed),
            |inner, _| inner.tear_program(addr, bytes, seed),
        )
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        self.run(
            Op::erase(unit, addr),
            |inner| inner.tear_erase(unit, addr, seed),
            |inner, _| inner.tear_erase(unit, addr, seed),
        )
    }
}
