//! Decorators in the stacks in which they are used.

use core::future::Future;

use embedded_storage::nor_flash::{NorFlash as Blocking, NorFlashError, NorFlashErrorKind};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use flash_region::{FlashAddr, Region, SECTOR_BYTES, is_blank};
use proptest::prelude::*;

use crate::*;

const CAPACITY: u32 = 0x40000;

fn at(addr: u32) -> FlashAddr {
    FlashAddr(addr)
}

fn region(start: u32, len_bytes: u32) -> Region {
    Region::clamped(FlashAddr(start), len_bytes)
}

/// Work of all kinds, as an engine would do it: 1 block, 1 small block, 2 sectors, 20 pages.
async fn work<F: NorFlash>(flash: &mut F) -> Result<(), F::Error> {
    flash.erase(0x8000, 0x20000).await?;
    flash.erase(0x21000, 0x23000).await?;
    flash.write(0x8080, &[0x0f; 0x1380]).await
}

mod memory {
    use super::*;

    #[test]
    fn programs_only_clear_and_erases_set() {
        let mut flash = NorMemory::erased(CAPACITY);
        flash.program_page(at(0x1010), &[0xf0, 0x3c]).unwrap();
        flash.program_page(at(0x1011), &[0x0f]).unwrap();
        assert_eq!(flash.bytes(region(0x100f, 4)), [0xff, 0xf0, 0x0c, 0xff]);
        flash.erase(EraseUnit::Sector4K, at(0x1000)).unwrap();
        assert!(is_blank(&flash.to_bytes()));
        assert_eq!(flash.erase_count(at(0x1fff)), 1);
        assert_eq!(flash.max_erase_count(region(0x2000, CAPACITY)), 0);
    }

    #[test]
    fn a_snapshot_keeps_what_was() {
        let mut flash = NorMemory::erased(CAPACITY);
        flash.load_noise(region(0x0ff0, 0x2020), 7);
        let snapshot = flash.clone();
        let before = flash.to_bytes();
        flash.erase(EraseUnit::Sector4K, at(0x1000)).unwrap();
        flash.program_page(at(0x2000), &[0; 256]).unwrap();
        assert_eq!(snapshot.to_bytes(), before);
        assert_eq!(snapshot.first_difference(&flash), Some(at(0x1000)));
        assert_eq!(snapshot.first_difference(&NorMemory::from_bytes(&before)), None);
    }

    #[test]
    fn a_chip_refuses_what_it_cannot_do() {
        let mut flash = NorMemory::erased(CAPACITY);
        let end = at(CAPACITY);
        let bounds = flash.program_page(end, &[0]).unwrap_err();
        assert_eq!(bounds.to_string(), "1 B at 0x40000 are not inside a flash of 0x40000 B");
        assert_eq!(bounds.kind(), NorFlashErrorKind::OutOfBounds);
        let crossed = flash.program_page(at(0xff), &[0, 0]).unwrap_err();
        assert_eq!(crossed, NorError::PageCrossed { addr: at(0xff), len_bytes: 2 });
        let misaligned = flash.erase(EraseUnit::Block64K, at(0x8000)).unwrap_err();
        assert_eq!(misaligned.kind(), NorFlashErrorKind::NotAligned);
        assert!(flash.read(at(u32::MAX), &mut [0; 2]).is_err());
        assert!(flash.tear_erase(EraseUnit::Sector4K, end, 0).is_err());
        assert!(is_blank(&flash.to_bytes()));
    }

    #[test]
    fn a_dump_of_odd_length_is_filled_up() {
        let flash = NorMemory::from_bytes(&[0x12; 0x1001]);
        assert_eq!(flash.capacity_bytes(), 0x2000);
        assert_eq!(flash.bytes(region(0x0fff, 4)), [0x12, 0x12, 0xff, 0xff]);
    }

    #[derive(Clone, Debug)]
    enum Do {
        Program(u32, Vec<u8>),
        Erase(EraseUnit, u32),
        TearProgram(u32, Vec<u8>, u64),
        TearErase(EraseUnit, u32, u64),
        Load(u32, Vec<u8>),
    }

