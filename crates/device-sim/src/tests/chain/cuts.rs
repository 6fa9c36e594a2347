//! Power cuts over the whole trial: the old firmware selects the carrier, the loader counts, the
//! target confirms, the loader goes back. No device is ever lost.

use nor_sim::Phase;

use super::*;

/// Number of lives in a row after which nothing more can happen.
const LIVES: u32 = 6;

/// Runs one case and has every life end with something that runs. Returns the operations.
fn run(hosted: &Hosted, acts: &[TargetAct], cuts: &[Cut]) -> u64 {
    let device = hosted.device().with_target(acts);
    let mut device = cuts.iter().fold(device, |device, cut| device.with_cut(*cut));
    let mut lines = Vec::new();
    for _ in 0..LIVES {
        let outcome = device.live(12, &mut old_firmware, &mut lines).outcome;
        let console = || lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        assert!(outcome.is_alive(), "{cuts:?}: {outcome}\n{}", console());
    }
    device.supply().ops()
}

/// What the target may do, and the number of flash operations that result: two for the switch, the
/// counted starts, the confirmation and its note, two for the way back.
fn targets() -> [(&'static [TargetAct], u64); 5] {
    use TargetAct::{Confirm, Hang, Reset, Stay};
    [
        (&[Stay], 2 + 3 + 2),
        (&[Confirm], 2 + 1 + 1 + 1),
        (&[Reset, Confirm], 2 + 2 + 1 + 1),
        (&[Reset], 2 + 3 + 2),
        (&[Hang { stopped_watchdog: false }], 2 + 3 + 2),
    ]
}

#[test]
fn no_single_cut_loses_a_device() {
    for (rollback, first_entry) in [(false, 0), (true, 1)] {
        let hosted = Hosted::new(3).with_rollback(rollback).before_the_switch(first_entry);
        for (acts, ops) in targets() {
            assert_eq!(run(&hosted, acts, &[]), ops, "{acts:?}");
            for op in 0..ops {
                for cut in cuts_at(op) {
                    run(&hosted, acts, &[cut]);
                }
            }
        }
    }
}

/// The second cut is in the operations that the first one left to do.
#[test]
fn no_two_cuts_lose_a_device() {
    let hosted = Hosted::new(3).before_the_switch(0);
    let cuts = |op| {
        let torn = (0..3).map(move |seed| Phase::Middle { seed: op * 10 + seed });
        torn.chain([Phase::After]).map(move |phase| Cut { op, phase })
    };
    for (acts, ops) in targets().into_iter().take(3) {
        for op in 0..ops {
            for first in cuts(op) {
                let ops = run(&hosted, acts, &[first]);
                for second in (op + 1..ops).flat_map(cuts) {
                    run(&hosted, acts, &[first, second]);
                }
            }
        }
    }
}

/// The kinds of states that a torn program of these bytes can leave: the bytes up to each place,
/// each bit alone, all but each bit.
fn torn(before: &[u8], wanted: &[u8]) -> Vec<Vec<u8>> {
    let whole: Vec<u8> = before.iter().zip(wanted).map(|(old, new)| old & new).collect();
    let mut states = Vec::new();
    for at in 0..whole.len() {
        states.push([&whole[..at], &before[at..]].concat());
        for bit in (0..8).map(|bit| 1 << bit).filter(|bit| (before[at] & !whole[at]) & bit != 0) {
            let mut alone = before.to_vec();
            alone[at] &= !bit;
            let mut all_but = whole.clone();
            all_but[at] |= bit;
            states.extend([alone, all_but]);
        }
    }
    states
}

/// The entry that selects the carrier, torn at any place: the old firmware or the target.
#[test]
fn every_torn_entry_starts_the_old_or_the_new() {
    let mut states = 0;
    for rollback in [false, true] {
        for first_entry in [0, 1] {
            let hosted = Hosted::new(3).with_rollback(rollback).before_the_switch(first_entry);
            let other = OTADATA.saturating_add(if first_entry == 0 { SECTOR_BYTES } else { 0 });
            let entry = OtaEntry::new(2, OtaState::Undefined).to_bytes();
            for state in torn(&[0xff; 32], &entry) {
                run(&hosted.clone().changed(other, &state), &[TargetAct::Stay], &[]);
                states += 1;
            }
        }
    }
    assert!(states > 4 * 100, "{states}");
}

/// The way back, torn at any place: checksum first, then sequence.
#[test]
fn every_torn_way_back_starts_the_old_or_the_new() {
    let hosted = Hosted::new(1).changed(TRIAL_WORD.start(), &(!1_u32).to_le_bytes());
    let entry = OtaEntry::new(2, OtaState::Undefined).to_bytes();
    let without_checksum = [&entry[..28], &[0; 4]].concat();
    let gone = [&[0; 4], &without_checksum[4..]].concat();
    let states = [torn(&entry, &without_checksum), torn(&without_checksum, &gone)].concat();
    for state in states {
        let hosted = hosted.clone().changed(OTADATA.saturating_add(SECTOR_BYTES), &state);
        let outcome = hosted.device().live(4, &mut old_firmware, &mut ()).outcome;
        assert_eq!(outcome.to_string(), "old firmware running: old 1.0 in ota_0", "{state:x?}");
    }
}

/// The trial word, torn: a start is counted or not; a confirmation is recorded or read again.
#[test]
fn every_torn_count_is_one_start_or_none() {
    for (before, counted) in [(u32::MAX, 1), (!1, 2), (!3, 3)] {
        for word in [before, before & before.wrapping_sub(1)] {
            let word = word.to_le_bytes();
            let hosted = Hosted::new(3).changed(TRIAL_WORD.start(), &word);
            let device = hosted.device().live(1, &mut old_firmware, &mut ());
            let LifeOutcome::TargetRunning(target) = device.outcome else {
                assert_eq!((counted, word), (3, (!7_u32).to_le_bytes()));
                continue;
            };
            let TargetStart::Counted { number, of: 3 } = target.start else { panic!("{target}") };
            assert!(number == counted || number == counted + 1);
        }
    }
    for word in torn(&(!3_u32).to_le_bytes(), &[0; 4]) {
        let hosted = Hosted::new(3).changed(IMAGE_OK, &[1]).changed(TRIAL_WORD.start(), &word);
        let mut device = hosted.device();
        let outcome = device.live(1, &mut old_firmware, &mut ()).outcome;
        assert!(outcome.is_target(), "{word:x?}: {outcome}");
        assert_eq!(trial_word(&device), 0);
    }
}

/// A confirmation of which only some bits were written does not count, and cannot be repaired: the
/// old firmware comes back.
#[test]
fn a_torn_confirmation_does_not_count() {
    for image_ok in (0..=0xff_u8).filter(|byte| byte & 1 == 1) {
        let hosted = Hosted::new(2).changed(IMAGE_OK, &[image_ok]);
        let mut device = hosted.device().with_target(&[TargetAct::Confirm]);
        let mut outcome = None;
        for _ in 0..4 {
            outcome = Some(device.live(4, &mut old_firmware, &mut ()).outcome);
        }
        let outcome = outcome.unwrap();
        assert_eq!(outcome.is_target(), matches!(image_ok, 1 | 0xff), "{image_ok:#x}: {outcome}");
        assert!(outcome.is_alive());
    }
}

/// The erase of the sector that the entry goes into, torn, with a blank sector there or an older
/// entry: the old firmware, which does it again.
#[test]
fn every_torn_erase_of_an_entry_starts_the_old() {
    let older = OtaEntry::new(2, OtaState::Undefined).to_bytes();
    for before in [[0xff; 32], older] {
        for rollback in [false, true] {
            let hosted = Hosted::new(3).with_rollback(rollback).before_the_switch(0);
            let in_force = OtaEntry::new(3, OtaState::Valid).to_bytes();
            let other = OTADATA.saturating_add(SECTOR_BYTES);
            let hosted = hosted.changed(OTADATA, &in_force).changed(other, &before);
            for seed in 0..40 {
                let mut torn = hosted.clone();
                torn.memory.tear_erase(EraseUnit::Sector4K, other, seed).unwrap();
                let first = torn.device().live(1, &mut stay, &mut ()).outcome.to_string();
                assert_eq!(first, "old firmware running: old 1.0 in ota_0", "{seed}");
                run(&torn, &[TargetAct::Stay], &[]);
            }
        }
    }
}

/// If the target overwrites the old firmware before its starts run out, the carrier has nothing to
/// go back to: the old bootloader starts the carrier again, entry by entry, until the carrier has
/// no way back and starts the target.
#[test]
fn a_way_back_that_leads_nowhere_ends_at_the_target() {
    let old_firmware = Region::clamped(SECONDARY.start(), SECTOR_BYTES);
    let acts = [TargetAct::Overwrite(old_firmware), TargetAct::Stay];
    let hosted = Hosted::new(2);
    let mut device = hosted.device().with_target(&acts);
    let mut lines = Vec::new();
    for _ in 0..3 {
        let outcome = device.live(8, &mut stay, &mut lines).outcome;
        assert!(outcome.is_target(), "{outcome}");
    }
    assert_eq!(
        printed(&lines),
        [
            "loader: bootloader at 0x261000, copy 1, start 1 of 2",
            "loader: bootloader at 0x261000, copy 1, start 2 of 2",
            "loader: not confirmed, back to the old firmware",
            "loader: not confirmed, back to the old firmware",
            "loader: not confirmed, no way back",
            "loader: bootloader at 0x261000, copy 1",
            "loader: not confirmed, no way back",
            "loader: bootloader at 0x261000, copy 1",
        ]
    );
    for rollback in [false, true] {
        let hosted = Hosted::new(2).with_rollback(rollback);
        let ops = run(&hosted, &acts, &[]);
        for op in 0..ops {
            for cut in cuts_at(op) {
                run(&hosted, &acts, &[cut]);
            }
        }
    }
}
