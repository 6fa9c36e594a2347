//! Pairs of entries as they come about in the life of a device, torn ones among them.

extern crate std;

use std::vec::Vec;

use flash_region::{FlashAddr, Region};
use proptest::prelude::*;

use super::entry::seq_crc;
use super::*;

const BLANK: [u8; ENTRY_LEN_BYTES] = [0xff; ENTRY_LEN_BYTES];

fn entry(seq: u32, state: OtaState) -> [u8; ENTRY_LEN_BYTES] {
    OtaEntry::new(seq, state).to_bytes()
}

fn selected(first: &[u8], second: &[u8], ota_count: u8) -> Option<(u8, usize)> {
    let selection = OtaData::parse(first, second).select(ota_count)?;
    Some((selection.ota_index, selection.entry_index))
}

#[test]
fn the_checksum_is_that_of_esp_idf_s_otatool() {
    assert_eq!(seq_crc(1), 0x4743_989a);
    assert_eq!(seq_crc(2), 0x55f6_3774);
    assert_eq!(entry(1, OtaState::Undefined)[28..], [0x9a, 0x98, 0x43, 0x47]);
}

#[test]
fn erased_entries_select_nothing() {
    assert_eq!(selected(&BLANK, &BLANK, 2), None);
    assert_eq!(OtaEntry::parse(&BLANK), Err(OtaEntryError::Blank));
    assert_eq!(OtaEntry::parse(&BLANK[..31]), Err(OtaEntryError::TooShort { found_bytes: 31 }));
}

#[test]
fn the_larger_sequence_is_in_force() {
    let (one, two) = (entry(1, OtaState::Valid), entry(2, OtaState::Valid));
    assert_eq!(selected(&one, &BLANK, 2), Some((0, 0)));
    assert_eq!(selected(&one, &two, 2), Some((1, 1)));
    assert_eq!(selected(&two, &one, 2), Some((1, 0)));
    assert_eq!(selected(&BLANK, &two, 2), Some((1, 1)));
    // Three slots: sequence 2 is slot 1, sequence 4 is slot 0.
    assert_eq!(selected(&two, &entry(4, OtaState::Valid), 3), Some((0, 1)));
}

#[test]
fn of_equal_sequences_the_first_entry_is_in_force() {
    let two = entry(2, OtaState::Valid);
    assert_eq!(selected(&two, &two, 2), Some((1, 0)));
}

#[test]
fn a_torn_entry_leaves_the_other_one_in_force() {
    let old = entry(5, OtaState::Valid);
    let new = entry(6, OtaState::Undefined);
    for programmed in 0..28 {
        let mut torn = BLANK;
        torn[..programmed].copy_from_slice(&new[..programmed]);
        assert_eq!(selected(&old, &torn, 2), Some((0, 0)), "{programmed} bytes");
        assert_eq!(selected(&torn, &old, 2), Some((0, 1)), "{programmed} bytes");
    }
}

#[test]
fn two_torn_entries_select_nothing() {
    let mut torn = entry(7, OtaState::Valid);
    torn[28] ^= 1;
    assert_eq!(
        OtaEntry::parse(&torn),
        Err(OtaEntryError::Crc { offset_bytes: 28, stored: seq_crc(7) ^ 1, computed: seq_crc(7) })
    );
    assert_eq!(selected(&torn, &torn, 2), None);
    assert_eq!(selected(&torn, &BLANK, 2), None);
}

#[test]
fn sequences_at_the_ends_of_the_range() {
    // Sequence 0 is one like any other: (0 - 1) mod 2^32 = 2^32 - 1 is slot 1 of 2, slot 0 of 3.
    let zero = entry(0, OtaState::Valid);
    assert_eq!(selected(&zero, &BLANK, 2), Some((1, 0)));
    assert_eq!(selected(&zero, &BLANK, 3), Some((0, 0)));
    // All ones is blank, even with the checksum of all ones.
    assert_eq!(selected(&entry(u32::MAX, OtaState::Valid), &BLANK, 2), None);
    assert_eq!(selected(&entry(u32::MAX - 1, OtaState::Valid), &zero, 2), Some((1, 0)));
}

#[test]
fn a_device_without_slots_selects_nothing() {
    assert_eq!(selected(&entry(1, OtaState::Valid), &BLANK, 0), None);
}

#[test]
fn invalid_and_aborted_apps_are_skipped() {
    let old = entry(1, OtaState::Valid);
    for state in [OtaState::Invalid, OtaState::Aborted] {
        assert_eq!(selected(&old, &entry(2, state), 2), Some((0, 0)));
        assert_eq!(selected(&entry(1, state), &entry(2, state), 2), None);
    }
    for state in [
        OtaState::New,
        OtaState::PendingVerify,
        OtaState::Valid,
        OtaState::Undefined,
        OtaState::Other(0x1234),
    ] {
        assert_eq!(selected(&old, &entry(2, state), 2), Some((1, 1)), "{state}");
    }
}

