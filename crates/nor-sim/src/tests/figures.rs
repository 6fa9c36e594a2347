//! Counts and datasheet times.

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

/// The totals of the C component's measured operations.
#[test]
fn the_operations_of_the_c_component_take_its_documented_times() {
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
