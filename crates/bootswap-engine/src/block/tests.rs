use std::vec::Vec;

use super::*;
use crate::tests::kit::at;
use Sector::{Clear, Equal, Erase, Free, Keep};

const BLOCK: Region = at(0x1_0000, 0x1_0000);

/// The erases of a whole block, in their order.
fn erases(states: [Sector; SECTORS], block: Region, combine: bool) -> Vec<(u32, u32)> {
    let mut units = Vec::new();
    let mut at = block.start();
    while at < block.end() {
        at = match erase_at(&states, block, at, combine) {
            Some(unit) => {
                units.push((unit.start().get(), unit.len_bytes()));
                unit.end()
            }
            None => at.saturating_add(SECTOR_BYTES),
        };
    }
    units
}

fn block(states: [Sector; SECTORS]) -> Vec<(u32, u32)> {
    erases(states, BLOCK, true)
}

#[test]
fn as_few_milliseconds_as_possible() {
    let mut states = [Free; SECTORS];
    assert_eq!(block(states), []);
    states[3] = Erase;
    assert_eq!(block(states), [(0x1_3000, 0x1000)]);
    // Two sectors take 90 ms, three 135, a half block 120.
    states[5] = Erase;
    assert_eq!(block(states), [(0x1_3000, 0x1000), (0x1_5000, 0x1000)]);
    states[7] = Erase;
    assert_eq!(block(states), [(0x1_0000, 0x8000)]);
    // 120 ms and 45 ms are more than the 150 of the whole block.
    states[15] = Erase;
    assert_eq!(block(states), [(0x1_0000, 0x1_0000)]);
    assert_eq!(erases(states, BLOCK, false).len(), 4);
}

#[test]
fn what_would_have_to_be_programmed_again_counts() {
    let mut states = [Equal { pages: 16 }; SECTORS];
    states[..3].fill(Erase);
    // 120 ms and 5 x 16 pages of 0.4 ms are 152, three sectors 135.
    assert_eq!(block(states).len(), 3);
    states[..4].fill(Erase);
    // 120 ms and 4 x 16 pages are 145.6, four sectors 180.
    assert_eq!(block(states), [(0x1_0000, 0x8000)]);
    states[4..8].fill(Equal { pages: 0 });
    states[3] = Equal { pages: 0 };
    assert_eq!(block(states), [(0x1_0000, 0x8000)]);
}

#[test]
fn a_sector_that_stays_forbids_the_block_around_it() {
    let mut states = [Erase; SECTORS];
    states[2] = Keep;
    let units = block(states);
    assert_eq!(units.len(), 8);
    assert_eq!(units.last(), Some(&(0x1_8000, 0x8000)));
    assert!(!units.iter().any(|(start, len)| (*start..*start + len).contains(&0x1_2000)));
    states = [Clear; SECTORS];
    assert_eq!(block(states), []);
}

#[test]
fn a_reach_that_is_no_whole_block_is_erased_by_what_fits() {
    // 0x1000..0x8000, as the chips have it whose bootloader is at 0x1000.
    let mut states = [Keep; SECTORS];
    states[..7].fill(Erase);
    let reach = at(0x1000, 0x7000);
    assert_eq!(erases(states, reach, true).len(), 7);
    // With the blank sector before it a half block fits.
    let mut states = [Keep; SECTORS];
    states[..8].fill(Erase);
    states[0] = Free;
    assert_eq!(erases(states, at(0, 0x8000), true), [(0, 0x8000)]);
}
