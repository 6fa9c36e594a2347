use super::*;
use nor_sim::{Driver, NorMemory};
use proptest::prelude::*;

fn fetched() -> impl Strategy<Value = Fetched> {
    any::<(u8, u32, [u8; 4])>().prop_map(|(artifact, len_bytes, digest)| Fetched {
        artifact,
        len_bytes,
        digest,
    })
}

fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        any::<(u32, u32)>().prop_map(|(number, lost)| Entry::Attempt { number, lost }),
        any::<u32>().prop_map(Entry::Failed),
        any::<(u8, u32)>()
            .prop_map(|(artifact, len_bytes)| Entry::Progress { artifact, len_bytes }),
        fetched().prop_map(Entry::Fetched),
    ]
}

fn run<T>(future: impl Future<Output = T>) -> T {
    nor_sim::run_until_powered_off(future, &nor_sim::Power::new()).unwrap()
}

const SECTOR: Region = Region::clamped(FlashAddr(0x1000), 0x1000);
const TAG: u32 = 7;

type Flash = Driver<NorMemory, 4, 4>;

fn flash() -> Flash {
    Driver::with_alignment(NorMemory::erased(0x4000))
}

/// Records entries as one run of the engine does.
fn note(flash: &mut Flash, entries: &[Entry]) {
    run(async {
        let mut medium = Medium::new(flash);
        let mut journal = Journal::load(&mut medium, Some(SECTOR), TAG).await;
        for entry in entries {
            journal.note(&mut medium, *entry).await;
        }
    });
}

fn load(flash: &mut Flash) -> Journal {
    run(async { Journal::load(&mut Medium::new(flash), Some(SECTOR), TAG).await })
}

fn progress(artifact: u8, steps: u32) -> Entry {
    Entry::Progress { artifact, len_bytes: steps * CHECKPOINT_BYTES }
}

proptest! {
    #[test]
    fn a_record_reads_as_written(entry in entry(), tag: u32) {
        prop_assert_eq!(parse(&emit(entry, tag), tag), Some(entry));
    }

    #[test]
    fn a_record_of_another_migration_is_garbage(entry in entry(), tag: u32, other: u32) {
        prop_assume!(tag != other);
        prop_assert_eq!(parse(&emit(entry, tag), other), None);
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed(entry in entry(), tag: u32, bit in 0..128usize) {
        let mut record = emit(entry, tag);
        record[bit / 8] ^= 1 << (bit % 8);
        // The CRC covers the two unused bytes, too.
        prop_assert_eq!(parse(&record, tag), None);
    }

    /// Whatever is recorded in however many runs, the journal returns what was recorded last.
    #[test]
    fn says_what_was_noted_last(
        runs in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    4 => (0..3u8, 1..400u32)
                        .prop_map(|(artifact, steps)| progress(artifact, steps)),
                    1 => (1..9u32, 0..3u32)
                        .prop_map(|(number, lost)| Entry::Attempt { number, lost }),
                    1 => (0..9u32).prop_map(Entry::Failed),
                    1 => (0..3u8, any::<(u32, [u8; 4])>())
                        .prop_map(|(artifact, (len_bytes, digest))| {
                            Entry::Fetched(Fetched { artifact, len_bytes, digest })
                        }),
                ],
                0..60,
            ),
            1..6,
        )
    ) {
        let mut flash = flash();
        let (mut failed, mut open, mut lost) = (0, false, 0);
        let (mut last, mut known) = (None, [None; 3]);
        let mut furthest: Option<(u8, u32)> = None;
        for entries in &runs {
            note(&mut flash, entries);
            for entry in entries {
                match *entry {
                    Entry::Attempt { number, lost: before } => {
                        (failed, open, lost) = (number - 1, true, before);
                    }
                    Entry::Failed(count) => (failed, open, lost) = (count, false, 0),
                    Entry::Progress { artifact, len_bytes } => {
                        last = Some((artifact, len_bytes));
                        if furthest.is_none_or(|(of, most)| of != artifact || most < len_bytes) {
                            (furthest, failed, open, lost) = (last, 0, false, 0);
                        }
                    }
                    Entry::Fetched(fetched) => {
                        let known = &mut known[usize::from(fetched.artifact)];
                        if *known != Some(fetched) {
                            (failed, open, lost) = (0, false, 0);
                        }
                        *known = Some(fetched);
                    }
                }
            }
            let journal = load(&mut flash);
            prop_assert_eq!((journal.failed(), journal.is_open()), (failed, open));
            prop_assert!(!open || journal.lost() == lost);
            for artifact in 0..3 {
                let wanted = last.filter(|(of, _)| *of == artifact).map_or(0, |(_, len)| len);
                prop_assert_eq!(journal.progress(artifact), wanted);
                prop_assert_eq!(journal.fetched(artifact), known[usize::from(artifact)]);
            }
        }
    }

    /// Noise is not a journal, and what is recorded over it can be read.
    #[test]
    fn noise_is_erased_before_the_first_record(seed: u64) {
        let mut memory = NorMemory::erased(0x4000);
        memory.load_noise(SECTOR, seed);
        let mut flash = Driver::with_alignment(memory);
        prop_assert_eq!(load(&mut flash).failed(), 0);
        note(&mut flash, &[Entry::Failed(3)]);
        prop_assert_eq!(load(&mut flash).failed(), 3);
        prop_assert_eq!(flash.device().erase_count(SECTOR.start()), 1);
    }
}

