//! A migrator whose flash fails at one point.
//!
//! Only operations and reads of the migrator are counted: it cannot repair what the mask ROM and
//! the bootloaders do when flash fails under them. A stuck bit is in the chip, so it affects
//! everybody.

use std::sync::{Arc, Mutex, PoisonError};

use device_sim::{AppExit, Machine, RunningApp, Software};
use flash_region::FlashAddr;
use nor_sim::{EraseUnit, NorDevice, NorError, Op, OpFault, ReadFault};

use super::flash_fault::FlashFault;
use crate::migrator::{MigratorFactory, MigratorOutcome, MigratorSoftware};

/// How many successive reads fail: more than the retries of a caller of the driver.
const FAILING_READS: u64 = 5;

/// What a migrator did to its flash, in order.
#[derive(Clone, Debug, Default)]
pub struct Accesses {
    /// Its operations.
    pub ops: Vec<Op>,
    /// For every read, the number of operations before it.
    pub reads: Vec<u64>,
}

/// A migrator over a flash with a fault.
pub struct FaultyMigrator<'a> {
    migrator: Box<dyn MigratorSoftware + 'a>,
    fault: Option<FlashFault>,
    seen: Accesses,
    told: Option<Arc<Mutex<Accesses>>>,
}

impl FaultyMigrator<'_> {
    /// `firmware` on a flash with this fault.
    pub fn firmware<'f>(
        firmware: &'f MigratorFactory<'f>,
        fault: FlashFault,
    ) -> Box<MigratorFactory<'f>> {
        Box::new(move |migrator| {
            let (migrator, seen) = (firmware(migrator), Accesses::default());
            Box::new(FaultyMigrator { migrator, fault: Some(fault), seen, told: None })
        })
    }

    /// `firmware` on a flash without faults; `told` receives its accesses.
    pub fn watched<'f>(
        firmware: &'f MigratorFactory<'f>,
        told: Arc<Mutex<Accesses>>,
    ) -> Box<MigratorFactory<'f>> {
        Box::new(move |migrator| {
            let (migrator, seen) = (firmware(migrator), Accesses::default());
            Box::new(FaultyMigrator { migrator, fault: None, seen, told: Some(Arc::clone(&told)) })
        })
    }
}

impl Software for FaultyMigrator<'_> {
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> AppExit {
        let Machine { flash, power, board } = machine;
        let mut flash = FaultyFlash { inner: flash, fault: self.fault, seen: &mut self.seen };
        let exit = self.migrator.run(app, Machine { flash: &mut flash, power, board });
        if let Some(told) = &self.told {
            told.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.seen);
        }
        exit
    }
}

impl MigratorSoftware for FaultyMigrator<'_> {
    fn outcome(&mut self) -> &mut MigratorOutcome {
        self.migrator.outcome()
    }
}

struct FaultyFlash<'a> {
    inner: &'a mut dyn NorDevice,
    fault: Option<FlashFault>,
    seen: &'a mut Accesses,
}

impl FaultyFlash<'_> {
    /// Counts an operation; returns its fault, if it has one.
    fn begin(&mut self, op: Op) -> Option<OpFault> {
        let number = self.seen.ops.len() as u64;
        self.seen.ops.push(op);
        match self.fault {
            Some(FlashFault::Op { op, fault }) if op == number => Some(fault),
            _ => None,
        }
    }

    fn run(
        &mut self,
        op: Op,
        whole: impl FnOnce(&mut dyn NorDevice) -> Result<(), NorError>,
        torn: impl FnOnce(&mut dyn NorDevice, u64) -> Result<(), NorError>,
    ) -> Result<(), NorError> {
        match self.begin(op) {
            None => whole(self.inner),
            Some(OpFault::Fails) => Err(NorError::Failed { op }),
            Some(OpFault::FailsTorn { seed }) => {
                torn(self.inner, seed)?;
                Err(NorError::Failed { op })
            }
            Some(OpFault::SilentlyTorn { seed }) => torn(self.inner, seed),
            Some(OpFault::Ignored) => Ok(()),
        }
    }
}

impl NorDevice for FaultyFlash<'_> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        let number = self.seen.reads.len() as u64;
        self.seen.reads.push(self.seen.ops.len() as u64);
        self.inner.read(addr, out)?;
        match self.fault {
            Some(FlashFault::Read { read, fault: ReadFault::Fails })
                if (read..read.saturating_add(FAILING_READS)).contains(&number) =>
            {
                let len_bytes = u32::try_from(out.len()).unwrap_or(u32::MAX);
                Err(NorError::ReadFailed { addr, len_bytes })
            }
            Some(FlashFault::Read { read, fault: ReadFault::Flipped(bits) }) if read == number => {
                out.iter_mut().take(1).for_each(|byte| *byte ^= bits);
                Ok(())
            }
            _ => Ok(()),
        }
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
}