    fn any_do() -> impl Strategy<Value = Do> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..256);
        let unit = || prop_oneof![Just(EraseUnit::Sector4K), Just(EraseUnit::Block32K)];
        let place = 0u32..0x12000;
        prop_oneof![
            (place.clone(), bytes()).prop_map(|(addr, bytes)| Do::Program(addr, bytes)),
            (unit(), 0u32..0x12).prop_map(|(unit, n)| Do::Erase(unit, n * SECTOR_BYTES)),
            (place.clone(), bytes(), any::<u64>()).prop_map(|(a, b, s)| Do::TearProgram(a, b, s)),
            (unit(), 0u32..0x12, any::<u64>()).prop_map(|(u, n, s)| Do::TearErase(u, n << 12, s)),
            (place, bytes()).prop_map(|(addr, bytes)| Do::Load(addr, bytes)),
        ]
    }

    proptest! {
        /// Against a plain array that follows the rules of NOR flash in the simplest way.
        #[test]
        fn agrees_with_a_plain_array(steps in proptest::collection::vec(any_do(), 1..40)) {
            const LEN: usize = 0x11000;
            let mut flash = NorMemory::erased(LEN as u32);
            let mut plain = vec![0xffu8; LEN];
            let mut snapshot = (flash.clone(), plain.clone());
            for (number, step) in steps.iter().enumerate() {
                if number == 10 {
                    snapshot = (flash.clone(), plain.clone());
                }
                match step {
                    Do::Program(addr, bytes) => {
                        if flash.program_page(at(*addr), bytes).is_ok() {
                            for (cell, byte) in plain[*addr as usize..].iter_mut().zip(bytes) {
                                *cell &= byte;
                            }
                        }
                    }
                    Do::Erase(unit, addr) => {
                        if flash.erase(*unit, at(*addr)).is_ok() {
                            plain[*addr as usize..][..unit.len_bytes() as usize].fill(0xff);
                        }
                    }
                    Do::TearProgram(addr, bytes, seed) => {
                        if flash.tear_program(at(*addr), bytes, *seed).is_ok() {
                            let now = flash.bytes(region(*addr, bytes.len() as u32));
                            for ((cell, wanted), now) in
                                plain[*addr as usize..].iter_mut().zip(bytes).zip(now)
                            {
                                prop_assert_eq!(now & !*cell, 0);
                                prop_assert_eq!(*cell & wanted & !now, 0);
                                *cell = now;
                            }
                        }
                    }
                    Do::TearErase(unit, addr, seed) => {
                        if flash.tear_erase(*unit, at(*addr), *seed).is_ok() {
                            let torn = flash.bytes(region(*addr, unit.len_bytes()));
                            plain[*addr as usize..][..torn.len()].copy_from_slice(&torn);
                        }
                    }
                    Do::Load(addr, bytes) => {
                        flash.load(at(*addr), bytes);
                        for (cell, byte) in plain.iter_mut().skip(*addr as usize).zip(bytes) {
                            *cell = *byte;
                        }
                    }
                }
                prop_assert!(flash.to_bytes() == plain, "after step {}: {:?}", number, step);
            }
            prop_assert!(snapshot.0.to_bytes() == snapshot.1, "the snapshot changed");
        }
    }
}

mod driver {
    use super::*;

    #[test]
    fn erases_with_the_largest_units_that_fit() {
        let mut driver = Driver::new(Traced::new(NorMemory::erased(CAPACITY)));
        Blocking::erase(&mut driver, 0x7000, 0x29000).unwrap();
        let units: Vec<_> =
            driver.device().entries().iter().map(|entry| entry.op.to_string()).collect();
        assert_eq!(
            units,
            [
                "4 KiB erase at 0x7000",
                "32 KiB erase at 0x8000",
                "64 KiB erase at 0x10000",
                "32 KiB erase at 0x20000",
                "4 KiB erase at 0x28000",
            ]
        );
    }

    #[test]
    fn erase_units_can_be_restricted() {
        const AS_ESP_IDF: &[EraseUnit] = &[EraseUnit::Block64K, EraseUnit::Sector4K];
        let mut driver =
            Driver::new(Counted::new(NorMemory::erased(CAPACITY))).with_erase_units(AS_ESP_IDF);
        Blocking::erase(&mut driver, 0x8000, 0x20000).unwrap();
        let counts = driver.device().counts();
        assert_eq!((counts.erase_4k, counts.erase_32k, counts.erase_64k), (8, 0, 1));
    }

