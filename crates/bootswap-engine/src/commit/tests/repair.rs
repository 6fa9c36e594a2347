//! Flash that fails in the window, and its repair.

use super::*;

/// Everything that a chip can do wrong once and then right is repaired.
#[test]
fn errors_are_repaired() {
    let case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    let place = at(0, 0x8000);
    let faulty = || Faulty::new(case.flash());
    let cases: Vec<(&str, Faulty<NorMemory>)> = vec![
        ("the erase fails", faulty().with(When::Op(0), OpFault::Fails)),
        ("the erase stops half way", faulty().with(When::Op(0), OpFault::FailsTorn { seed: 1 })),
        ("the erase does nothing and is silent", faulty().with(When::Op(0), OpFault::Ignored)),
        (
            "the erase is torn and silent",
            faulty().with(When::Op(0), OpFault::SilentlyTorn { seed: 2 }),
        ),
        ("a program fails", faulty().with(When::Op(50), OpFault::Fails)),
        ("a program stops half way", faulty().with(When::Op(50), OpFault::FailsTorn { seed: 3 })),
        (
            "a program is torn and silent",
            faulty().with(When::Op(50), OpFault::SilentlyTorn { seed: 4 }),
        ),
        ("twenty operations fail", faulty().with(When::Touching(place, 20), OpFault::Fails)),
        (
            "sixty sectors fail",
            faulty().with(When::Touching(at(0x3000, 0x1000), 60), OpFault::FailsTorn { seed: 5 }),
        ),
    ];
    for (what, device) in cases {
        let mut log = Log::default();
        let (done, device) = case.run(device, &mut log);
        assert_eq!(done, Ok(()), "{what}: {:?}", log.lines);
        assert_eq!(device.inner().bytes(case.to), case.new, "{what}");
        assert!(log.has("writing again"), "{what}");
    }
}

/// A driver whose reads fail from the first flash operation on, this many times.
struct ReadsFail {
    inner: NorMemory,
    region: Region,
    fault: ReadFault,
    armed: bool,
    left: u32,
}

impl NorDevice for ReadsFail {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)?;
        let len_bytes = u32::try_from(out.len()).unwrap();
        if self.armed && self.left > 0 && self.region.overlaps(Region::clamped(addr, len_bytes)) {
            self.left -= 1;
            match self.fault {
                ReadFault::Fails => return Err(NorError::ReadFailed { addr, len_bytes }),
                ReadFault::Flipped(bits) => out[0] ^= bits,
            }
        }
        Ok(())
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        self.inner.program_page(addr, bytes)
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.armed = true;
        self.inner.erase(unit, addr)
    }

    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        self.inner.tear_program(addr, bytes, seed)
    }

    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        self.inner.tear_erase(unit, addr, seed)
    }
}

#[test]
fn reads_that_go_wrong_in_the_window_are_repaired() {
    let case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    for region in [at(0, 0x8000), at(STAGING.get(), 0x7000), at(0, FLASH_LEN)] {
        for fault in [ReadFault::Fails, ReadFault::Flipped(0x11)] {
            for left in [1, 2, 3, 4, 10, 50] {
                let device = ReadsFail { inner: case.flash(), region, fault, armed: false, left };
                let mut log = Log::default();
                let (done, device) = case.run(device, &mut log);
                assert_eq!(done, Ok(()), "{region} {fault:?} {left}: {:?}", log.lines);
                assert_eq!(device.inner.bytes(case.to), case.new, "{region} {fault:?} {left}");
            }
        }
    }
}

/// A byte that reads wrong in the same way during copying and during comparing: the digest finds
/// it.
#[test]
fn a_wrong_byte_that_the_comparison_believes_is_found_by_the_digest() {
    let mut case = Case::new(noise(0x2000, 1), 0, at(0, 0x8000));
    // The copy reads the sector in one go, the comparison its first page.
    for known_digest in [true, false] {
        case.known_digest = known_digest;
        let region = at(STAGING.get(), 1);
        let device = ReadsFail {
            inner: case.flash(),
            region,
            fault: ReadFault::Flipped(1),
            armed: false,
            left: 2,
        };
        let mut log = Log::default();
        let (done, device) = case.run(device, &mut log);
        assert_eq!(done, Ok(()), "{:?}", log.lines);
        assert_eq!(device.inner.bytes(case.to), case.new);
        assert!(log.has("writing again"));
    }
}

/// Before the first erase, an error is just an error: the device is unchanged.
#[test]
fn errors_before_the_window_leave_everything_as_it_is() {
    let case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    for region in [at(0, 0x8000), at(STAGING.get(), 0x7000)] {
        let device = Faulty::new(case.flash()).with_read_fault(region, 3, ReadFault::Fails);
        let mut log = Log::default();
        let (done, device) = case.run(device, &mut log);
        assert!(matches!(done, Err(Failure::Flash(_))), "{done:?}");
        assert!(done.unwrap_err().may_reset());
        assert_eq!((device.ops(), log.asked_to_commit), (0, 0));
    }
}

/// What cannot be repaired is always reported as that, never as something after which the device
/// may be reset.
#[test]
fn what_cannot_be_repaired_forbids_the_reset() {
    let case = Case::new(noise(27_376, 1), 0, at(0, 0x8000));
    let stuck = StuckBits { addr: FlashAddr(0x1234), at_0: 0xff, at_1: 0 };
    let dead = When::Touching(at(0x3000, 0x1000), u32::MAX);
    let devices = [
        Faulty::new(case.flash()).with_stuck_bits(stuck),
        Faulty::new(case.flash()).with(dead, OpFault::Fails),
        Faulty::new(case.flash()).with(dead, OpFault::Ignored),
    ];
    for device in devices {
        let mut log = Log::default();
        let (done, device) = case.run(device, &mut log);
        let failure = done.unwrap_err();
        assert!(matches!(failure, Failure::Commit { .. }), "{failure:?}");
        assert!(!failure.may_reset());
        assert!(device.ops() > 0);
    }
    // Reads that fail for ever, once the window is open.
    let region = at(0, FLASH_LEN);
    let device = ReadsFail {
        inner: case.flash(),
        region,
        fault: ReadFault::Fails,
        armed: false,
        left: u32::MAX,
    };
    let (done, _) = case.run(device, &mut Log::default());
    assert!(!done.unwrap_err().may_reset());
}

/// Bits that are stuck for a while and then work again.
#[test]
fn bits_that_let_go_late_are_waited_for() {
    let case = Case::new(noise(0x2000, 1), 0, at(0, 0x8000));
    for tries in [1, 5, 40] {
        let sector = at(0x1000, 0x1000);
        let device = Faulty::new(case.flash())
            .with(When::Touching(sector, tries), OpFault::FailsTorn { seed: 9 });
        let mut log = Log::default();
        let (done, device) = case.run(device, &mut log);
        assert_eq!(done, Ok(()), "{tries}: {:?}", log.lines);
        assert_eq!(device.inner().bytes(case.to), case.new);
    }
}
