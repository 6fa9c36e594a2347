//! One place in flash.

use core::fmt;

/// An address in flash, in bytes from its start.
///
/// It prints as hexadecimal, `0x110000`, with or without the alternate flag.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FlashAddr(pub u32);

impl FlashAddr {
    /// The first byte of flash.
    pub const ZERO: Self = Self(0);

    /// The address as a number of bytes from the start of flash.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The address `len_bytes` further on, or `None` past the end of the address space.
    #[must_use]
    pub const fn checked_add(self, len_bytes: u32) -> Option<Self> {
        match self.0.checked_add(len_bytes) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The address `len_bytes` further on, or the last address if that is past it.
    #[must_use]
    pub const fn saturating_add(self, len_bytes: u32) -> Self {
        Self(self.0.saturating_add(len_bytes))
    }

    /// Bytes from `earlier` to here; 0 if `earlier` is the later one.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether the address is a multiple of `unit_bytes`, which must not be 0.
    #[must_use]
    pub const fn is_aligned(self, unit_bytes: u32) -> bool {
        self.0.is_multiple_of(unit_bytes)
    }

    /// The last multiple of `unit_bytes` (not 0) at or before the address.
    #[must_use]
    pub const fn align_down(self, unit_bytes: u32) -> Self {
        Self(self.0 - self.0 % unit_bytes)
    }

    /// The first multiple of `unit_bytes` (not 0) at or after the address, or `None` past the end.
    #[must_use]
    pub const fn align_up(self, unit_bytes: u32) -> Option<Self> {
        match self.0 % unit_bytes {
            0 => Some(self),
            rest => self.checked_add(unit_bytes - rest),
        }
    }
}

impl fmt::Display for FlashAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for FlashAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::FlashAddr;

    #[test]
    fn aligns_to_sectors() {
        assert_eq!(FlashAddr(0x8001).align_down(0x1000), FlashAddr(0x8000));
        assert_eq!(FlashAddr(0x8001).align_up(0x1000), Some(FlashAddr(0x9000)));
        assert_eq!(FlashAddr(0x8000).align_up(0x1000), Some(FlashAddr(0x8000)));
        assert_eq!(FlashAddr(u32::MAX).align_up(0x1000), None);
        assert!(FlashAddr(0x9000).is_aligned(0x1000));
        assert!(!FlashAddr(0x9001).is_aligned(0x1000));
    }
}