    #[test]
    fn writes_page_by_page_and_blank_pages_too() {
        let mut driver = Driver::new(Traced::new(NorMemory::erased(CAPACITY)));
        let mut bytes = vec![0xff; 0x300];
        bytes[0] = 0;
        Blocking::write(&mut driver, 0x10f0, &bytes).unwrap();
        let pages: Vec<_> =
            driver.device().entries().iter().map(|entry| entry.to_string()).collect();
        assert_eq!(
            pages,
            [
                "program of 16 B at 0x10f0",
                "program of 256 B at 0x1100 (blank)",
                "program of 256 B at 0x1200 (blank)",
                "program of 240 B at 0x1300 (blank)",
            ]
        );
    }

    #[test]
    fn a_range_that_does_not_fit_is_left_alone() {
        let mut driver = Driver::new(Counted::new(NorMemory::erased(CAPACITY)));
        let erase = Blocking::erase;
        assert!(erase(&mut driver, 0x30000, CAPACITY + 0x1000).is_err());
        assert!(erase(&mut driver, 0x2000, 0x1000).is_err());
        assert!(erase(&mut driver, 0x1000, 0x1800).is_err());
        let write = Blocking::write;
        assert!(write(&mut driver, CAPACITY - 4, &[0; 8]).is_err());
        assert_eq!(driver.device().counts().ops(), 0);
    }

    #[test]
    fn a_word_driver_wants_words() {
        let mut driver = WordDriver::with_alignment(NorMemory::erased(CAPACITY));
        let misaligned = Blocking::write(&mut driver, 2, &[0; 4]).unwrap_err();
        assert_eq!(misaligned.to_string(), "0x2 is not a multiple of 0x4");
        assert_eq!(
            Blocking::write(&mut driver, 4, &[0; 3]).unwrap_err().kind(),
            NorFlashErrorKind::NotAligned
        );
        Blocking::write(&mut driver, 4, &[0; 4]).unwrap();
    }
}

mod power {
    use super::*;

    type Stack = Driver<PowerCut<Counted<Recorded<NorMemory>>>>;

    fn stack(memory: NorMemory) -> Stack {
        Driver::new(PowerCut::new(Counted::new(Recorded::new(memory))))
    }

    fn used() -> NorMemory {
        let mut memory = NorMemory::erased(CAPACITY);
        memory.load_noise(region(0, CAPACITY), 1);
        memory
    }

    #[test]
    fn nothing_runs_after_power_is_lost() {
        let mut flash = stack(used());
        flash.device_mut().add(Cut::after(0));
        let power = flash.device().power();
        let mut lines_run = 0;
        let ended = run_until_powered_off(
            async {
                lines_run += 1;
                let result = NorFlash::erase(&mut flash, 0, 0x1000).await;
                lines_run += 1;
                result
            },
            &power,
        );
        assert_eq!((ended, lines_run), (None, 1));
        assert_eq!(power.state(), PowerState::Lost);
        let blind = run_until_powered_off(ReadNorFlash::read(&mut flash, 0, &mut [0]), &power);
        assert_eq!(blind, None);
        power.restore();
        let mut byte = [0];
        let read = run_until_powered_off(ReadNorFlash::read(&mut flash, 0, &mut byte), &power);
        assert_eq!((read, byte), (Some(Ok(())), [0xff]));
    }

    #[test]
    fn a_future_that_waits_for_something_else_is_polled_on() {
        struct Twice(u32);
        impl Future for Twice {
            type Output = u32;
            fn poll(
                mut self: core::pin::Pin<&mut Self>,
                _: &mut core::task::Context<'_>,
            ) -> core::task::Poll<u32> {
                self.0 += 1;
                if self.0 < 3 { core::task::Poll::Pending } else { core::task::Poll::Ready(self.0) }
            }
        }
        assert_eq!(run_until_powered_off(Twice(0), &Power::new()), Some(3));
    }

