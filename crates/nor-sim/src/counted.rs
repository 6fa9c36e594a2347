//! Counts operations and bytes.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

use flash_region::{FlashAddr, Region};

use crate::model::decorator;
use crate::{DatasheetTiming, EraseUnit, NorDevice, NorError, Op, TypMax};

/// Numbers of operations and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Erases of 4 KiB.
    pub erase_4k: u64,
    /// Erases of 32 KiB.
    pub erase_32k: u64,
    /// Erases of 64 KiB.
    pub erase_64k: u64,
    /// Page program operations, whatever their length and contents.
    pub pages_programmed: u64,
    /// Bytes in them.
    pub bytes_programmed: u64,
    /// Bytes read.
    pub bytes_read: u64,
}

impl Counts {
    /// Adds one operation.
    pub const fn add_op(&mut self, op: Op) {
        match op {
            Op::Program { len_bytes, .. } => {
                self.pages_programmed += 1;
                self.bytes_programmed += len_bytes as u64;
            }
            Op::Erase { unit: EraseUnit::Sector4K, .. } => self.erase_4k += 1,
            Op::Erase { unit: EraseUnit::Block32K, .. } => self.erase_32k += 1,
            Op::Erase { unit: EraseUnit::Block64K, .. } => self.erase_64k += 1,
        }
    }

    /// Erases of all sizes.
    #[must_use]
    pub const fn erases(&self) -> u64 {
        self.erase_4k + self.erase_32k + self.erase_64k
    }

    /// Erases and page programs.
    #[must_use]
    pub const fn ops(&self) -> u64 {
        self.erases() + self.pages_programmed
    }

    /// The time that the operations take on a chip, in microseconds, without reads.
    #[must_use]
    pub const fn duration_us(&self, timing: &DatasheetTiming) -> TypMax {
        TypMax {
            typ: self.erase_4k * timing.erase_4k_us.typ
                + self.erase_32k * timing.erase_32k_us.typ
                + self.erase_64k * timing.erase_64k_us.typ
                + self.pages_programmed * timing.page_program_us.typ,
            max: self.erase_4k * timing.erase_4k_us.max
                + self.erase_32k * timing.erase_32k_us.max
                + self.erase_64k * timing.erase_64k_us.max
                + self.pages_programmed * timing.page_program_us.max,
        }
    }
}

impl FromIterator<Op> for Counts {
    fn from_iter<I: IntoIterator<Item = Op>>(ops: I) -> Self {
        let mut counts = Self::default();
        for op in ops {
            counts.add_op(op);
        }
        counts
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            erase_4k: self.erase_4k + other.erase_4k,
            erase_32k: self.erase_32k + other.erase_32k,
            erase_64k: self.erase_64k + other.erase_64k,
            pages_programmed: self.pages_programmed + other.pages_programmed,
            bytes_programmed: self.bytes_programmed + other.bytes_programmed,
            bytes_read: self.bytes_read + other.bytes_read,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// What was counted since an earlier state of the same counter.
impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            erase_4k: self.erase_4k.saturating_sub(earlier.erase_4k),
            erase_32k: self.erase_32k.saturating_sub(earlier.erase_32k),
            erase_64k: self.erase_64k.saturating_sub(earlier.erase_64k),
            pages_programmed: self.pages_programmed.saturating_sub(earlier.pages_programmed),
            bytes_programmed: self.bytes_programmed.saturating_sub(earlier.bytes_programmed),
            bytes_read: self.bytes_read.saturating_sub(earlier.bytes_read),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "erases {} x 4K, {} x 32K, {} x 64K; {} pages ({} B) programmed; {} B read",
            self.erase_4k,
            self.erase_32k,
            self.erase_64k,
            self.pages_programmed,
            self.bytes_programmed,
            self.bytes_read
        )
    }
}

/// Counts all operations and reads, and those that touch watched regions separately.
///
/// What reaches the chip is counted: also torn and failed operations, but not those with arguments
/// that no chip accepts. It sees torn operations only underneath a [`PowerCut`](crate::PowerCut),
/// not around it. The same is true of [`Timed`](crate::Timed).
#[derive(Clone, Debug)]
pub struct Counted<D> {
    inner: D,
    counts: Counts,
    watched: Vec<(Region, Counts)>,
}

decorator!(Counted);

impl<D> Counted<D> {
    /// Counts from 0.
    pub fn new(inner: D) -> Self {
        Self { inner, counts: Counts::default(), watched: Vec::new() }
    }

    /// From now on also counts what touches `region`, separately.
    pub fn watch(&mut self, region: Region) {
        self.watched.push((region, Counts::default()));
    }

    /// Everything so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Everything that touched `region`, which is being watched; `None` if it is not.
    ///
    /// Of a read that is only partly inside, only the bytes inside are counted.
    pub fn counts_in(&self, region: Region) -> Option<Counts> {
        self.watched.iter().find(|(watched, _)| *watched == region).map(|(_, counts)| *counts)
    }

    fn count_op(&mut self, op: Op, result: Result<(), NorError>) -> Result<(), NorError> {
        if !matches!(result, Err(error) if error.is_misuse() || error.is_final()) {
            self.counts.add_op(op);
            for (region, counts) in &mut self.watched {
                if region.overlaps(op.region()) {
                    counts.add_op(op);
                }
            }
        }
        result
    }
}

impl<D: NorDevice> NorDevice for Counted<D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)?;
        let len_bytes = out.len() as u64;
        self.counts.bytes_read += len_bytes;
        if !self.watched.is_empty() {
            let read = Region::clamped(addr, u32::try_from(len_bytes).unwrap_or(u32::MAX));
            for (region, counts) in &mut self.watched {
                let inside = region.intersection(read).map_or(0, Region::len_bytes);
                counts.bytes_read += u64::from(inside);
            }
        }
        Ok(())
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        let result = self.inner.program_page(addr, bytes);
        self.count_op(Op::program(addr, bytes), result)
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        let result = self.inner.erase(unit, addr);
        self.count_op(Op::erase(unit, addr), result)
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        let result = self.inner.tear_program(addr, bytes, seed);
        self.count_op(Op::program(addr, bytes), result)
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        let result = self.inner.tear_erase(unit, addr, seed);
        self.count_op(Op::erase(unit, addr), result)
    }
}
