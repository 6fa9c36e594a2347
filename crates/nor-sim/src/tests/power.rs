//! Losses of power, and recordings of them.

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
fn a_future_that_waits_is_polled_again() {
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
fn operations_are_counted_over_reboots() {
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

/// The same cut, once made by the supply and once computed from a recording of the whole work.
#[test]
fn a_recording_gives_what_every_cut_leaves() {
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
    assert_eq!(flash.memory().first_difference(&used()).map(|at| at.get() < 0x10000), Some(true));
}

#[test]
fn wrong_arguments_are_not_counted() {
    let mut flash = PowerCut::new(Counted::new(used())).with(Cut::before(0));
    assert!(flash.erase(EraseUnit::Block64K, at(0x1000)).unwrap_err().is_misuse());
    assert_eq!((flash.ops(), flash.inner().counts()), (0, Counts::default()));
}

/// A device that implements only the four required methods is torn by the default ones.
#[test]
fn tearing_needs_only_the_required_methods() {
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
