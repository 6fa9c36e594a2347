//! Guarded regions.

use super::*;

fn guarded(reaction: Reaction) -> Guarded<NorMemory> {
    Guarded::new(NorMemory::from_bytes(&[0x55; 0x10000]), Power::new())
        .with(region(0x4000, 0x800), reaction)
}

#[test]
fn a_guard_reports_or_refuses() {
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
fn erasing_running_code_crashes_the_processor() {
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