    #[test]
    fn cuts_count_on_over_reboots() {
        let mut flash = PowerCut::new(NorMemory::erased(CAPACITY))
            .with(Cut::before(3))
            .with(Cut::before(1))
            .with(Cut::before(2));
        let erase = |flash: &mut PowerCut<_>| {
            let done = flash.erase(EraseUnit::Sector4K, at(0)).is_ok();
            flash.power().restore();
            done
        };
        let done: Vec<bool> = (0..5).map(|_| erase(&mut flash)).collect();
        assert_eq!(done, [true, false, false, false, true]);
        assert_eq!(flash.memory().erase_count(at(0)), 2);
        assert_eq!(flash.ops(), 5);
    }

    /// The same cut, once made by the supply and once taken from a recording of the whole work.
    #[test]
    fn a_recording_knows_every_cut() {
        let mut whole = stack(used());
        run_until_powered_off(work(&mut whole), &Power::new()).unwrap().unwrap();
        let recording = whole.into_device().into_inner().into_inner().take();
        assert_eq!(recording.len(), 24);
        assert_eq!(recording.ops().collect::<Counts>().erases(), 4);
        for op in 0..recording.len() as u64 {
            for phase in [Phase::Before, Phase::Middle { seed: op * 31 }, Phase::After] {
                let cut = Cut { op, phase };
                let mut flash = stack(used());
                flash.device_mut().add(cut);
                let power = flash.device().power();
                assert_eq!(run_until_powered_off(work(&mut flash), &power), None, "{cut:?}");
                let left = flash.device().memory();
                let recorded = recording.cut(cut).unwrap();
                assert_eq!(recorded.first_difference(left), None, "{cut:?}");
            }
        }
        assert!(recording.cut(Cut::before(24)).is_none());
        assert!(recording.before(24).is_some() && recording.before(25).is_none());
    }

    #[test]
    fn a_recording_of_many_operations_finds_its_snapshots() {
        let mut flash = Recorded::new(NorMemory::erased(CAPACITY));
        for number in 0..200u32 {
            flash.program_page(at(number * 256), &number.to_le_bytes()).unwrap();
        }
        let recording = flash.take();
        assert!(flash.recording().is_empty());
        for number in [0, 1, 63, 64, 65, 127, 128, 199, 200] {
            let memory = recording.before(number).unwrap();
            assert!(is_blank(&memory.bytes(region(number as u32 * 256, 0x1000))));
            if let Some(last) = number.checked_sub(1) {
                let last = last as u32;
                assert_eq!(memory.bytes(region(last * 256, 4)), last.to_le_bytes());
            }
        }
    }

    #[test]
    fn a_torn_operation_counts() {
        let mut flash = PowerCut::new(Counted::new(used())).with(Cut::middle(0, 5));
        assert_eq!(flash.erase(EraseUnit::Block64K, at(0)), Err(NorError::PowerLost));
        assert_eq!(flash.inner().counts().erase_64k, 1);
        assert_eq!(flash.memory().erase_count(at(0xf000)), 1);
        assert_eq!(
            flash.memory().first_difference(&used()).map(|at| at.get() < 0x10000),
            Some(true)
        );
    }

    #[test]
    fn wrong_arguments_are_no_operation() {
        let mut flash = PowerCut::new(Counted::new(used())).with(Cut::before(0));
        assert!(flash.erase(EraseUnit::Block64K, at(0x1000)).unwrap_err().is_misuse());
        assert_eq!((flash.ops(), flash.inner().counts()), (0, Counts::default()));
    }

    /// A device of somebody else, which has only the four primitives, is torn by the default.
    #[test]
    fn tearing_needs_only_the_primitives() {
        struct Plain(NorMemory);
        impl NorDevice for Plain {
            fn capacity_bytes(&self) -> u32 {
                self.0.capacity_bytes()
            }
            fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
                self.0.read(addr, out)
            }
            fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
                self.0.program_page(addr, bytes)
            }
            fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
                self.0.erase(unit, addr)
            }
        }
        for seed in 0..32 {
            let (mut plain, mut memory) = (Plain(used()), used());
            plain.tear_erase(EraseUnit::Block32K, at(0x8000), seed).unwrap();
            memory.tear_erase(EraseUnit::Block32K, at(0x8000), seed).unwrap();
            plain.tear_program(at(0x1010), &[0x0f; 99], seed).unwrap();
            memory.tear_program(at(0x1010), &[0x0f; 99], seed).unwrap();
            assert_eq!(plain.0.first_difference(&memory), None, "seed {seed}");
        }
    }
}

