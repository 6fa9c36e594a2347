use std::vec;
use std::vec::Vec;

use flash_region::BLOCK_32K_BYTES;
use nor_sim::{
    Driver, EraseUnit, Faulty, NorDevice, NorError, NorMemory, Op, OpFault, Power, Recorded,
    StuckBits, When, run_until_powered_off,
};
use proptest::prelude::*;

use super::*;
use crate::medium::SECTOR;
use crate::tests::kit::{at, noise};

const FLASH_LEN: u32 = 0x4_0000;
const PLACE: Region = at(0x1_0000, 0x2_0000);

fn bounds() -> Bounds {
    Bounds { erasable: PLACE, reserved: None, horizon: PLACE.end(), combine: true }
}

/// Puts a whole file, sector by sector, as a transfer does.
fn put<D: NorDevice>(
    device: D,
    start: u32,
    file: &[u8],
    bounds: Bounds,
) -> (Result<Vec<bool>, Failure<NorError>>, D) {
    let mut driver = Driver::<D, 4, 4>::with_alignment(device);
    let all = async {
        let mut medium = Medium::new(&mut driver);
        let mut changed = vec![];
        for (sector, bytes) in (0u32..).zip(file.chunks(SECTOR)) {
            let addr = FlashAddr(start + sector * SECTOR_BYTES);
            changed.push(put_sector(&mut medium, addr, bytes, bounds).await?);
        }
        Ok(changed)
    };
    let done = run_until_powered_off(all, &Power::new()).unwrap();
    (done, driver.into_device())
}

fn ops(memory: &NorMemory, start: u32, file: &[u8], bounds: Bounds) -> (Vec<Op>, NorMemory) {
    let (done, device) = put(Recorded::new(memory.clone()), start, file, bounds);
    done.unwrap();
    (device.recording().ops().collect(), device.into_inner())
}

fn old_data() -> NorMemory {
    let mut memory = NorMemory::erased(FLASH_LEN);
    memory.load_noise(at(0, FLASH_LEN), 5);
    memory
}

fn erases(ops: &[Op]) -> Vec<(EraseUnit, u32)> {
    let erases = ops.iter().filter_map(|op| match op {
        Op::Erase { unit, addr } => Some((*unit, addr.get())),
        Op::Program { .. } => None,
    });
    erases.collect()
}

#[test]
fn over_old_data_one_block_erase_serves_sixteen_sectors() {
    let file = noise(0x1_2000, 1);
    let (ops, flash) = ops(&old_data(), 0x1_0000, &file, bounds());
    // 64 KiB in one erase; of the next block two sectors are needed, and the horizon says no more.
    let bounds = Bounds { horizon: FlashAddr(0x2_2000), ..bounds() };
    assert_eq!(erases(&ops)[0], (EraseUnit::Block64K, 0x1_0000));
    let (ops, _) = super::tests::ops(&old_data(), 0x1_0000, &file, bounds);
    use EraseUnit::{Block64K, Sector4K};
    assert_eq!(erases(&ops), [(Block64K, 0x1_0000), (Sector4K, 0x2_0000), (Sector4K, 0x2_1000)]);
    assert_eq!(ops.len() - 3, file.len() / 256);
    assert_eq!(flash.bytes(at(0x1_0000, 0x1_2000)), file);
}

#[test]
fn over_blank_flash_nothing_is_erased_and_blank_pages_are_not_programmed() {
    let mut file = noise(0x4000, 1);
    file[0x1100..0x3f00].fill(0xff);
    let (ops, flash) = ops(&NorMemory::erased(FLASH_LEN), 0x1_0000, &file, bounds());
    let wanted: Vec<u32> = (0..17).chain([63]).map(|page| 0x1_0000 + page * 256).collect();
    assert_eq!(ops.iter().map(|op| op.addr().get()).collect::<Vec<_>>(), wanted);
    assert_eq!(flash.bytes(at(0x1_0000, 0x4000)), file);
}

#[test]
fn what_is_equal_is_left_alone() {
    let file = noise(0x1_0000, 1);
    let mut memory = old_data();
    memory.load(FlashAddr(0x1_0000), &file);
    let (done, device) = put(Recorded::new(memory), 0x1_0000, &file, bounds());
    assert_eq!(done, Ok(vec![false; 16]));
    assert!(device.recording().is_empty());
}

/// A block erase can be the cheapest even if the first sector of the block does not need it.
#[test]
fn a_blank_sector_does_not_hide_the_block_behind_it() {
    let mut memory = old_data();
    memory.load(FlashAddr(0x1_0000), &[0xff; SECTOR]);
    let (ops, _) = ops(&memory, 0x1_0000, &noise(0x1_0000, 1), bounds());
    assert_eq!(erases(&ops), [(EraseUnit::Block64K, 0x1_0000)]);
}

#[test]
fn two_sectors_in_the_way_are_cheaper_one_by_one_and_three_are_not() {
    for (dirty, wanted) in [(2, EraseUnit::Sector4K), (3, EraseUnit::Block32K)] {
        let mut memory = NorMemory::erased(FLASH_LEN);
        memory.load_noise(at(0x1_0000, dirty * SECTOR_BYTES), 5);
        let file = noise(BLOCK_32K_BYTES as usize, 1);
        let (ops, _) = ops(&memory, 0x1_0000, &file, bounds());
        assert_eq!(erases(&ops)[0], (wanted, 0x1_0000), "{dirty}");
    }
}

