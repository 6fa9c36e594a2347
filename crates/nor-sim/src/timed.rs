//! Adds up how long operations take on a chip.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flash_region::FlashAddr;

use crate::model::decorator;
use crate::{EraseUnit, NorDevice, NorError, Op};

/// The two figures that a datasheet gives: typical and maximum.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TypMax {
    /// Typical.
    pub typ: u64,
    /// Maximum.
    pub max: u64,
}

/// The times of a chip's operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DatasheetTiming {
    /// The chip.
    pub chip: &'static str,
    /// Erase of 4 KiB, in microseconds.
    pub erase_4k_us: TypMax,
    /// Erase of 32 KiB, in microseconds.
    pub erase_32k_us: TypMax,
    /// Erase of 64 KiB, in microseconds.
    pub erase_64k_us: TypMax,
    /// Page program, in microseconds, however many bytes of the page it programs.
    pub page_program_us: TypMax,
    /// Read of one byte, without the command and address before it, in nanoseconds.
    pub read_byte_ns: u64,
}

impl DatasheetTiming {
    /// Winbond W25Q32JV: datasheet, "AC Electrical Characteristics", tSE, tBE1, tBE2 and tPP. Reads
    /// are those of an ESP32 with default settings: 40 MHz on two lines, so 80 Mbit/s, 100 ns a
    /// byte.
    ///
    /// Copied from the datasheet and not shared with the planner's erase rule, which this model
    /// judges.
    pub const W25Q32JV: Self = Self {
        chip: "W25Q32JV",
        erase_4k_us: TypMax { typ: 45_000, max: 400_000 },
        erase_32k_us: TypMax { typ: 120_000, max: 1_600_000 },
        erase_64k_us: TypMax { typ: 150_000, max: 2_000_000 },
        page_program_us: TypMax { typ: 400, max: 3_000 },
        read_byte_ns: 100,
    };

    /// The time of one operation, in microseconds.
    #[must_use]
    pub const fn op_us(&self, op: Op) -> TypMax {
        match op {
            Op::Program { .. } => self.page_program_us,
            Op::Erase { unit: EraseUnit::Sector4K, .. } => self.erase_4k_us,
            Op::Erase { unit: EraseUnit::Block32K, .. } => self.erase_32k_us,
            Op::Erase { unit: EraseUnit::Block64K, .. } => self.erase_64k_us,
        }
    }
}

/// Time that has passed in the model.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Modelled {
    /// In erases and page programs, and what [`Clock::advance_us`] added, in microseconds.
    pub busy_us: TypMax,
    /// In reads, in microseconds. Apart from the others, because flash times are compared without
    /// reads.
    pub read_us: u64,
}

/// Modelled time. Clones are handles to the same clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    hands: Arc<Hands>,
}

#[derive(Debug, Default)]
struct Hands {
    typ_us: AtomicU64,
    max_us: AtomicU64,
    read_ns: AtomicU64,
}

impl Clock {
    /// A clock that shows 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time that it shows.
    #[must_use]
    pub fn now(&self) -> Modelled {
        Modelled {
            busy_us: TypMax {
                typ: self.hands.typ_us.load(Ordering::Relaxed),
                max: self.hands.max_us.load(Ordering::Relaxed),
            },
            read_us: self.hands.read_ns.load(Ordering::Relaxed) / 1000,
        }
    }

    /// Lets time pass, in microseconds.
    pub fn advance_us(&self, by: TypMax) {
        self.hands.typ_us.fetch_add(by.typ, Ordering::Relaxed);
        self.hands.max_us.fetch_add(by.max, Ordering::Relaxed);
    }
}

/// Advances a [`Clock`] by the datasheet's time of every operation.
///
/// A torn operation counts with its whole time, since the moment at which power is lost in it is
/// not modelled.
#[derive(Debug)]
pub struct Timed<D> {
    inner: D,
    timing: DatasheetTiming,
    clock: Clock,
}

decorator!(Timed);

impl<D> Timed<D> {
    /// With a clock of its own, which shows 0 and is advanced by `timing`.
    pub fn new(inner: D, timing: DatasheetTiming) -> Self {
        Self::sharing(inner, timing, Clock::new())
    }

    /// As [`new`](Self::new), with a clock that others share.
    pub fn sharing(inner: D, timing: DatasheetTiming, clock: Clock) -> Self {
        Self { inner, timing, clock }
    }

    /// A handle to the clock.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The chip's times.
    pub fn timing(&self) -> &DatasheetTiming {
        &self.timing
    }

    fn pass(&self, op: Op, result: Result<(), NorError>) -> Result<(), NorError> {
        if !matches!(result, Err(error) if error.is_misuse() || error.is_final()) {
            self.clock.advance_us(self.timing.op_us(op));
        }
        result
    }
}

impl<D: NorDevice> NorDevice for Timed<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)?;
        let read_ns = self.timing.read_byte_ns * out.len() as u64;
        self.clock.hands.read_ns.fetch_add(read_ns, Ordering::Relaxed);
        Ok(())
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        let result = self.inner.program_page(addr, bytes);
        self.pass(Op::program(addr, bytes), result)
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        let result = self.inner.erase(unit, addr);
        self.pass(Op::erase(unit, addr), result)
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        let result = self.inner.tear_program(addr, bytes, seed);
        self.pass(Op::program(addr, bytes), result)
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        let result = self.inner.tear_erase(unit, addr, seed);
        self.pass(Op::erase(unit, addr), result)
    }
}
