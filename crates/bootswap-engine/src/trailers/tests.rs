use std::vec;
use std::vec::Vec;

use mcuboot_format::SwapKind;
use mcuboot_format::trailer::TrailerConfig;
use nor_sim::{
    Cut, Driver, Faulty, NorDevice, NorError, NorMemory, OpFault, Power, PowerCut, Recorded, When,
    run_until_powered_off,
};

use super::*;
use crate::journal::Journal;
use crate::tests::kit::{Log, SECONDARY, at};

const FLASH_LEN: u32 = 0x4_0000;

fn layout() -> TrailerLayout {
    TrailerLayout::new(SECONDARY, TrailerConfig::espressif(SwapKind::Scratch)).unwrap()
}

fn noisy() -> NorMemory {
    let mut memory = NorMemory::erased(FLASH_LEN);
    memory.load_noise(at(0, FLASH_LEN), 3);
    memory
}

fn run<D: NorDevice, T>(
    device: D,
    work: impl AsyncFnOnce(&mut Medium<'_, Driver<D, 4, 4>>, &mut Log) -> T,
) -> (T, D) {
    let mut driver = Driver::with_alignment(device);
    let mut log = Log::default();
    let all = async { work(&mut Medium::new(&mut driver), &mut log).await };
    (run_until_powered_off(all, &Power::new()).unwrap(), driver.into_device())
}

/// The same with all that a step is lent.
fn run_step<D: NorDevice, T>(
    device: D,
    step: impl AsyncFnOnce(&mut Work<'_, '_, Driver<D, 4, 4>, Log>) -> T,
) -> (T, D) {
    run(device, async |medium, platform| {
        let mut journal = Journal::load(medium, None, 0).await;
        let (memory, sector) = (&mut [][..], &mut [0; SECTOR]);
        step(&mut Work { medium, platform, journal: &mut journal, memory, sector }).await
    })
}

type Outcome = Result<(), Failure<NorError>>;

fn clean_region<D: NorDevice>(device: D, region: Region, erasable: Region) -> (Outcome, D) {
    run(device, async |medium, log| clean(medium, log, region, erasable).await)
}

#[test]
fn cleans_what_is_not_blank_and_nothing_else() {
    let trailer = layout().trailer();
    let whole = trailer.align_out(SECTOR_BYTES).unwrap();
    let (done, device) = clean_region(Recorded::new(noisy()), trailer, whole);
    assert_eq!((done, device.recording().len()), (Ok(()), 2));
    assert!(flash_region::is_blank(&device.inner().bytes(trailer)));
    let outside = at(0, whole.start().get());
    assert!(device.inner().bytes(outside) == noisy().bytes(outside));
    let (done, device) = clean_region(Recorded::new(device.into_inner()), trailer, whole);
    assert_eq!((done, device.recording().len()), (Ok(()), 0));

    // Only the second of the two sectors is stale.
    let mut memory = NorMemory::erased(FLASH_LEN);
    memory.load(layout().magic(), &[0]);
    let (done, device) = clean_region(Recorded::new(memory), trailer, whole);
    assert_eq!((done, device.recording().len()), (Ok(()), 1));
}

#[test]
fn a_long_region_goes_in_blocks() {
    let (done, device) = clean_region(Recorded::new(noisy()), SECONDARY, SECONDARY);
    assert_eq!((done, device.recording().len()), (Ok(()), 1));
}

#[test]
fn what_must_not_be_erased_is_not() {
    let trailer = layout().trailer();
    let last = SECONDARY.suffix(SECTOR_BYTES);
    let (done, device) = clean_region(Recorded::new(noisy()), trailer, last);
    let first = trailer.chunks(SECTOR_BYTES).next().unwrap();
    assert_eq!(done, Err(Failure::Unclean { region: first }));
    assert!(device.recording().is_empty());
}

#[test]
fn an_erase_is_tried_three_times() {
    let sector = SECONDARY.suffix(SECTOR_BYTES);
    for (times, works) in [(2, true), (3, false)] {
        for fault in [OpFault::Fails, OpFault::Ignored, OpFault::SilentlyTorn { seed: 5 }] {
            let device = Faulty::new(noisy()).with(When::Touching(sector, times), fault);
            let (done, device) = clean_region(device, sector, sector);
            assert_eq!(done.is_ok(), works, "{fault:?} {times}: {done:?}");
            assert_eq!(device.ops(), 3);
        }
    }
}

#[test]
fn a_scratch_area_is_cleaned_only_if_it_ends_in_the_magic() {
    let scratch = at(0x3_0000, 0x4000);
    let end = scratch.suffix(SECTOR_BYTES);
    let config = TrailerConfig::espressif(SwapKind::Scratch);
    let layout = TrailerLayout::scratch(scratch, config).unwrap();
    let clean = |memory: NorMemory, erasable| {
        run_step(Recorded::new(memory), async |work| clean_scratch(work, &layout, erasable).await)
    };
    let (done, device) = clean(noisy(), end);
    assert_eq!((done, device.recording().len()), (Ok(()), 0));
    let mut stale = noisy();
    stale.load(scratch.suffix(16).start(), &magic_bytes(8));
    let (done, device) = clean(stale.clone(), end);
    assert_eq!((done, device.recording().len()), (Ok(()), 1));
    assert!(flash_region::is_blank(&device.inner().bytes(end)));
    let (done, device) = clean(stale, Region::clamped(end.end(), 0));
    assert_eq!(done, Err(Failure::Unclean { region: end }));
    assert!(device.recording().is_empty());
}

#[test]
fn a_header_is_cleaned_only_if_it_is_one() {
    let slot = SECONDARY;
    let first = slot.prefix(SECTOR_BYTES);
    let clean = |memory: NorMemory| {
        run_step(Recorded::new(memory), async |work| clean_header(work, slot, first).await)
    };
    let (done, device) = clean(noisy());
    assert_eq!((done, device.recording().len()), (Ok(()), 0));
    let mut stale = noisy();
    stale.load(slot.start(), &IMAGE_MAGIC.to_le_bytes());
    let (done, device) = clean(stale);
    assert_eq!((done, device.recording().len()), (Ok(()), 1));
    assert!(flash_region::is_blank(&device.inner().bytes(first)));
}

fn state(memory: &NorMemory) -> TrailerState {
    TrailerState::parse(&layout(), &memory.bytes(SECONDARY.suffix(PAGE_BYTES))).unwrap()
}

#[test]
fn confirming_takes_two_programs_and_repeating_it_none() {
    let (done, device) = run(Recorded::new(NorMemory::erased(FLASH_LEN)), async |medium, _| {
        confirm(medium, &layout()).await
    });
    assert_eq!((done, device.recording().len()), (Ok::<_, Failure<NorError>>(()), 2));
    assert_eq!(state(device.inner()), TrailerState::CONFIRMED);
    let memory = device.into_inner();
    let (done, device) =
        run(Recorded::new(memory), async |medium, _| confirm(medium, &layout()).await);
    assert_eq!((done, device.recording().len()), (Ok::<_, Failure<NorError>>(()), 0));
}

/// A flag or magic that a cut left half written is completed; until the magic is complete, MCUboot
/// ignores the trailer.
#[test]
fn a_torn_confirmation_is_completed() {
    for op in 0..2 {
        for seed in 0..32 {
            for cut in [Cut::before(op), Cut::middle(op, seed), Cut::after(op)] {
                let device = PowerCut::new(NorMemory::erased(FLASH_LEN)).with(cut);
                let power = device.power();
                let mut driver = Driver::<_, 4, 4>::with_alignment(device);
                let layout = layout();
                let mut medium = Medium::new(&mut driver);
                assert!(run_until_powered_off(confirm(&mut medium, &layout), &power).is_none());
                let torn = driver.into_device().into_inner();
                let before = state(&torn);
                assert!(
                    before.magic != Magic::Good || before == TrailerState::CONFIRMED,
                    "{cut:?}"
                );
                let (untouched, device) =
                    run(torn, async |medium, _| is_untouched(medium, &layout).await);
                assert_eq!(untouched, Ok::<_, Failure<NorError>>(true), "{cut:?}");
                let (done, device) = run(device, async |medium, _| confirm(medium, &layout).await);
                assert_eq!(done, Ok::<_, Failure<NorError>>(()), "{cut:?}");
                assert_eq!(state(&device), TrailerState::CONFIRMED);
            }
        }
    }
}

#[test]
fn stale_bytes_are_not_written_over() {
    for addr in [layout().image_ok(), layout().magic()] {
        let mut memory = NorMemory::erased(FLASH_LEN);
        memory.load(addr, &[0x10]);
        let (done, device) =
            run(Recorded::new(memory), async |medium, _| confirm(medium, &layout()).await);
        assert!(matches!(done, Err(Failure::<NorError>::Unclean { .. })), "{done:?}");
        assert!(device.recording().len() <= 1);
    }
}

/// With the largest alignment and the kind of swap that has the most fields.
#[test]
fn a_page_has_all_fields_of_the_largest_trailer() {
    let config = TrailerConfig { max_align: 32, ..TrailerConfig::espressif(SwapKind::Offset) };
    let layout = TrailerLayout::new(SECONDARY, config).unwrap();
    assert!(layout.fields().len_bytes() <= PAGE_BYTES);
    let tail = fresh_tail(&layout, true);
    assert_eq!(TrailerState::parse(&layout, &tail), Ok(TrailerState::CONFIRMED));
}

#[test]
fn a_trailer_is_untouched_when_blank_confirmed_or_in_between() {
    let untouched = |memory: NorMemory| {
        let (untouched, _) = run(memory, async |medium, _| is_untouched(medium, &layout()).await);
        untouched.unwrap_or_else(|failure: Failure<NorError>| panic!("{failure:?}"))
    };
    let blank = NorMemory::erased(FLASH_LEN);
    assert!(untouched(blank.clone()));
    let wrong: Vec<(FlashAddr, u8)> = vec![
        (layout().trailer().start(), 0xfe),
        (layout().swap_info(), 0),
        (layout().copy_done(), FLAG_SET),
        (layout().image_ok(), 0xfe),
        (layout().magic(), 0x11),
    ];
    for (addr, byte) in wrong {
        let mut memory = blank.clone();
        memory.load(addr, &[byte]);
        assert!(!untouched(memory), "{addr} {byte:#x}");
    }
    // Bytes before the trailer are the image's.
    let mut memory = blank;
    memory.load_noise(at(SECONDARY.start().get(), layout().offset_bytes()), 4);
    assert!(untouched(memory));
}