mod figures {
    use super::*;

    #[test]
    fn time_and_counts_follow_the_datasheet() {
        let timed = Timed::new(NorMemory::erased(CAPACITY), DatasheetTiming::W25Q32JV);
        let clock = timed.clock();
        let mut driver = Driver::new(Counted::new(timed));
        driver.device_mut().watch(region(0x9000, 0x1000));
        run_until_powered_off(work(&mut driver), &Power::new()).unwrap().unwrap();
        let counts = driver.device().counts();
        assert_eq!(
            counts.to_string(),
            "erases 2 x 4K, 1 x 32K, 1 x 64K; 20 pages (4992 B) programmed; 0 B read"
        );
        let expected = TypMax {
            typ: 2 * 45_000 + 120_000 + 150_000 + 20 * 400,
            max: 2 * 400_000 + 1_600_000 + 2_000_000 + 20 * 3_000,
        };
        assert_eq!(counts.duration_us(&DatasheetTiming::W25Q32JV), expected);
        assert_eq!(clock.now(), Modelled { busy_us: expected, read_us: 0 });
        let watched = driver.device().counts_in(region(0x9000, 0x1000)).unwrap();
        assert_eq!((watched.erase_32k, watched.pages_programmed), (1, 4));
        assert_eq!(driver.device().counts_in(region(0, 1)), None);
        driver.device_mut().read(at(0x8f00), &mut [0; 0x200]).unwrap();
        let watched = driver.device().counts_in(region(0x9000, 0x1000)).unwrap();
        assert_eq!((watched.bytes_read, driver.device().counts().bytes_read), (0x100, 0x200));
        assert_eq!(clock.now().read_us, 51);
    }

    /// The totals of the C component, from the operations that it was measured to do.
    #[test]
    fn the_table_of_the_c_component_adds_up() {
        let counts =
            Counts { erase_4k: 15, erase_64k: 48, pages_programmed: 8406, ..Counts::default() };
        let total = counts.duration_us(&DatasheetTiming::W25Q32JV);
        assert_eq!(counts.ops(), 8469);
        assert_eq!((total.typ.div_ceil(1000), total.max / 1000), (11238, 127_218));
    }

    #[test]
    fn a_window_spans_from_the_first_to_the_last_operation() {
        let mut driver = Driver::new(Traced::new(NorMemory::erased(CAPACITY)));
        run_until_powered_off(work(&mut driver), &Power::new()).unwrap().unwrap();
        let trace = driver.device();
        // From the erase of the block over the pages up to 0x9000; the other erases lie in between.
        let window = trace.window(region(0x8100, 0xf00)).unwrap();
        assert_eq!(window, 0..20);
        assert_eq!((trace.counts(window.clone()).erases(), trace.counts(window).ops()), (4, 20));
        assert_eq!(trace.window(region(0x22000, 0x1000)), Some(3..4));
        assert_eq!(trace.window(region(0, 0x1000)), None);
    }
}

mod faults {
    use super::*;

    #[test]
    fn operations_fail_as_told() {
        let sector = region(0x2000, 0x1000);
        let mut flash = Faulty::new(NorMemory::erased(CAPACITY))
            .with(When::Op(1), Fault::Fails)
            .with(When::Touching(sector, 2), Fault::Ignored);
        flash.program_page(at(0), &[0]).unwrap();
        let failed = flash.program_page(at(1), &[0]).unwrap_err();
        assert_eq!(failed.to_string(), "the chip failed a program of 1 B at 0x1");
        for _ in 0..3 {
            flash.program_page(at(0x2000), &[0]).unwrap();
            flash.inner_mut().program_page(at(0x2000), &[0xfe]).unwrap();
        }
        assert_eq!(flash.memory().bytes(region(0, 3)), [0, 0xff, 0xff]);
        assert_eq!(flash.memory().bytes(region(0x2000, 1)), [0]);
        assert_eq!(flash.ops(), 5);
    }

