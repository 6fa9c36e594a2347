//! Regions in which operations are not expected.

use core::fmt;

use flash_region::{FlashAddr, Region};

use crate::model::decorator;
use crate::{EraseUnit, NorDevice, NorError, Op, Power, PowerState};

/// What an operation on a guarded region leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// The operation is done, and recorded.
    Report,
    /// The operation is not done, but recorded; the caller gets [`NorError::Refused`].
    Refuse,
    /// The operation is done, and recorded, and then the processor crashes, as if the code that it
    /// runs was erased; this call and all later ones return [`NorError::Crashed`].
    Crash,
}

/// A region and what an operation on it leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guard {
    /// The region.
    pub region: Region,
    /// What an operation that touches it leads to.
    pub reaction: Reaction,
}

/// An operation that touched a guarded region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trip {
    /// The operation.
    pub op: Op,
    /// The guard of that region.
    pub guard: Guard,
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} touches {}", self.op, self.guard.region)
    }
}

/// A chip with guarded regions.
#[derive(Debug)]
pub struct Guarded<D> {
    inner: D,
    power: Power,
    guards: Vec<Guard>,
    trips: Vec<Trip>,
}

decorator!(Guarded);

impl<D> Guarded<D> {
    /// Without guards. A crash becomes the state of `power`.
    pub fn new(inner: D, power: Power) -> Self {
        Self { inner, power, guards: Vec::new(), trips: Vec::new() }
    }

    /// Adds a guard, and returns the chip. If an operation touches several guarded regions, the
    /// guard that was added first counts.
    #[must_use]
    pub fn with(mut self, region: Region, reaction: Reaction) -> Self {
        self.guards.push(Guard { region, reaction });
        self
    }

    /// The operations that touched a guarded region.
    pub fn trips(&self) -> &[Trip] {
        &self.trips
    }
}

impl<D: NorDevice> Guarded<D> {
    fn alive(&self) -> Result<(), NorError> {
        match self.power.state() {
            PowerState::Crashed => Err(NorError::Crashed),
            PowerState::On | PowerState::Lost => Ok(()),
        }
    }

    fn run(
        &mut self,
        op: Op,
        work: impl FnOnce(&mut D) -> Result<(), NorError>,
    ) -> Result<(), NorError> {
        self.alive()?;
        op.check(self.inner.capacity_bytes())?;
        let Some(&guard) = self.guards.iter().find(|guard| guard.region.overlaps(op.region()))
        else {
            return work(&mut self.inner);
        };
        self.trips.push(Trip { op, guard });
        match guard.reaction {
            Reaction::Report => work(&mut self.inner),
            Reaction::Refuse => Err(NorError::Refused { op, region: guard.region }),
            Reaction::Crash => {
                // Without power there is no crash.
                if work(&mut self.inner) == Err(NorError::PowerLost) {
                    return Err(NorError::PowerLost);
                }
                self.power.crash();
                Err(NorError::Crashed)
            }
        }
    }
}

impl<D: NorDevice> NorDevice for Guarded<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.alive()?;
        self.inner.read(addr, out)
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        self.run(Op::program(addr, bytes), |inner| inner.program_page(addr, bytes))
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.run(Op::erase(unit, addr), |inner| inner.erase(unit, addr))
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        self.run(Op::program(addr, bytes), |inner| inner.tear_program(addr, bytes, seed))
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        self.run(Op::erase(unit, addr), |inner| inner.tear_erase(unit, addr, seed))
    }
}