#[test]
fn progress_survives_a_reset_and_a_torn_record() {
    let mut flash = flash();
    note(&mut flash, &[Entry::Failed(1), progress(2, 1)]);
    // Half a record after attempt, progress and its marks, as a power cut leaves it.
    run(async {
        let mut medium = Medium::new(&mut flash);
        medium.program(FlashAddr(0x1030), &[2, 2, 0xff, 0xff, 0, 0x30, 0, 0]).await.unwrap();
    });
    let journal = load(&mut flash);
    assert_eq!((journal.progress(2), journal.progress(1), journal.failed()), (8192, 0, 0));
    note(&mut flash, &[Entry::Failed(1)]);
    let journal = load(&mut flash);
    assert_eq!((journal.progress(2), journal.failed()), (8192, 1));
    assert_eq!(flash.device().erase_count(SECTOR.start()), 0);
}

/// 16 MiB, the largest slot of these chips' common flashes, leave the sector with room: it is not
/// erased in an uninterrupted migration.
#[test]
fn the_longest_image_fits() {
    let mut flash = flash();
    let steps: std::vec::Vec<Entry> = (1..=16 * 128).map(|steps| progress(0, steps)).collect();
    note(&mut flash, &steps);
    assert_eq!(load(&mut flash).progress(0), 16 << 20);
    assert_eq!(flash.device().erase_count(SECTOR.start()), 0);
    // 16 MiB are marked in 16 cells, each with its record.
    let used = flash.device().bytes(SECTOR).iter().rposition(|byte| *byte != 0xff).unwrap() + 1;
    assert_eq!(used.div_ceil(32), 16);
}

#[test]
fn a_mark_is_one_word() {
    let mut flash =
        Driver::<_, 4, 4>::with_alignment(nor_sim::Counted::new(NorMemory::erased(0x4000)));
    run(async {
        let mut medium = Medium::new(&mut flash);
        let mut journal = Journal::load(&mut medium, Some(SECTOR), TAG).await;
        for steps in 1..=34 {
            journal.note(&mut medium, progress(0, steps)).await;
        }
    });
    let counts = flash.device().counts();
    assert_eq!((counts.pages_programmed, counts.bytes_programmed), (34, 16 + 33 * 4));
    let marks = Region::clamped(FlashAddr(0x1010), 16);
    let mut wanted = [0xff; 16];
    wanted[..5].copy_from_slice(&[0, 0, 0, 0, 0xfe]);
    assert_eq!(flash.device().inner().bytes(marks), wanted);
}

/// Marks that were set after an attempt was recorded must not be treated as older than it.
#[test]
fn progress_after_an_attempt_counts_as_such() {
    let mut flash = flash();
    note(&mut flash, &[Entry::Failed(1), progress(0, 1), progress(0, 2)]);
    note(&mut flash, &[Entry::Failed(1), progress(0, 3), progress(0, 4)]);
    let journal = load(&mut flash);
    assert_eq!((journal.failed(), journal.progress(0)), (0, 4 * CHECKPOINT_BYTES));
}

