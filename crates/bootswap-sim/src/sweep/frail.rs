//! A migrator whose flash goes wrong at one point.
//!
//! Operations and reads are counted while the migrator runs, and nothing else: what the mask ROM and the
//! bootloaders make of a flash that fails under them is not the migrator's to mend. A stuck bit lies in
//! the chip, so that everybody meets it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use device_sim::{AppExit, Machine, RunningApp, Software};
use flash_region::FlashAddr;
use nor_sim::{EraseUnit, Fault, NorDevice, NorError, Op, ReadFault};

use crate::migrator::{Firmware, Migrator, Verdict};

/// How many reads in a row fail: more than a driver's user tries before it says so.
const FAILING_READS: u64 = 5;

/// What goes wrong with the flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashFault {
    /// One of the migrator's operations.
    Op {
        /// Its number, from 0.
        op: u64,
        /// What becomes of it.
        fault: Fault,
    },
    /// One of the migrator's reads; a failing one fails five times in a row.
    Read {
        /// Its number, from 0.
        read: u64,
        /// What becomes of it.
        fault: ReadFault,
    },
    /// A bit that never changes.
    Stuck {
        /// Where.
        addr: FlashAddr,
        /// Which bit of the byte.
        bit: u8,
        /// What it reads as.
        value: bool,
    },
}

impl fmt::Display for FlashFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Op { op, fault } => {
                write!(f, "op:{op}:")?;
                match fault {
                    Fault::Fails => f.write_str("fails"),
                    Fault::FailsTorn { seed } => write!(f, "fails-torn:{seed}"),
                    Fault::SilentlyTorn { seed } => write!(f, "silently-torn:{seed}"),
                    Fault::Ignored => f.write_str("ignored"),
                }
            }
            Self::Read { read, fault: ReadFault::Fails } => write!(f, "read:{read}:fails"),
            Self::Read { read, fault: ReadFault::Flipped(bits) } => {
                write!(f, "read:{read}:flips:{}", bits.trailing_zeros())
            }
            Self::Stuck { addr, bit, value } => {
                write!(f, "stuck:{:#x}:{bit}:{}", addr.get(), u8::from(value))
            }
        }
    }
}

impl FromStr for FlashFault {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(':').collect();
        let number = |text: &str| text.parse::<u64>().ok();
        let bit = |text: &str| text.parse::<u8>().ok().filter(|bit| *bit < 8);
        let fault = match *parts.as_slice() {
            ["op", op, kind] => number(op).zip(match kind {
                "fails" => Some(Fault::Fails),
                "ignored" => Some(Fault::Ignored),
                _ => None,
            }),
            ["op", op, kind, seed] => number(op).zip(number(seed)).and_then(|(op, seed)| {
                Some((
                    op,
                    match kind {
                        "fails-torn" => Fault::FailsTorn { seed },
                        "silently-torn" => Fault::SilentlyTorn { seed },
                        _ => return None,
                    },
                ))
            }),
            ["read", read, "fails"] => {
                let read = number(read).map(|read| Self::Read { read, fault: ReadFault::Fails });
                return read.ok_or("the number of a read is a number");
            }
            ["read", read, "flips", which] => {
                let both = number(read).zip(bit(which));
                return both
                    .map(|(read, bit)| Self::Read { read, fault: ReadFault::Flipped(1 << bit) })
                    .ok_or("a flipped bit is written read:N:flips:BIT, with a bit from 0 to 7");
            }
            ["stuck", addr, which, value @ ("0" | "1")] => {
                let addr = addr.strip_prefix("0x").and_then(|a| u32::from_str_radix(a, 16).ok());
                return addr
                    .zip(bit(which))
                    .map(|(addr, bit)| Self::Stuck {
                        addr: FlashAddr(addr),
                        bit,
                        value: value == "1",
                    })
                    .ok_or(
                        "a stuck bit is written stuck:0xADDR:BIT:VALUE, with a bit from 0 to 7",
                    );
            }
            _ => None,
        };
        fault.map(|(op, fault)| Self::Op { op, fault }).ok_or(
            "what goes wrong is written op:OP:fails, op:OP:fails-torn:SEED, op:OP:silently-torn:SEED, \
             op:OP:ignored, read:N:fails, read:N:flips:BIT or stuck:0xADDR:BIT:VALUE",
        )
    }
}

/// What a migrator did to its flash, in its order.
#[derive(Clone, Debug, Default)]
pub struct Accesses {
    /// Its operations.
    pub ops: Vec<Op>,
    /// For every read, how many operations there were before it.
    pub reads: Vec<u64>,
}

/// A migrator over a flash with a fault.
pub struct Frail<'a> {
    migrator: Box<dyn Migrator + 'a>,
    fault: Option<FlashFault>,
    seen: Accesses,
    told: Option<Arc<Mutex<Accesses>>>,
}

impl Frail<'_> {
    /// `firmware` over a flash that does that to it.
    pub fn firmware<'f>(firmware: &'f Firmware<'f>, fault: FlashFault) -> Box<Firmware<'f>> {
        Box::new(move |migrator| {
            let (migrator, seen) = (firmware(migrator), Accesses::default());
            Box::new(Frail { migrator, fault: Some(fault), seen, told: None })
        })
    }

    /// `firmware` over a flash that works; `told` is what it did to it.
    pub fn watched<'f>(
        firmware: &'f Firmware<'f>,
        told: Arc<Mutex<Accesses>>,
    ) -> Box<Firmware<'f>> {
        Box::new(move |migrator| {
            let (migrator, seen) = (firmware(migrator), Accesses::default());
            Box::new(Frail { migrator, fault: None, seen, told: Some(Arc::clone(&told)) })
        })
    }
}

impl Software for Frail<'_> {
    fn run(&mut self, app: &RunningApp, machine: Machine<'_>) -> AppExit {
        let Machine { flash, power, board } = machine;
        let mut flash = FrailFlash { inner: flash, fault: self.fault, seen: &mut self.seen };
        let exit = self.migrator.run(app, Machine { flash: &mut flash, power, board });
        if let Some(told) = &self.told {
            told.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.seen);
        }
        exit
    }
}

impl Migrator for Frail<'_> {
    fn verdict(&mut self) -> &mut Verdict {
        self.migrator.verdict()
    }
}

struct FrailFlash<'a> {
    inner: &'a mut dyn NorDevice,
    fault: Option<FlashFault>,
    seen: &'a mut Accesses,
}

impl FrailFlash<'_> {
    /// Counts an operation; says what becomes of it, if it goes wrong.
    fn begin(&mut self, op: Op) -> Option<Fault> {
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
            Some(Fault::Fails) => Err(NorError::Failed { op }),
            Some(Fault::FailsTorn { seed }) => {
                torn(self.inner, seed)?;
                Err(NorError::Failed { op })
            }
            Some(Fault::SilentlyTorn { seed }) => torn(self.inner, seed),
            Some(Fault::Ignored) => Ok(()),
        }
    }
}

impl NorDevice for FrailFlash<'_> {
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