    #[test]
    fn a_worn_out_sector_fails_for_ever() {
        let mut memory = NorMemory::erased(CAPACITY);
        memory.load_noise(region(0x3000, 0x1000), 3);
        let old = memory.clone();
        let mut flash = Faulty::new(memory)
            .with(When::Touching(region(0x3000, 0x1000), u32::MAX), Fault::FailsTorn { seed: 9 });
        for _ in 0..3 {
            let failed = flash.erase(EraseUnit::Sector4K, at(0x3000)).unwrap_err();
            assert!(matches!(failed, NorError::Failed { .. }));
        }
        assert!(flash.memory().first_difference(&old).is_some());
        let mut quiet = Faulty::new(old.clone()).with(When::Op(0), Fault::SilentlyTorn { seed: 9 });
        quiet.erase(EraseUnit::Sector4K, at(0x3000)).unwrap();
        assert!(!is_blank(&quiet.memory().bytes(region(0x3000, 0x1000))));
    }

    #[test]
    fn reads_fail_as_told() {
        let mut flash = Faulty::new(NorMemory::erased(CAPACITY))
            .with_read_fault(region(0x1000, 1), 1, ReadFault::Fails)
            .with_read_fault(region(0x2000, 1), 1, ReadFault::Flipped(0x80))
            .with_stuck_bits(StuckBits { addr: at(0x3001), at_0: 0x01, at_1: 0x02 });
        let mut two = [0; 2];
        assert!(flash.read(at(0x0fff), &mut two).is_err());
        flash.read(at(0x0fff), &mut two).unwrap();
        flash.read(at(0x2000), &mut two).unwrap();
        assert_eq!(two, [0x7f, 0xff]);
        flash.read(at(0x2000), &mut two).unwrap();
        assert_eq!(two, [0xff, 0xff]);
        flash.program_page(at(0x3000), &[0, 0]).unwrap();
        flash.read(at(0x3000), &mut two).unwrap();
        assert_eq!(two, [0, 2]);
        flash.erase(EraseUnit::Sector4K, at(0x3000)).unwrap();
        flash.read(at(0x3000), &mut two).unwrap();
        assert_eq!(two, [0xff, 0xfe]);
    }
}

mod guards {
    use super::*;

    fn guarded(reaction: Reaction) -> Guarded<NorMemory> {
        Guarded::new(NorMemory::from_bytes(&[0x55; 0x10000]), Power::new())
            .with(region(0x4000, 0x800), reaction)
    }

    #[test]
    fn reports_or_refuses() {
        let mut report = guarded(Reaction::Report);
        report.erase(EraseUnit::Sector4K, at(0x4000)).unwrap();
        report.program_page(at(0x4800), &[0]).unwrap();
        assert_eq!(report.trips().len(), 1);
        assert_eq!(report.trips()[0].to_string(), "4 KiB erase at 0x4000 touches 0x4000..0x4800");
        let mut refuse = guarded(Reaction::Refuse);
        let refused = refuse.program_page(at(0x47ff), &[0]).unwrap_err();
        assert!(matches!(refused, NorError::Refused { .. }));
        assert_eq!(refuse.memory().bytes(region(0x47ff, 1)), [0x55]);
    }

    #[test]
    fn the_processor_goes_down_with_its_code() {
        let power = Power::new();
        let mut flash = Guarded::new(NorMemory::from_bytes(&[0x55; 0x10000]), power.clone())
            .with(region(0x4000, 0x800), Reaction::Crash);
        let ended = run_until_powered_off(
            async {
                let mut driver = Driver::new(&mut flash);
                NorFlash::erase(&mut driver, 0x0, 0x8000).await
            },
            &power,
        );
        assert_eq!((ended, power.state()), (None, PowerState::Crashed));
        assert!(is_blank(&flash.memory().bytes(region(0, 0x8000))), "the erase was done");
        assert_eq!(flash.read(at(0), &mut [0]), Err(NorError::Crashed));
        power.restore();
        assert_eq!(flash.read(at(0), &mut [0]), Ok(()));
    }

    #[test]
    fn without_power_nothing_crashes() {
        let cut = PowerCut::new(NorMemory::erased(CAPACITY)).with(Cut::before(0));
        let power = cut.power();
        let mut flash = Guarded::new(cut, power.clone()).with(region(0, 0x1000), Reaction::Crash);
        assert_eq!(flash.erase(EraseUnit::Sector4K, at(0)), Err(NorError::PowerLost));
        assert_eq!(power.state(), PowerState::Lost);
    }
}
