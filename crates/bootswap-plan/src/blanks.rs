//! Which sectors of a file are blank.
//!
//! A merged image has bootloader, table and application in one file, and gaps of 0xFF between them.
//! What is in flash under a gap is kept, so a gap overwrites nothing.
//!
//! ```text
//!   2 bytes   first sector of a gap, from the file's first byte     little endian,
//!   2 bytes   how many sectors it has                               in ascending order
//! ```

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

/// Bytes of one gap.
const LEN_BYTES: usize = 4;

/// Runs of blank sectors in a file; a file whose contents are not known has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Blanks<'a>(&'a [u8]);

impl<'a> Blanks<'a> {
    /// No gap.
    pub const NONE: Self = Self(&[]);

    /// Reads gaps from these bytes; an incomplete one at the end is ignored.
    #[must_use]
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Their bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The bytes of a gap that starts at that sector and has this many sectors.
    #[must_use]
    pub const fn encode(first_sector: u16, sectors: u16) -> [u8; LEN_BYTES] {
        let ([a, b], [c, d]) = (first_sector.to_le_bytes(), sectors.to_le_bytes());
        [a, b, c, d]
    }

    /// The regions of the gaps in a file that is written to `start`.
    pub fn at(self, start: FlashAddr) -> impl Iterator<Item = Region> + use<'a> {
        self.0.as_chunks::<LEN_BYTES>().0.iter().map(move |&[a, b, c, d]| {
            let offset_bytes = u32::from(u16::from_le_bytes([a, b])) * SECTOR_BYTES;
            let len_bytes = u32::from(u16::from_le_bytes([c, d])) * SECTOR_BYTES;
            Region::clamped(start.saturating_add(offset_bytes), len_bytes)
        })
    }

    /// The parts of `region` that such a file, written to `start`, covers outside of its gaps.
    pub(crate) fn covered(
        self,
        start: FlashAddr,
        region: Region,
    ) -> impl Iterator<Item = Region> + use<'a> {
        let mut rest = region;
        core::iter::from_fn(move || {
            // Hostile bytes may contain the gaps in any order.
            while let Some(gap) = self.at(start).find(|gap| gap.contains(rest.start())) {
                rest = rest.from(gap.end());
                if rest.is_empty() {
                    return None;
                }
            }
            let next = self.at(start).map(Region::start).filter(|next| *next > rest.start()).min();
            let end = next.map_or(rest.end(), |next| next.min(rest.end()));
            let piece = Region::new(rest.start(), end).filter(|piece| !piece.is_empty())?;
            rest = rest.from(end);
            Some(piece)
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use proptest::prelude::*;

    fn region(start: u32, len_bytes: u32) -> Region {
        Region::clamped(FlashAddr(start), len_bytes)
    }

    #[test]
    fn what_is_between_gaps_is_covered() {
        let bytes = [Blanks::encode(1, 2), Blanks::encode(5, 1)].concat();
        let gaps = Blanks::from_bytes(&bytes);
        let start = FlashAddr(0x1000);
        let covered: Vec<Region> = gaps.covered(start, region(0x1000, 0x6800)).collect();
        assert_eq!(
            covered,
            [region(0x1000, 0x1000), region(0x4000, 0x2000), region(0x7000, 0x800)]
        );
        let whole = region(0, 0x6000);
        assert!(Blanks::NONE.covered(FlashAddr::ZERO, whole).eq([whole]));
    }

    proptest! {
        #[test]
        fn any_bytes_cover_each_sector_or_not(bytes: Vec<u8>, start in 0u32..8, len in 0u32..64) {
            let gaps = Blanks::from_bytes(&bytes);
            let start = FlashAddr(start * SECTOR_BYTES);
            let whole = region(start.get(), len * SECTOR_BYTES);
            let covered: Vec<Region> = gaps.covered(start, whole).collect();
            for sector in whole.chunks(SECTOR_BYTES) {
                let is_gap = gaps.at(start).any(|gap| gap.overlaps(sector));
                let is_covered = covered.iter().any(|piece| piece.contains_region(sector));
                prop_assert_eq!(is_covered, !is_gap);
            }
        }
    }
}
