//! The power supply of the device, and a decorator that cuts it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use flash_region::FlashAddr;

use crate::model::decorator;
use crate::{EraseUnit, NorDevice, NorError, Op};

/// Whether code can run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerState {
    /// Code runs.
    On,
    /// There is no supply; nothing runs until it is restored.
    Lost,
    /// There is power, but the processor has crashed because of an operation on guarded flash, and
    /// waits for a reset.
    Crashed,
}

/// The power supply, shared by everything that can cut it or depends on it.
///
/// Clones are handles to the same supply.
#[derive(Clone, Debug, Default)]
pub struct Power {
    state: Arc<AtomicU8>,
}

impl Power {
    /// A supply that is on.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> PowerState {
        match self.state.load(Ordering::Relaxed) {
            0 => PowerState::On,
            1 => PowerState::Lost,
            _ => PowerState::Crashed,
        }
    }

    /// Whether code can run.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state() == PowerState::On
    }

    /// Cuts the supply.
    pub fn lose(&self) {
        self.state.store(1, Ordering::Relaxed);
    }

    /// Stops the processor, as garbage in its instruction cache does.
    pub fn crash(&self) {
        self.state.store(2, Ordering::Relaxed);
    }

    /// Brings the supply back, or resets a crashed processor.
    pub fn restore(&self) {
        self.state.store(0, Ordering::Relaxed);
    }
}

/// When power is lost, relative to one operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Nothing of the operation happens.
    Before,
    /// The operation is torn; see [`NorDevice::tear_program`] and [`NorDevice::tear_erase`].
    Middle {
        /// Picks the bits that change.
        seed: u64,
    },
    /// The operation is complete, but its result is lost.
    After,
}

/// One loss of power.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cut {
    /// Number of the operation, from 0, counted over the whole life of the [`PowerCut`].
    pub op: u64,
    /// When, relative to the operation.
    pub phase: Phase,
}

impl Cut {
    /// Before operation `op`.
    #[must_use]
    pub const fn before(op: u64) -> Self {
        Self { op, phase: Phase::Before }
    }

    /// In the middle of operation `op`.
    #[must_use]
    pub const fn middle(op: u64, seed: u64) -> Self {
        Self { op, phase: Phase::Middle { seed } }
    }

    /// After operation `op`.
    #[must_use]
    pub const fn after(op: u64) -> Self {
        Self { op, phase: Phase::After }
    }
}

/// Cuts the supply at given operations. From then on every call, also a read, returns
/// [`NorError::PowerLost`] until the supply is [restored](Power::restore).
///
/// Operations are counted from 0 over all boots. The operation at which power is lost is counted
/// too, so the first one after the reboot has the next number.
#[derive(Debug)]
pub struct PowerCut<D> {
    inner: D,
    power: Power,
    cuts: VecDeque<Cut>,
    ops: u64,
}

decorator!(PowerCut);

impl<D> PowerCut<D> {
    /// A supply that stays on until a cut is added.
    pub fn new(inner: D) -> Self {
        Self::sharing(inner, Power::new())
    }

    /// As [`new`](Self::new), with a supply that others share.
    pub fn sharing(inner: D, power: Power) -> Self {
        Self { inner, power, cuts: VecDeque::new(), ops: 0 }
    }

    /// Adds a cut, and returns the chip.
    #[must_use]
    pub fn with(mut self, cut: Cut) -> Self {
        self.add(cut);
        self
    }

    /// Adds a cut. A cut at an operation that was already made never happens.
    pub fn add(&mut self, cut: Cut) {
        let behind = self.cuts.partition_point(|known| known.op <= cut.op);
        self.cuts.insert(behind, cut);
    }

    /// Forgets all cuts to come.
    pub fn clear(&mut self) {
        self.cuts.clear();
    }

    /// Operations so far: the number of the next one.
    pub fn ops(&self) -> u64 {
        self.ops
    }

    /// A handle to the supply.
    pub fn power(&self) -> Power {
        self.power.clone()
    }
}

impl<D: NorDevice> PowerCut<D> {
    fn supplied(&self) -> Result<(), NorError> {
        match self.power.state() {
            PowerState::Lost => Err(NorError::PowerLost),
            PowerState::On | PowerState::Crashed => Ok(()),
        }
    }

    /// Numbers `op`, and returns when power is lost in it, if it is.
    fn begin(&mut self, op: Op) -> Result<Option<Phase>, NorError> {
        self.supplied()?;
        op.check(self.inner.capacity_bytes())?;
        let number = self.ops;
        self.ops += 1;
        let mut phase = None;
        while let Some(cut) = self.cuts.front().filter(|cut| cut.op <= number) {
            if cut.op == number && phase.is_none() {
                phase = Some(cut.phase);
            }
            self.cuts.pop_front();
        }
        Ok(phase)
    }

    fn run(
        &mut self,
        op: Op,
        whole: impl FnOnce(&mut D) -> Result<(), NorError>,
        torn: impl FnOnce(&mut D, u64) -> Result<(), NorError>,
    ) -> Result<(), NorError> {
        match self.begin(op)? {
            None => return whole(&mut self.inner),
            Some(Phase::Before) => {}
            // Nobody would see whether the chip reports an error.
            Some(Phase::Middle { seed }) => drop(torn(&mut self.inner, seed)),
            Some(Phase::After) => drop(whole(&mut self.inner)),
        }
        self.power.lose();
        Err(NorError::PowerLost)
    }
}

impl<D: NorDevice> NorDevice for PowerCut<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.supplied()?;
        self.inner.read(addr, out)
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
        self.begin(Op::program(addr, bytes))?;
        self.inner.tear_program(addr, bytes, seed)
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        self.begin(Op::erase(unit, addr))?;
        self.inner.tear_erase(unit, addr, seed)
    }
}
