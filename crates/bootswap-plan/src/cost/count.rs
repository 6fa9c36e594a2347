//! Numbers of flash operations, and their durations.

use core::iter::Sum;
use core::ops::{Add, AddAssign};

use crate::erase::{ERASE_4K, ERASE_32K, ERASE_64K, Erase, PROGRAM_PAGE};

/// Flash operations.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cost {
    /// Erases of 4 KiB.
    pub erase_4k: u32,
    /// Erases of 32 KiB.
    pub erase_32k: u32,
    /// Erases of 64 KiB.
    pub erase_64k: u32,
    /// Pages programmed.
    pub pages: u32,
}

impl Cost {
    /// No operations.
    pub const NONE: Self = Self { erase_4k: 0, erase_32k: 0, erase_64k: 0, pages: 0 };

    pub(super) const fn pages(pages: u32) -> Self {
        Self { pages, ..Self::NONE }
    }

    pub(super) const fn sectors(erase_4k: u32) -> Self {
        Self { erase_4k, ..Self::NONE }
    }

    /// Erases of any size.
    #[must_use]
    pub const fn erases(&self) -> u32 {
        self.erase_4k + self.erase_32k + self.erase_64k
    }

    /// Typical duration of the operations, in microseconds.
    #[must_use]
    pub const fn typ_us(&self) -> u64 {
        self.erase_4k as u64 * ERASE_4K.typ_us as u64
            + self.erase_32k as u64 * ERASE_32K.typ_us as u64
            + self.erase_64k as u64 * ERASE_64K.typ_us as u64
            + self.pages as u64 * PROGRAM_PAGE.typ_us as u64
    }

    /// Maximum duration of the operations, in microseconds.
    #[must_use]
    pub const fn max_us(&self) -> u64 {
        self.erase_4k as u64 * ERASE_4K.max_us as u64
            + self.erase_32k as u64 * ERASE_32K.max_us as u64
            + self.erase_64k as u64 * ERASE_64K.max_us as u64
            + self.pages as u64 * PROGRAM_PAGE.max_us as u64
    }

    /// Counts one more erase.
    pub(super) const fn erase(&mut self, erase: Erase) {
        match erase {
            Erase::Sector4K => self.erase_4k += 1,
            Erase::Block32K => self.erase_32k += 1,
            Erase::Block64K => self.erase_64k += 1,
        }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            erase_4k: self.erase_4k + other.erase_4k,
            erase_32k: self.erase_32k + other.erase_32k,
            erase_64k: self.erase_64k + other.erase_64k,
            pages: self.pages + other.pages,
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::NONE, Add::add)
    }
}
