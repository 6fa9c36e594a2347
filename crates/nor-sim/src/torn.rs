//! What an interrupted operation leaves.
//!
//! A page program drives cells from 1 to 0, more or less in parallel: each bit that was to be
//! cleared may or may not be. An erase first programs every cell to 0, so that all wear alike, and
//! then erases until every cell verifies as 1: a bit may be as it was, 0, or 1 already.
//!
//! Uniform noise over a whole unit would never produce the cases that mislead software: a complete
//! header before bytes that are incomplete, a sector that is erased except for a few bits. So the
//! seed picks first one of several patterns, then the bits.

use flash_region::{ERASED, SECTOR_BYTES};

use crate::Noise;

/// Interrupts a program of `wanted` over `cells`.
pub(crate) fn program(cells: &mut [u8], wanted: &[u8], rng: &mut Noise) {
    let len = cells.len().min(wanted.len());
    let pattern = rng.below(4);
    let boundary = rng.below(len as u64 + 1) as usize;
    for (index, (cell, &wanted)) in cells.iter_mut().zip(wanted).enumerate() {
        let done = match pattern {
            0 => half(rng),
            1 => few(rng),
            2 => !few(rng),
            // The bytes in the order in which they were sent.
            _ if index < boundary => 0xff,
            _ if index == boundary => half(rng),
            _ => 0,
        };
        *cell &= wanted | !done;
    }
}

/// Interrupts an erase of `cells`, one or more sectors.
pub(crate) fn erase(cells: &mut [u8], rng: &mut Noise) {
    let sectors = cells.len() / SECTOR_BYTES as usize;
    // A quarter of all interrupted block erases have erased the sectors before a boundary only.
    let boundary = (sectors > 1 && rng.below(4) == 0).then(|| rng.below(sectors as u64) as usize);
    let pattern = rng.below(6);
    for (index, sector) in cells.chunks_mut(SECTOR_BYTES as usize).enumerate() {
        match boundary {
            Some(boundary) if index < boundary => sector.fill(ERASED),
            Some(boundary) if index > boundary => {}
            _ => erase_sector(sector, pattern, rng),
        }
    }
}

fn erase_sector(cells: &mut [u8], pattern: u64, rng: &mut Noise) {
    let boundary = rng.below(cells.len() as u64) as usize;
    for (index, cell) in cells.iter_mut().enumerate() {
        *cell = match pattern {
            // Old, 0 and 1 side by side.
            0 => {
                let touched = half(rng);
                (*cell & !touched) | (half(rng) & touched)
            }
            // On the way to 0.
            1 => *cell & !few(rng),
            2 => *cell & few(rng),
            // On the way to 1, early and nearly there.
            3 => half(rng),
            4 => !(few(rng) & few(rng)),
            // The start is erased, the rest unchanged.
            _ if index < boundary => ERASED,
            _ => *cell,
        };
    }
}

/// Every bit set with probability 1/2.
fn half(rng: &mut Noise) -> u8 {
    rng.next_u64() as u8
}

/// Every bit set with probability 1/8.
fn few(rng: &mut Noise) -> u8 {
    let noise = rng.next_u64();
    (noise & (noise >> 8) & (noise >> 16)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_torn_program_clears_only_what_it_should(
            old in proptest::collection::vec(any::<u8>(), 256),
            wanted in proptest::collection::vec(any::<u8>(), 256),
            seed in any::<u64>(),
        ) {
            let mut cells = old.clone();
            program(&mut cells, &wanted, &mut Noise::new(seed));
            for ((&now, &old), &wanted) in cells.iter().zip(&old).zip(&wanted) {
                prop_assert_eq!(now & !old, 0, "a bit was set");
                prop_assert_eq!(old & wanted & !now, 0, "a bit was cleared that should stay");
            }
        }
    }

    #[test]
    fn seeds_give_different_patterns() {
        let old = [0x5a; SECTOR_BYTES as usize];
        let (mut all_cleared, mut mostly_erased, mut untouched_tail) = (0, 0, 0);
        for seed in 0..64 {
            let mut cells = old;
            erase(&mut cells, &mut Noise::new(seed));
            let zeros: u32 = cells.iter().map(|byte| byte.count_zeros()).sum();
            all_cleared += u32::from(zeros > 28_000);
            mostly_erased += u32::from(zeros < 2_000);
            untouched_tail += u32::from(cells.ends_with(&[0x5a; 16]));
        }
        assert!(all_cleared > 2 && mostly_erased > 2 && untouched_tail > 2);
    }
}