#[test]
fn with_rollback_an_app_gets_one_chance() {
    let old = entry(1, OtaState::Valid);
    let mut new = entry(2, OtaState::New);

    let first = OtaData::parse(&old, &new).boot(2, true);
    assert_eq!(first.selection, Some(Selection { ota_index: 1, entry_index: 1 }));
    assert_eq!(first.rewrites, [None, Some(OtaEntry::new(2, OtaState::PendingVerify))]);
    new = first.rewrites[1].unwrap().to_bytes();

    let second = OtaData::parse(&old, &new).boot(2, true);
    assert_eq!(second.selection, Some(Selection { ota_index: 0, entry_index: 0 }));
    assert_eq!(second.rewrites, [None, Some(OtaEntry::new(2, OtaState::Aborted))]);
    new = second.rewrites[1].unwrap().to_bytes();

    let third = OtaData::parse(&old, &new).boot(2, true);
    assert_eq!(third, OtaBoot { selection: second.selection, rewrites: [None, None] });
}

#[test]
fn without_rollback_states_are_left_alone() {
    let data = OtaData::parse(&entry(1, OtaState::New), &entry(2, OtaState::PendingVerify));
    let boot = data.boot(2, false);
    assert_eq!(boot.selection, Some(Selection { ota_index: 1, entry_index: 1 }));
    assert_eq!(boot.rewrites, [None, None]);
}

#[test]
fn confirming_the_slot_in_force_never_selects_another() {
    let pending = entry(2, OtaState::PendingVerify);
    let data = OtaData::parse(&entry(1, OtaState::Valid), &pending);
    let (entry_index, mut confirmed) = data.entry_for(1, 2).unwrap();
    confirmed.state = OtaState::Valid;
    assert_eq!((entry_index, confirmed.seq), (0, 4));
    // The next boot aborts the entry it replaces, and starts the slot all the same.
    let boot = OtaData::parse(&confirmed.to_bytes(), &pending).boot(2, true);
    assert_eq!(boot.selection, Some(Selection { ota_index: 1, entry_index: 0 }));
    assert_eq!(boot.rewrites, [None, Some(OtaEntry::new(2, OtaState::Aborted))]);
}

#[test]
fn the_first_entry_of_a_new_device_goes_into_the_first_sector() {
    let data = OtaData::parse(&BLANK, &BLANK);
    assert_eq!(data.entry_for(1, 2), Ok((0, OtaEntry::new(2, OtaState::Undefined))));
}

#[test]
fn slots_that_cannot_be_selected_are_refused() {
    let blank = OtaData::parse(&BLANK, &BLANK);
    assert_eq!(blank.entry_for(2, 2), Err(OtaDataError::NoSuchSlot { ota_index: 2, ota_count: 2 }));
    assert_eq!(blank.entry_for(0, 0), Err(OtaDataError::NoSuchSlot { ota_index: 0, ota_count: 0 }));
    let last = OtaData::parse(&entry(u32::MAX - 1, OtaState::Valid), &BLANK);
    for ota_index in 0..2 {
        assert_eq!(
            last.entry_for(ota_index, 2),
            Err(OtaDataError::SequenceExhausted { in_force_seq: u32::MAX - 1 })
        );
    }
}

#[test]
fn apps_are_tried_down_from_the_selected_one_and_then_up() {
    use BootSlot::{Factory, Ota, Test};
    let order = |ota_index: Option<u8>| -> Vec<BootSlot> {
        let selection = ota_index.map(|ota_index| Selection { ota_index, entry_index: 0 });
        boot_order(selection, 4).collect()
    };
    assert_eq!(order(None), [Factory, Ota(0), Ota(1), Ota(2), Ota(3), Test]);
    assert_eq!(order(Some(0)), [Ota(0), Factory, Ota(1), Ota(2), Ota(3), Test]);
    assert_eq!(order(Some(2)), [Ota(2), Ota(1), Ota(0), Factory, Ota(3), Test]);
}

#[test]
fn entries_lie_a_sector_apart() {
    let otadata = Region::clamped(FlashAddr(0xd000), 0x2000);
    assert_eq!(sector(otadata, 0), Region::clamped(FlashAddr(0xd000), 0x1000));
    assert_eq!(sector(otadata, 1), Region::clamped(FlashAddr(0xe000), 0x1000));
}

