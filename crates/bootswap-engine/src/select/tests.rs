use nor_sim::{
    Cut, Driver, Faulty, NorMemory, Op, OpFault, Power, PowerCut, Recorded, When,
    run_until_powered_off,
};

use esp_idf_format::otadata::OtaEntry;

use super::*;
use crate::tests::kit::at;

const OTADATA: Region = at(0xd000, 0x2000);
const COUNT: u8 = 3;

/// Otadata with these entries; `None` is blank.
fn flash(entries: [Option<(u32, OtaState)>; 2]) -> NorMemory {
    let mut memory = NorMemory::erased(0x1_0000);
    for (index, entry) in entries.into_iter().enumerate() {
        if let Some((seq, state)) = entry {
            memory.load(sector(OTADATA, index).start(), &OtaEntry::new(seq, state).to_bytes());
        }
    }
    memory
}

fn data(memory: &NorMemory) -> OtaData {
    let entry = |index| memory.bytes(sector(OTADATA, index).prefix(32));
    OtaData::parse(&entry(0), &entry(1))
}

fn run(memory: &NorMemory, app: App) -> (Result<(), Failure<nor_sim::NorError>>, NorMemory, usize) {
    let mut driver = Driver::<_, 4, 4>::with_alignment(Recorded::new(memory.clone()));
    let mut medium = Medium::new(&mut driver);
    let done = run_until_powered_off(select(&mut medium, OTADATA, app), &Power::new()).unwrap();
    let device = driver.into_device();
    let ops = device.recording().len();
    (done, device.into_inner(), ops)
}

const fn slot(index: u8) -> App {
    App::Ota { index, count: COUNT }
}

/// Every pair of entries that a bootloader may have left.
fn situations() -> impl Iterator<Item = NorMemory> {
    use OtaState::{Aborted, Invalid, New, PendingVerify, Undefined, Valid};
    let entries = || {
        [New, PendingVerify, Valid, Invalid, Aborted, Undefined]
            .into_iter()
            .flat_map(|state| [1, 2, 3, 7].map(|seq| Some((seq, state))))
            .chain([None])
    };
    entries().flat_map(move |first| entries().map(move |second| flash([first, second])))
}

#[test]
fn starts_the_slot_for_good_whatever_was_there() {
    for memory in situations() {
        for index in 0..COUNT {
            let (done, after, ops) = run(&memory, slot(index));
            assert_eq!(done, Ok(()), "{:?}", data(&memory));
            // With rollback or without, and at the boot after that as well.
            for rollback in [false, true] {
                let boot = data(&after).boot(COUNT, rollback);
                assert_eq!(boot.selection.map(|s| s.ota_index), Some(index), "{:?}", data(&memory));
                let entry = data(&after).entries[boot.selection.unwrap().entry_index].unwrap();
                assert!(matches!(entry.state, OtaState::Valid | OtaState::Undefined));
            }
            assert!(ops <= 2);
            let (done, _, again) = run(&after, slot(index));
            assert_eq!((done, again), (Ok(()), 0));
        }
    }
}

#[test]
fn starts_the_factory_app() {
    for memory in situations() {
        let (done, after, ops) = run(&memory, App::Factory);
        assert_eq!(done, Ok(()), "{:?}", data(&memory));
        assert_eq!(data(&after).boot(COUNT, true).selection, None);
        assert!(ops <= 2);
        let (_, _, again) = run(&after, App::Factory);
        assert_eq!(again, 0);
    }
}

/// Power may be lost at any operation: the app that ran before or the selected one is started then.
#[test]
fn no_cut_starts_anything_else() {
    let before = flash([Some((4, OtaState::PendingVerify)), Some((3, OtaState::Valid))]);
    // Sequence 4 is slot 0, which runs.
    for (app, allowed) in [
        (slot(0), [Some(0), Some(0)]),
        (slot(2), [Some(0), Some(2)]),
        (App::Factory, [Some(0), None]),
    ] {
        for op in 0..2 {
            for seed in 0..24 {
                for cut in [Cut::before(op), Cut::middle(op, seed), Cut::after(op)] {
                    let device = PowerCut::new(before.clone()).with(cut);
                    let power = device.power();
                    let mut driver = Driver::<_, 4, 4>::with_alignment(device);
                    let mut medium = Medium::new(&mut driver);
                    let _ = run_until_powered_off(select(&mut medium, OTADATA, app), &power);
                    let torn = driver.into_device().into_inner();
                    let started = data(&torn).boot(COUNT, false).selection.map(|s| s.ota_index);
                    assert!(allowed.contains(&started), "{app:?} {cut:?}: {started:?}");
                    let (done, after, _) = run(&torn, app);
                    assert_eq!(done, Ok(()), "{app:?} {cut:?}");
                    let started = data(&after).boot(COUNT, false).selection.map(|s| s.ota_index);
                    assert_eq!(started, allowed[1], "{app:?} {cut:?}");
                }
            }
        }
    }
}

#[test]
fn never_touches_the_entry_in_force() {
    let before = flash([Some((4, OtaState::PendingVerify)), Some((3, OtaState::Valid))]);
    let mut driver = Driver::<_, 4, 4>::with_alignment(Recorded::new(before));
    let mut medium = Medium::new(&mut driver);
    let done = run_until_powered_off(select(&mut medium, OTADATA, slot(0)), &Power::new());
    assert_eq!(done, Some(Ok(())));
    let in_force = sector(OTADATA, 0);
    let device = driver.into_device();
    let ops: std::vec::Vec<Op> = device.recording().ops().collect();
    assert!(ops.iter().all(|op| !op.region().overlaps(in_force)), "{ops:?}");
}

#[test]
fn what_cannot_be_is_said() {
    let memory = flash([Some((u32::MAX - 2, OtaState::Valid)), None]);
    for index in [2, COUNT] {
        let (done, after, ops) = run(&memory, slot(index));
        assert_eq!(done, Err(Failure::Otadata { region: OTADATA }));
        assert_eq!((ops, after.first_difference(&memory)), (0, None));
    }
    // A chip that fails once is tried again.
    let device = Faulty::new(flash([Some((4, OtaState::New)), Some((3, OtaState::Valid))]));
    let device = device.with(When::Touching(OTADATA, 2), OpFault::FailsTorn { seed: 3 });
    let mut driver = Driver::<_, 4, 4>::with_alignment(device);
    let mut medium = Medium::new(&mut driver);
    let done = run_until_powered_off(select(&mut medium, OTADATA, slot(1)), &Power::new());
    assert_eq!(done, Some(Ok(())));
}
