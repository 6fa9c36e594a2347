//! The tables of docs/design.md in mcu-tools/mcuboot, row by row, against every state of the
//! trailers.

use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{Flag, Magic, SwapType, TrailerState};

use crate::decide::{status_source_in_place, status_source_scratch};
use crate::{StatusSource, swap_type};

const MAGICS: [Magic; 3] = [Magic::Good, Magic::Bad, Magic::Unset];
const FLAGS: [Flag; 3] = [Flag::Set, Flag::Bad, Flag::Unset];

/// A row of a table: `None` is "any".
#[derive(Clone, Copy)]
struct Row {
    magic: Option<Magic>,
    image_ok: Option<Flag>,
    copy_done: Option<Flag>,
}

const ANY: Row = Row { magic: None, image_ok: None, copy_done: None };
const GOOD: Row = Row { magic: Some(Magic::Good), ..ANY };

impl Row {
    fn fits(self, state: &TrailerState) -> bool {
        self.magic.is_none_or(|magic| magic == state.magic)
            && self.image_ok.is_none_or(|flag| flag == state.image_ok)
            && self.copy_done.is_none_or(|flag| flag == state.copy_done)
    }
}

fn every_state() -> impl Iterator<Item = TrailerState> + Clone {
    MAGICS.into_iter().flat_map(|magic| {
        FLAGS.into_iter().flat_map(move |image_ok| {
            FLAGS.into_iter().map(move |copy_done| TrailerState {
                magic,
                image_ok,
                copy_done,
                ..TrailerState::UNSET
            })
        })
    })
}

fn every_pair() -> impl Iterator<Item = (TrailerState, TrailerState)> {
    every_state().flat_map(|first| every_state().map(move |second| (first, second)))
}

#[test]
fn swap_types_are_those_of_the_states_of_design_md() {
    let unset = Some(Flag::Unset);
    let set = Some(Flag::Set);
    // States I to IV, primary and secondary.
    let states = [
        (ANY, Row { image_ok: unset, copy_done: set, ..GOOD }, SwapType::Revert),
        (ANY, Row { image_ok: unset, ..GOOD }, SwapType::Test),
        (ANY, Row { image_ok: set, ..GOOD }, SwapType::Permanent),
        (Row { image_ok: unset, copy_done: set, ..GOOD }, ANY, SwapType::Revert),
    ];
    let mut pairs = 0;
    for swap in SwapKind::ALL {
        // State I is that of swap using offset alone.
        let states = if swap == SwapKind::Offset { &states[..] } else { &states[1..] };
        for (primary, secondary) in every_pair() {
            let row = states.iter().find(|(p, s, _)| p.fits(&primary) && s.fits(&secondary));
            let expected = row.map_or(SwapType::None, |(_, _, expected)| *expected);
            let found = swap_type(swap, &primary, &secondary);
            assert_eq!(found, expected, "{swap}: {primary:?}, {secondary:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 4 * 27 * 27);
}

#[test]
fn status_sources_are_those_of_the_tables_of_design_md() {
    let done = |copy_done| Row { copy_done: Some(copy_done), ..ANY };
    let rows = [
        (Row { magic: Some(Magic::Good), ..done(Flag::Set) }, false, StatusSource::None),
        (Row { magic: Some(Magic::Good), ..done(Flag::Unset) }, false, StatusSource::Primary),
        (ANY, true, StatusSource::Scratch),
        (Row { magic: Some(Magic::Unset), ..done(Flag::Unset) }, false, StatusSource::Primary),
    ];
    for (primary, scratch) in every_pair() {
        let scratch_good = scratch.magic == Magic::Good;
        let row = rows.iter().find(|(p, good, _)| p.fits(&primary) && *good == scratch_good);
        let expected = row.map_or(StatusSource::None, |(_, _, source)| *source);
        let found = status_source_scratch(&primary, &scratch);
        assert_eq!(found, expected, "{primary:?}, {scratch:?}");
    }
}

#[test]
fn in_place_a_status_counts_only_if_the_secondary_asks_for_nothing() {
    for (primary, secondary) in every_pair() {
        let begun = primary.magic == Magic::Good
            && primary.copy_done == Flag::Unset
            && secondary.magic != Magic::Good;
        let expected = if begun { StatusSource::Primary } else { StatusSource::None };
        assert_eq!(status_source_in_place(&primary, &secondary), expected);
    }
}