fn states() -> impl Strategy<Value = OtaState> {
    prop_oneof![
        4 => (0u32..5).prop_map(OtaState::from_raw),
        1 => any::<u32>().prop_map(OtaState::from_raw),
    ]
}

fn seqs() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0u32..40, 1 => any::<u32>(), 1 => u32::MAX - 40..=u32::MAX]
}

/// An entry's sector: whole, blank or torn.
fn sectors() -> impl Strategy<Value = [u8; ENTRY_LEN_BYTES]> {
    (seqs(), states(), 0u8..8, any::<u32>()).prop_map(|(seq, state, fate, crc)| {
        let mut bytes = OtaEntry::new(seq, state).to_bytes();
        match fate {
            0 => bytes = BLANK,
            1 => bytes[28..].copy_from_slice(&crc.to_le_bytes()),
            _ => {}
        }
        bytes
    })
}

proptest! {
    #[test]
    fn the_checksum_is_a_crc_32_from_zero(seq: u32) {
        let mut crc = crc32fast::Hasher::new_with_initial(u32::MAX);
        crc.update(&seq.to_le_bytes());
        prop_assert_eq!(seq_crc(seq), crc.finalize());
    }

    #[test]
    fn parses_what_it_emits(seq in 0..u32::MAX, label: [u8; 20], state: u32) {
        let entry = OtaEntry { seq, label, state: OtaState::from_raw(state) };
        prop_assert_eq!(OtaEntry::parse(&entry.to_bytes()), Ok(entry));
        prop_assert_eq!(entry.state.raw(), state);
    }

    #[test]
    fn never_panics(
        first in prop::collection::vec(any::<u8>(), 0..40),
        second in prop::collection::vec(any::<u8>(), 0..40),
        ota_count: u8,
        rollback: bool,
    ) {
        let boot = OtaData::parse(&first, &second).boot(ota_count, rollback);
        prop_assert!(boot.selection.is_none_or(|selection| selection.ota_index < ota_count));
    }

    /// The rule as bytes, without anything of the module but the checksum.
    #[test]
    fn selects_as_the_bootloader_does(
        first in sectors(),
        second in sectors(),
        ota_count in 1u8..=16,
    ) {
        let word = |bytes: &[u8], at: usize| {
            u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
        };
        let counts = |bytes: &[u8]| {
            let (seq, state, crc) = (word(bytes, 0), word(bytes, 24), word(bytes, 28));
            seq != u32::MAX && state != 3 && state != 4 && crc == seq_crc(seq)
        };
        let in_force = match (counts(&first), counts(&second)) {
            (true, true) if word(&first, 0).max(word(&second, 0)) == word(&first, 0) => Some(0),
            (true, true) => Some(1),
            (true, false) => Some(0),
            (false, true) => Some(1),
            (false, false) => None,
        };
        let expected = in_force.map(|index| {
            let seq = word([&first, &second][index], 0);
            (u8::try_from(seq.wrapping_sub(1) % u32::from(ota_count)).unwrap(), index)
        });
        prop_assert_eq!(selected(&first, &second, ota_count), expected);
    }

    #[test]
    fn the_entry_for_a_slot_selects_it_and_until_then_nothing_changes(
        first in sectors(),
        second in sectors(),
        (ota_index, ota_count) in (1u8..=16).prop_flat_map(|count| (0..count, Just(count))),
        programmed in 0usize..28,
    ) {
        let before = OtaData::parse(&first, &second);
        let Ok((entry_index, entry)) = before.entry_for(ota_index, ota_count) else {
            // Only ever refused at the very end of the range.
            let last = before.select(ota_count).unwrap().entry_index;
            prop_assert!(before.entries[last].unwrap().seq > u32::MAX - 1 - u32::from(ota_count));
            return Ok(());
        };
        let in_force = before.select(ota_count);
        prop_assert_ne!(in_force.map(|selection| selection.entry_index), Some(entry_index));
        let with = |written: [u8; ENTRY_LEN_BYTES]| {
            let mut sectors = [first, second];
            sectors[entry_index] = written;
            OtaData::parse(&sectors[0], &sectors[1]).select(ota_count)
        };
        let mut torn = BLANK;
        torn[..programmed].copy_from_slice(&entry.to_bytes()[..programmed]);
        prop_assert_eq!(with(torn), in_force);
        prop_assert_eq!(with(entry.to_bytes()), Some(Selection { ota_index, entry_index }));
        if let Some(old) = in_force {
            let old_seq = before.entries[old.entry_index].unwrap().seq;
            prop_assert!(entry.seq > old_seq && entry.seq - old_seq <= u32::from(ota_count));
        }
    }
}