#[test]
fn a_reserved_hole_is_never_erased_and_never_written() {
    let reserved = at(0x1_5000, 0x2000);
    let bounds = Bounds { reserved: Some(reserved), ..bounds() };
    let old = old_data();
    // Outside of the hole, the largest erases that leave it alone.
    let (ops, flash) = ops(&old, 0x1_0000, &noise(0x5000, 1), bounds);
    assert!(erases(&ops).iter().all(|(unit, _)| *unit == EraseUnit::Sector4K));
    let (more, flash) = super::tests::ops(&flash, 0x1_8000, &noise(0x8000, 2), bounds);
    assert_eq!(erases(&more), [(EraseUnit::Block32K, 0x1_8000)]);
    assert!(flash.bytes(reserved) == old.bytes(reserved));
    // Bytes for the hole are refused, unless they are there already.
    let (done, device) = put(Recorded::new(old.clone()), 0x1_5000, &noise(0x1000, 1), bounds);
    assert_eq!(done, Err(Failure::InUse { region: at(0x1_5000, 0x1000) }));
    assert!(device.recording().is_empty());
    let (done, _) = put(old.clone(), 0x1_5000, &old.bytes(at(0x1_5000, 0x1000)), bounds);
    assert_eq!(done, Ok(vec![false]));
}

#[test]
fn a_file_may_end_anywhere_in_a_page() {
    for len in [1, 2, 3, 4, 255, 256, 257, 0xfff, 0x1001] {
        let file = noise(len, 1);
        let (ops, flash) = ops(&old_data(), 0x1_0000, &file, bounds());
        assert_eq!(flash.bytes(at(0x1_0000, len as u32)), file, "{len}");
        let pages = ops.iter().filter(|op| matches!(op, Op::Program { .. })).count();
        assert_eq!(pages, len.div_ceil(256), "{len}");
    }
}

#[test]
fn a_chip_that_fails_now_and_then_is_worked_around() {
    let file = noise(0x3000, 1);
    for fault in [
        OpFault::Fails,
        OpFault::FailsTorn { seed: 3 },
        OpFault::SilentlyTorn { seed: 4 },
        OpFault::Ignored,
    ] {
        for op in 0..40 {
            let device = Faulty::new(old_data()).with(When::Op(op), fault);
            let (done, device) = put(device, 0x1_0000, &file, bounds());
            assert_eq!(done, Ok(vec![true; 3]), "{fault:?} at {op}");
            assert_eq!(device.inner().bytes(at(0x1_0000, 0x3000)), file, "{fault:?} at {op}");
        }
    }
}

#[test]
fn a_chip_that_always_fails_is_given_up_soon() {
    let file = noise(0x1000, 1);
    let dead = When::Touching(PLACE, u32::MAX);
    let (done, device) =
        put(Faulty::new(old_data()).with(dead, OpFault::Fails), 0x1_0000, &file, bounds());
    assert!(matches!(done, Err(Failure::Flash(_))), "{done:?}");
    assert!(device.ops() <= 18, "{}", device.ops());
    let (done, _) =
        put(Faulty::new(old_data()).with(dead, OpFault::Ignored), 0x1_0000, &file, bounds());
    assert_eq!(done, Err(Failure::Stuck { sector: FlashAddr(0x1_0000) }));
    let stuck = StuckBits { addr: FlashAddr(0x1_0456), at_0: 0, at_1: 0xff };
    let (done, _) = put(Faulty::new(old_data()).with_stuck_bits(stuck), 0x1_0000, &file, bounds());
    assert_eq!(done, Err(Failure::Stuck { sector: FlashAddr(0x1_0000) }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any file over any old contents: the right bytes are in place at the end, blank pages are not
    /// programmed, no sector is erased twice, nothing outside of the place changes. If blocks
    /// cannot be erased, equal sectors are not changed, and blank ones are not erased.
    #[test]
    fn any_file_over_any_contents(
        len in 1..0x1_8000usize,
        seed: u64,
        kinds in proptest::collection::vec(0..4u8, 24),
        blank in proptest::collection::vec(0..0x180usize, 0..200),
        combine: bool,
    ) {
        let mut file = noise(len, seed);
        for page in blank {
            let start = (page * 256).min(len);
            let end = (start + 256).min(len);
            file[start..end].fill(0xff);
        }
        let mut memory = old_data();
        for (sector, kind) in (0usize..).zip(&kinds) {
            let range = (sector * SECTOR).min(len)..((sector + 1) * SECTOR).min(len);
            let addr = FlashAddr(0x1_0000 + sector as u32 * SECTOR_BYTES);
            match kind {
                0 => memory.load(addr, &file[range]),
                1 => memory.load(addr, &[0xff; SECTOR]),
                2 => {
                    let more_bits: Vec<u8> = file[range].iter().map(|byte| byte | 0x42).collect();
                    memory.load(addr, &more_bits);
                }
                _ => {}
            }
        }
        let bounds = Bounds { combine, ..bounds() };
        let (ops, after) = ops(&memory, 0x1_0000, &file, bounds);
        let place = at(0x1_0000, len as u32);
        prop_assert!(after.bytes(place) == file);
        for outside in [at(0, 0x1_0000), at(0x3_0000, 0x1_0000)] {
            prop_assert!(after.bytes(outside) == memory.bytes(outside));
        }
        prop_assert!(after.max_erase_count(at(0, FLASH_LEN)) <= 1);
        for op in &ops {
            if let Op::Program { addr, .. } = op {
                let page = place.intersection(Region::clamped(*addr, 256)).unwrap();
                prop_assert!(!is_blank(&after.bytes(page)), "blank page programmed at {addr}");
            }
            if !combine {
                let sector = Region::clamped(op.addr().align_down(SECTOR_BYTES), SECTOR_BYTES);
                let part = place.intersection(sector).unwrap();
                prop_assert!(memory.bytes(part) != after.bytes(part), "equal sector touched: {op}");
                let erased = matches!(op, Op::Erase { .. });
                prop_assert!(!erased || !is_blank(&memory.bytes(part)), "blank: {op}");
            }
        }
    }
}