/// Nor does a journal that is rewritten forget the furthest point.
#[test]
fn what_comes_again_is_no_progress() {
    let mut flash = flash();
    let whole = Fetched { artifact: 0, len_bytes: 9, digest: [1, 2, 3, 4] };
    note(&mut flash, &[progress(0, 1), progress(0, 2), progress(0, 3), Entry::Fetched(whole)]);
    for count in 1..=200 {
        note(&mut flash, &[Entry::Failed(count), progress(0, 1), progress(0, 2)]);
        assert_eq!(load(&mut flash).failed(), count);
        note(&mut flash, &[progress(0, 3), Entry::Fetched(whole)]);
        assert_eq!(load(&mut flash).failed(), count);
    }
    assert!(flash.device().erase_count(SECTOR.start()) > 1);
    note(&mut flash, &[progress(0, 4)]);
    assert_eq!(load(&mut flash).failed(), 0);
    note(&mut flash, &[Entry::Failed(1), progress(1, 1)]);
    assert_eq!(load(&mut flash).failed(), 0);
}

#[test]
fn a_full_journal_starts_over_and_keeps_what_it_knows() {
    let mut flash = flash();
    let known = Fetched { artifact: 1, len_bytes: 9, digest: [1, 2, 3, 4] };
    note(&mut flash, &[Entry::Fetched(known), progress(3, 5)]);
    for count in 1..=256 {
        note(&mut flash, &[Entry::Failed(count)]);
    }
    let journal = load(&mut flash);
    assert_eq!(journal.fetched(1), Some(known));
    assert_eq!((journal.progress(3), journal.failed()), (5 * CHECKPOINT_BYTES, 256));
    assert_eq!(flash.device().erase_count(SECTOR.start()), 1);
}

#[test]
fn a_sector_that_cannot_be_read_is_no_journal() {
    let faulty = nor_sim::Faulty::new(NorMemory::erased(0x4000));
    let faulty = faulty.with_read_fault(SECTOR, u32::MAX, nor_sim::ReadFault::Fails);
    let mut flash = Driver::<_, 4, 4>::with_alignment(faulty);
    run(async {
        let mut medium = Medium::new(&mut flash);
        let mut journal = Journal::load(&mut medium, Some(SECTOR), TAG).await;
        journal.note(&mut medium, progress(0, 1)).await;
        // It is remembered for this run nevertheless.
        assert_eq!(journal.progress(0), CHECKPOINT_BYTES);
    });
    assert_eq!(flash.device().ops(), 0);
}

#[test]
fn a_sector_that_cannot_be_written_is_given_up() {
    let faulty = nor_sim::Faulty::new(NorMemory::erased(0x4000));
    let faulty = faulty.with(nor_sim::When::Touching(SECTOR, u32::MAX), nor_sim::OpFault::Fails);
    let mut flash = Driver::<_, 4, 4>::with_alignment(faulty);
    run(async {
        let mut medium = Medium::new(&mut flash);
        let mut journal = Journal::load(&mut medium, Some(SECTOR), TAG).await;
        for steps in 1..10 {
            journal.note(&mut medium, progress(0, steps)).await;
        }
    });
    assert_eq!(flash.device().ops(), 1);
}

/// Power is lost before, in the middle of and after every operation of a life with a full journal:
/// what is read then was recorded at some time.
#[test]
fn a_cut_never_makes_anything_up() {
    use nor_sim::{Cut, PowerCut};
    let life = |flash: &mut Driver<PowerCut<NorMemory>, 4, 4>| {
        let power = flash.device().power();
        let all = async {
            let mut medium = Medium::new(flash);
            let mut journal = Journal::load(&mut medium, Some(SECTOR), TAG).await;
            journal
                .note(
                    &mut medium,
                    Entry::Fetched(Fetched { artifact: 9, len_bytes: 1, digest: [5; 4] }),
                )
                .await;
            for steps in 1..=300 {
                journal.note(&mut medium, Entry::Failed(1)).await;
                journal.note(&mut medium, progress(1, steps)).await;
            }
        };
        let _ = nor_sim::run_until_powered_off(all, &power);
    };
    let mut whole = Driver::with_alignment(PowerCut::new(NorMemory::erased(0x4000)));
    life(&mut whole);
    for op in 0..whole.device().ops() {
        for cut in [Cut::before(op), Cut::middle(op, op), Cut::after(op)] {
            let mut flash =
                Driver::with_alignment(PowerCut::new(NorMemory::erased(0x4000)).with(cut));
            life(&mut flash);
            let mut flash: Flash = Driver::with_alignment(flash.into_device().into_inner());
            let journal = load(&mut flash);
            assert!(journal.failed() <= 1, "{cut:?}");
            assert!(journal.progress(1) <= 300 * CHECKPOINT_BYTES, "{cut:?}");
            let known = journal.fetched(9);
            assert!(known.is_none_or(|known| known.digest == [5; 4]), "{cut:?}");
        }
    }
}
