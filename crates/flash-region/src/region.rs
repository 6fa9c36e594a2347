//! A half-open range of flash addresses.

use core::fmt;

use crate::FlashAddr;

/// A half-open range of flash addresses, `start..end`, with `start <= end`.
///
/// It prints as `0x110000..0x210000`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Region {
    start: FlashAddr,
    end: FlashAddr,
}

impl Region {
    /// The region from `start` up to, not including, `end`; `None` if `end` is before `start`.
    #[must_use]
    pub const fn new(start: FlashAddr, end: FlashAddr) -> Option<Self> {
        if start.0 <= end.0 { Some(Self { start, end }) } else { None }
    }

    /// The region of `len_bytes` from `start`; `None` if it would go past the end of the address
    /// space.
    #[must_use]
    pub const fn from_len(start: FlashAddr, len_bytes: u32) -> Option<Self> {
        match start.checked_add(len_bytes) {
            Some(end) => Some(Self { start, end }),
            None => None,
        }
    }

    /// The region of `len_bytes` from `start`, cut off at the end of the address space.
    ///
    /// For constants and for lengths that were checked before.
    #[must_use]
    pub const fn clamped(start: FlashAddr, len_bytes: u32) -> Self {
        Self { start, end: start.saturating_add(len_bytes) }
    }

    /// First address inside.
    #[must_use]
    pub const fn start(self) -> FlashAddr {
        self.start
    }

    /// First address after it.
    #[must_use]
    pub const fn end(self) -> FlashAddr {
        self.end
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len_bytes(self) -> u32 {
        self.end.0 - self.start.0
    }

    /// Whether no address is inside.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.start.0 == self.end.0
    }

    /// Whether `addr` is inside.
    #[must_use]
    pub const fn contains(self, addr: FlashAddr) -> bool {
        self.start.0 <= addr.0 && addr.0 < self.end.0
    }

    /// Whether all of `other` is inside. An empty region is inside if its address is from `start`
    /// to `end`, both included.
    #[must_use]
    pub const fn contains_region(self, other: Self) -> bool {
        self.start.0 <= other.start.0 && other.end.0 <= self.end.0
    }

