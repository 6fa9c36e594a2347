//! Chips that fail.

use super::*;

#[test]
fn operations_fail_as_configured() {
    let sector = region(0x2000, 0x1000);
    let mut flash = Faulty::new(NorMemory::erased(CAPACITY))
        .with(When::Op(1), OpFault::Fails)
        .with(When::Touching(sector, 2), OpFault::Ignored);
    flash.program_page(at(0), &[0]).unwrap();
    let failed = flash.program_page(at(1), &[0]).unwrap_err();
    assert_eq!(failed.to_string(), "program of 1 B at 0x1 failed");
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
        .with(When::Touching(region(0x3000, 0x1000), u32::MAX), OpFault::FailsTorn { seed: 9 });
    for _ in 0..3 {
        let failed = flash.erase(EraseUnit::Sector4K, at(0x3000)).unwrap_err();
        assert!(matches!(failed, NorError::Failed { .. }));
    }
    assert!(flash.memory().first_difference(&old).is_some());
    let mut quiet = Faulty::new(old.clone()).with(When::Op(0), OpFault::SilentlyTorn { seed: 9 });
    quiet.erase(EraseUnit::Sector4K, at(0x3000)).unwrap();
    assert!(!is_blank(&quiet.memory().bytes(region(0x3000, 0x1000))));
}

#[test]
fn reads_fail_as_configured() {
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
