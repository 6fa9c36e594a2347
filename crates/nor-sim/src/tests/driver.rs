//! The embedded-storage traits over a chip.

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
    let pages: Vec<_> = driver.device().entries().iter().map(|entry| entry.to_string()).collect();
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
fn a_word_driver_refuses_single_bytes() {
    let mut driver = WordDriver::with_alignment(NorMemory::erased(CAPACITY));
    let misaligned = Blocking::write(&mut driver, 2, &[0; 4]).unwrap_err();
    assert_eq!(misaligned.to_string(), "0x2 is not a multiple of 0x4");
    assert_eq!(
        Blocking::write(&mut driver, 4, &[0; 3]).unwrap_err().kind(),
        NorFlashErrorKind::NotAligned
    );
    Blocking::write(&mut driver, 4, &[0; 4]).unwrap();
}