    /// Whether at least one address is inside both. Regions that only touch do not overlap.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.start.0 < other.end.0
            && other.start.0 < self.end.0
            && !self.is_empty()
            && !other.is_empty()
    }

    /// What is inside both, or `None` if they do not overlap.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Option<Self> {
        if !self.overlaps(other) {
            return None;
        }
        let start = if self.start.0 > other.start.0 { self.start } else { other.start };
        let end = if self.end.0 < other.end.0 { self.end } else { other.end };
        Some(Self { start, end })
    }

    /// The first `len_bytes` of the region, or all of it if it is shorter.
    #[must_use]
    pub const fn prefix(self, len_bytes: u32) -> Self {
        let end = self.start.saturating_add(len_bytes);
        Self { start: self.start, end: if end.0 < self.end.0 { end } else { self.end } }
    }

    /// The last `len_bytes` of the region, or all of it if it is shorter.
    #[must_use]
    pub const fn suffix(self, len_bytes: u32) -> Self {
        let start = self.end.0.saturating_sub(len_bytes);
        let start = if start > self.start.0 { FlashAddr(start) } else { self.start };
        Self { start, end: self.end }
    }

    /// The part at or after `addr`; empty if the region ends before.
    #[must_use]
    pub const fn from(self, addr: FlashAddr) -> Self {
        let start = if addr.0 > self.start.0 { addr } else { self.start };
        let start = if start.0 < self.end.0 { start } else { self.end };
        Self { start, end: self.end }
    }

    /// Whether both ends are multiples of `unit_bytes`, which must not be 0.
    #[must_use]
    pub const fn is_aligned(self, unit_bytes: u32) -> bool {
        self.start.is_aligned(unit_bytes) && self.end.is_aligned(unit_bytes)
    }

    /// The smallest region of whole units around this one; `None` past the end of the address
    /// space.
    #[must_use]
    pub const fn align_out(self, unit_bytes: u32) -> Option<Self> {
        match self.end.align_up(unit_bytes) {
            Some(end) => Some(Self { start: self.start.align_down(unit_bytes), end }),
            None => None,
        }
    }

    /// The largest region of whole units inside this one; empty if none fits.
    #[must_use]
    pub const fn align_in(self, unit_bytes: u32) -> Self {
        let end = self.end.align_down(unit_bytes);
        match self.start.align_up(unit_bytes) {
            Some(start) if start.0 <= end.0 => Self { start, end },
            _ => Self { start: self.start, end: self.start },
        }
    }

    /// The region in pieces that end at multiples of `unit_bytes` (not 0), in ascending order.
    ///
    /// Only the first and the last piece can be shorter than the unit.
    #[must_use]
    pub const fn chunks(self, unit_bytes: u32) -> Chunks {
        Chunks { rest: self, unit_bytes }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The pieces of a region, from [`Region::chunks`].
#[derive(Clone, Debug)]
pub struct Chunks {
    rest: Region,
    unit_bytes: u32,
}

impl Iterator for Chunks {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        if self.rest.is_empty() {
            return None;
        }
        let boundary = self.rest.start.align_down(self.unit_bytes).saturating_add(self.unit_bytes);
        let end = if boundary < self.rest.end { boundary } else { self.rest.end };
        let piece = Region { start: self.rest.start, end };
        self.rest = Region { start: end, end: self.rest.end };
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn region(start: u32, end: u32) -> Region {
        Region::new(FlashAddr(start), FlashAddr(end)).unwrap()
    }

    #[test]
    fn regions_that_touch_do_not_overlap() {
        assert!(!region(0, 0x1000).overlaps(region(0x1000, 0x2000)));
        assert!(region(0, 0x1001).overlaps(region(0x1000, 0x2000)));
    }

    #[test]
    fn an_empty_region_overlaps_nothing() {
        assert!(!region(0x10, 0x10).overlaps(region(0, 0x1000)));
        assert!(!region(0, 0x1000).overlaps(region(0x10, 0x10)));
    }

    #[test]
    fn a_region_cannot_run_backwards() {
        assert_eq!(Region::new(FlashAddr(2), FlashAddr(1)), None);
        assert_eq!(Region::from_len(FlashAddr(u32::MAX), 1), None);
    }

    #[test]
    fn chunks_end_at_boundaries() {
        let pieces: Vec<Region> = region(0xf00, 0x2100).chunks(0x1000).collect();
        assert_eq!(pieces, [region(0xf00, 0x1000), region(0x1000, 0x2000), region(0x2000, 0x2100)]);
    }

    proptest! {
        #[test]
        fn intersection_is_what_both_contain(ends: [u8; 4]) {
            let [a, b, c, d] = ends.map(|end| u32::from(end % 64));
            let (left, right) = (region(a.min(b), a.max(b)), region(c.min(d), c.max(d)));
            for addr in (0..64).map(FlashAddr) {
                let inside = left.intersection(right).is_some_and(|both| both.contains(addr));
                prop_assert_eq!(inside, left.contains(addr) && right.contains(addr));
            }
        }

        #[test]
        fn chunks_cover_the_region_without_gap(
            start in 0u32..10_000,
            len in 0u32..10_000,
            unit in 1u32..3_000,
        ) {
            let whole = Region::clamped(FlashAddr(start), len);
            let mut at = whole.start();
            for piece in whole.chunks(unit) {
                prop_assert_eq!(piece.start(), at);
                prop_assert!(!piece.is_empty() && piece.len_bytes() <= unit);
                at = piece.end();
            }
            prop_assert_eq!(at, whole.end());
        }

        #[test]
        fn aligned_regions_enclose(start in 0u32..100_000, len in 0u32..100_000) {
            let inner = Region::clamped(FlashAddr(start), len);
            let outer = inner.align_out(0x1000).unwrap();
            prop_assert!(outer.is_aligned(0x1000) && outer.contains_region(inner));
            prop_assert!(inner.contains_region(inner.align_in(0x1000)));
        }
    }
}
