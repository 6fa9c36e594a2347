//! The bytes, their rules and their snapshots.

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
fn a_snapshot_does_not_change() {
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
fn a_dump_of_odd_length_is_filled_to_a_whole_sector() {
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
