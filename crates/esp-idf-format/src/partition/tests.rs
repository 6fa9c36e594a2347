//! Tables as ESP-IDF's tools make them, broken in every way there is an error for.

extern crate std;

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use flash_region::{FlashAddr, Region};
use proptest::prelude::*;

use super::*;

fn partition(label: &str, kind: PartitionType, subtype: u8, start: u32, len: u32) -> Partition {
    Partition {
        label: Label::new(label).unwrap(),
        kind,
        subtype,
        region: Region::from_len(FlashAddr(start), len).unwrap(),
        flags: 0,
    }
}

/// The table of the example in ESP-IDF's documentation, "Factory app, two OTA definitions".
fn two_ota() -> Vec<Partition> {
    use PartitionType::{App, Data};
    vec![
        partition("nvs", Data, subtype::NVS, 0x9000, 0x4000),
        partition("otadata", Data, subtype::OTADATA, 0xd000, 0x2000),
        partition("phy_init", Data, subtype::PHY, 0xf000, 0x1000),
        partition("factory", App, subtype::FACTORY, 0x1_0000, 0x10_0000),
        partition("ota_0", App, subtype::OTA_0, 0x11_0000, 0x10_0000),
        partition("ota_1", App, subtype::OTA_0 + 1, 0x21_0000, 0x10_0000),
    ]
}

fn emitted(entries: &[Partition]) -> Vec<u8> {
    let mut table = vec![0; TABLE_LEN_BYTES as usize];
    assert_eq!(emit(entries, &mut table), Ok(table.len()));
    table
}

/// A table of these entries that nobody checked, without MD5.
fn unchecked(entries: &[Partition]) -> Vec<u8> {
    let mut table: Vec<u8> = entries.iter().flat_map(Partition::to_bytes).collect();
    table.resize(TABLE_LEN_BYTES as usize, 0xff);
    table
}

fn refused(entries: &[Partition]) -> PartitionTableError {
    let error = PartitionTable::parse(&unchecked(entries)).unwrap_err();
    let mut out = vec![0x55; TABLE_LEN_BYTES as usize];
    assert_eq!(emit(entries, &mut out), Err(error), "emit and parse disagree");
    assert!(out.iter().all(|&byte| byte == 0x55), "a refused table was written");
    error
}

#[test]
fn an_entry_has_its_fields_where_esp_idf_has_them() {
    let mut factory =
        partition("factory", PartitionType::App, subtype::FACTORY, 0x1_0000, 0x10_0000);
    factory.flags = flags::ENCRYPTED | 0x100;
    assert_eq!(
        factory.to_bytes(),
        *b"\xaa\x50\x00\x00\x00\x00\x01\x00\x00\x00\x10\x00factory\0\0\0\0\0\0\0\0\0\x01\x01\0\0"
    );
    assert!(factory.is_encrypted() && !factory.is_readonly());
}

#[test]
fn the_documented_table_reads_as_documented() {
    let bytes = emitted(&two_ota());
    let table = PartitionTable::parse(&bytes).unwrap();
    assert_eq!(table.iter().collect::<Vec<_>>(), two_ota());
    assert_eq!((table.len(), table.is_empty(), table.has_md5()), (6, false, true));
    assert_eq!(table.ota_count(), 2);
    assert_eq!(table.factory().map(|factory| factory.region.start()), Some(FlashAddr(0x1_0000)));
    assert_eq!(table.ota(1), table.find_label("ota_1"));
    assert_eq!(table.ota(2), None);
    assert_eq!(table.otadata(), table.find_label("otadata"));
    assert_eq!(table.test_app(), None);
    assert_eq!(table.find_addr(FlashAddr(0x20_ffff)), table.ota(0));
    assert_eq!(table.find_addr(FlashAddr(0x31_0000)), None);
    assert_eq!(table.check_fits(TABLE_ADDR, 0x40_0000), Ok(()));
    assert_eq!(table.ota(1).unwrap().to_string(), "ota_1 (app ota_1) at 0x210000..0x310000");
}

#[test]
fn the_md5_covers_all_records_before_it() {
    let bytes = emitted(&two_ota());
    assert_eq!(
        &bytes[0xc0..0xd0],
        b"\xeb\xeb\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
    );
    assert_eq!(u128::from_be_bytes(bytes[0xd0..0xe0].try_into().unwrap()), MD5_OF_TWO_OTA);
    assert!(bytes[0xe0..].iter().all(|&byte| byte == 0xff));
}

#[test]
fn a_table_without_md5_is_accepted_and_says_so() {
    let bytes = unchecked(&two_ota());
    let table = PartitionTable::parse(&bytes).unwrap();
    assert!(!table.has_md5());
    assert_eq!(table.len(), 6);
}

#[test]
fn bytes_after_the_table_are_ignored() {
    let mut sector = emitted(&two_ota());
    sector.resize(0x1000, 0x5a);
    assert_eq!(PartitionTable::parse(&sector).unwrap().len(), 6);
}

#[test]
fn erased_flash_is_not_a_table() {
    assert_eq!(PartitionTable::parse(&[0xff; 0xc00]).unwrap_err(), PartitionTableError::Empty);
    assert_eq!(
        PartitionTable::parse_as_bootloader(&[0xff; 0xc00]).unwrap_err(),
        PartitionTableError::Empty
    );
}

#[test]
fn a_web_page_is_not_a_table() {
    let page = b"<!DOCTYPE html><html><head><title>Sign in to the network</title></head></html>";
    assert_eq!(
        PartitionTable::parse(page).unwrap_err(),
        PartitionTableError::BadMagic { offset_bytes: 0, found: *b"<!" }
    );
}

#[test]
fn a_table_needs_its_end_marker() {
    let bytes = emitted(&two_ota());
    let without_end = &bytes[..0xe0];
    assert_eq!(
        PartitionTable::parse(without_end).unwrap_err(),
        PartitionTableError::NoTerminator { offset_bytes: 0xe0 }
    );
    assert_eq!(
        PartitionTable::parse(&[]).unwrap_err(),
        PartitionTableError::NoTerminator { offset_bytes: 0 }
    );
    // Full to the last record.
    let full: Vec<Partition> = (0..96)
        .map(|n| partition(&n.to_string(), PartitionType::Data, 6, 0x1_0000 + n * 0x1000, 0x1000))
        .collect();
    assert_eq!(
        PartitionTable::parse(&unchecked(&full)).unwrap_err(),
        PartitionTableError::NoTerminator { offset_bytes: 0xc00 }
    );
    assert_eq!(PartitionTable::parse(&unchecked(&full[..MAX_ENTRIES])).unwrap().len(), 95);
    assert_eq!(
        emit(&full[..MAX_ENTRIES], &mut [0; 0xc00]),
        Err(PartitionTableError::TooManyEntries { found: 95, max: 94 })
    );
    let bytes = emitted(&full[..MAX_ENTRIES_WITH_MD5]);
    assert_eq!(PartitionTable::parse(&bytes).unwrap().len(), 94);
}

#[test]
fn any_flipped_bit_of_an_entry_or_of_the_digest_is_noticed() {
    let good = emitted(&two_ota());
    for bit in (0..0xc0 * 8).chain(0xd0 * 8..0xe0 * 8) {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(PartitionTable::parse(&bytes).is_err(), "bit {bit}");
    }
}

/// As `esp_partition_table_verify` and `bootloader_utility_load_partition_table` count.
#[test]
fn of_entries_behind_the_md5_the_bootloader_leaves_the_last_one_out() {
    let mut bytes = emitted(&two_ota());
    let late = |label, start| partition(label, PartitionType::Data, subtype::NVS, start, 0x1000);
    bytes[0xe0..0x100].copy_from_slice(&late("late", 0x31_0000).to_bytes());
    let behind = PartitionTableError::EntryBehindMd5 { offset_bytes: 0xe0 };
    assert_eq!(PartitionTable::parse(&bytes).unwrap_err(), behind);
    let table = PartitionTable::parse_as_bootloader(&bytes).unwrap();
    assert!(table.has_md5());
    assert_eq!(table.iter().collect::<Vec<_>>(), two_ota());
    assert_eq!((table.len(), table.iter().len()), (6, 6));
    assert_eq!(table.objections().collect::<Vec<_>>(), [behind]);

    bytes[0x100..0x120].copy_from_slice(&late("later", 0x31_1000).to_bytes());
    let table = PartitionTable::parse_as_bootloader(&bytes).unwrap();
    assert_eq!((table.len(), table.iter().len()), (7, 7));
    assert_eq!(table.iter().last(), Some(late("late", 0x31_0000)));
    // Offsets are those in the table, where the MD5 lies in between.
    bytes[0xe0..0x100].copy_from_slice(&late("late", 0x2f_f000).to_bytes());
    let table = PartitionTable::parse_as_bootloader(&bytes).unwrap();
    assert_eq!(
        table.objections().nth(1),
        Some(PartitionTableError::Overlap {
            offset_bytes: 0xe0,
            other_offset_bytes: 0xa0,
            region: Region::clamped(FlashAddr(0x2f_f000), 0x1000),
            other: Region::clamped(FlashAddr(0x21_0000), 0x10_0000),
        })
    );

    let digest = bytes[0xc0..0xe0].to_vec();
    bytes[0x100..0x120].copy_from_slice(&digest);
    assert_eq!(
        PartitionTable::parse_as_bootloader(&bytes).unwrap_err(),
        PartitionTableError::SecondMd5 { offset_bytes: 0x100 }
    );
}

#[test]
fn everything_that_tools_object_to_is_listed() {
    let mut entries = two_ota();
    entries.push(entries[5]);
    entries[0].region = Region::clamped(FlashAddr(0x9004), 0x1000);
    let bytes = unchecked(&entries);
    let table = PartitionTable::parse_as_bootloader(&bytes).unwrap();
    let (offset_bytes, other_offset_bytes) = (0xc0, 0xa0);
    let (region, label) = (entries[5].region, entries[5].label);
    assert_eq!(
        table.objections().collect::<Vec<_>>(),
        [
            PartitionTableError::Misaligned {
                offset_bytes: 0,
                start: FlashAddr(0x9004),
                align_bytes: 0x1000
            },
            PartitionTableError::Overlap {
                offset_bytes,
                other_offset_bytes,
                region,
                other: region
            },
            PartitionTableError::DuplicateLabel { offset_bytes, other_offset_bytes, label },
            PartitionTableError::DuplicateRole { offset_bytes, other_offset_bytes },
        ]
    );
}

#[test]
fn a_partition_that_wraps_around_is_refused() {
    let mut bytes = unchecked(&two_ota());
    bytes[0x68..0x6c].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        PartitionTable::parse(&bytes).unwrap_err(),
        PartitionTableError::OutsideAddressSpace {
            offset_bytes: 0x60,
            start: FlashAddr(0x1_0000),
            len_bytes: u32::MAX
        }
    );
}

#[test]
fn layouts_that_esp_idf_s_tools_refuse_are_refused() {
    use PartitionType::{App, Data};
    let mut entries = two_ota();
    entries[4].region = Region::clamped(FlashAddr(0x11_1000), 0xf_f000);
    assert_eq!(
        refused(&entries),
        PartitionTableError::Misaligned {
            offset_bytes: 0x80,
            start: FlashAddr(0x11_1000),
            align_bytes: 0x1_0000
        }
    );

    let mut entries = two_ota();
    entries[0].region = Region::clamped(FlashAddr(0x9004), 0x1000);
    assert!(matches!(refused(&entries), PartitionTableError::Misaligned { offset_bytes: 0, .. }));

    let mut entries = two_ota();
    entries[3].region = Region::clamped(FlashAddr(0x1_0000), 0x10_1000);
    assert_eq!(
        refused(&entries),
        PartitionTableError::Overlap {
            offset_bytes: 0x80,
            other_offset_bytes: 0x60,
            region: entries[4].region,
            other: entries[3].region,
        }
    );

    let mut entries = two_ota();
    entries[5].label = entries[4].label;
    assert!(matches!(
        refused(&entries),
        PartitionTableError::DuplicateLabel { offset_bytes: 0xa0, other_offset_bytes: 0x80, .. }
    ));

    let mut entries = two_ota();
    entries[5].subtype = subtype::OTA_0;
    assert_eq!(
        refused(&entries),
        PartitionTableError::DuplicateRole { offset_bytes: 0xa0, other_offset_bytes: 0x80 }
    );
    // Two of a kind that the bootloader does not keep apart are fine.
    let mut entries = two_ota();
    entries.push(partition("nvs2", Data, subtype::NVS, 0x31_0000, 0x3000));
    assert_eq!(PartitionTable::parse(&emitted(&entries)).unwrap().len(), 7);

    let mut entries = two_ota();
    entries[1].region = entries[1].region.prefix(0x1000);
    assert_eq!(
        refused(&entries),
        PartitionTableError::OtadataTooSmall { offset_bytes: 0x20, len_bytes: 0x1000 }
    );

    assert_eq!(refused(&[]), PartitionTableError::Empty);
    let ota_only = [partition("a", App, subtype::OTA_0 + 3, 0x1_0000, 0x1_0000)];
    assert_eq!(PartitionTable::parse(&emitted(&ota_only)).unwrap().ota_count(), 1);
}

#[test]
fn the_bootloader_starts_from_layouts_that_the_tools_refuse() {
    let mut entries = two_ota();
    entries[5].subtype = subtype::OTA_0;
    entries[0].region = Region::clamped(FlashAddr(0x9004), 0x1000);
    let bytes = unchecked(&entries);
    let table = PartitionTable::parse_as_bootloader(&bytes).unwrap();
    assert_eq!(table.ota(0), Some(entries[5]), "the last entry wins");
    assert_eq!(table.ota_count(), 2);
    assert!(table.check_layout().is_err());
}

#[test]
fn partitions_have_to_lie_in_flash_and_behind_the_table() {
    let bytes = emitted(&two_ota());
    let table = PartitionTable::parse(&bytes).unwrap();
    assert_eq!(table.check_fits(TABLE_ADDR, 0x31_0000), Ok(()));
    assert_eq!(
        table.check_fits(TABLE_ADDR, 0x20_0000),
        Err(PartitionTableError::BehindFlash {
            offset_bytes: 0x80,
            region: Region::clamped(FlashAddr(0x11_0000), 0x10_0000),
            flash_len_bytes: 0x20_0000
        })
    );

    let mut entries = two_ota();
    entries[0].region = Region::clamped(FlashAddr(0x8000), 0x5000);
    let bytes = emitted(&entries);
    assert!(matches!(
        PartitionTable::parse(&bytes).unwrap().check_fits(TABLE_ADDR, 0x40_0000),
        Err(PartitionTableError::OverBootArea { offset_bytes: 0, .. })
    ));

    // ESP-IDF 5.4 and later can describe bootloader and table themselves.
    let mut entries = two_ota();
    let primary = subtype::PRIMARY;
    entries.push(partition("bl", PartitionType::BOOTLOADER, primary, 0x1000, 0x7000));
    entries.push(partition("pt", PartitionType::PARTITION_TABLE, primary, 0x8000, 0x1000));
    let bytes = emitted(&entries);
    assert_eq!(PartitionTable::parse(&bytes).unwrap().check_fits(TABLE_ADDR, 0x40_0000), Ok(()));
}

#[test]
fn a_label_that_is_not_text_stays_readable() {
    let mut entry = two_ota()[0];
    entry.label = Label::from_bytes([0xff, b'x', 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    let bytes = emitted(&[entry]);
    let read = PartitionTable::parse(&bytes).unwrap().iter().next().unwrap();
    assert_eq!(read, entry);
    assert_eq!(read.label.as_str(), None);
    assert_eq!(read.label.to_string(), "\\xffx");
}

#[test]
fn types_and_subtypes_are_found_by_their_names() {
    for kind in (0..=u8::MAX).map(PartitionType::from_raw) {
        assert_eq!(PartitionType::from_raw(kind.raw()), kind);
        if let Some(name) = kind.name() {
            assert_eq!(PartitionType::from_name(name), Some(kind));
        }
        for subtype in 0..=u8::MAX {
            if let Some(name) = subtype::name(kind, subtype) {
                assert_eq!(subtype::from_name(kind, name), Some(subtype));
            }
        }
    }
    assert_eq!(subtype::from_name(PartitionType::App, "ota_15"), Some(0x1f));
    assert_eq!(subtype::from_name(PartitionType::Data, "littlefs"), Some(0x83));
    assert_eq!(subtype::from_name(PartitionType::Custom(0x40), "nvs"), None);
    assert_eq!(PartitionType::Custom(0x40).to_string(), "0x40");
    let odd = partition("odd", PartitionType::Custom(0x40), 0x99, 0x9000, 0);
    assert_eq!(odd.usage().to_string(), "0x40 0x99");
}

/// Any entries that belong together: labels and roles of their own, one after the other.
fn tables() -> impl Strategy<Value = Vec<Partition>> {
    let fields = (any::<u8>(), any::<u8>(), 0u32..4, 0u32..0x4_0000, "[^\0]{0,8}", any::<u32>());
    prop::collection::vec(fields, 1..=MAX_ENTRIES_WITH_MD5).prop_map(|all| {
        let mut start = FlashAddr(0x9000);
        let mut entries: Vec<Partition> = Vec::new();
        for (n, (kind, subtype, gap, len, text, flags)) in all.into_iter().enumerate() {
            // The first three types are by far the most frequent in the field.
            let kind = PartitionType::from_raw(if kind < 0xc0 { kind % 3 } else { kind });
            let mut text: String = text;
            while text.len() > 14 {
                text.pop();
            }
            let mut entry = partition(&std::format!("{n:02}{text}"), kind, subtype, 0, 0);
            start = start.saturating_add(gap * 0x1000).align_up(entry.align_bytes()).unwrap();
            let len = if entry.is_otadata() { len.max(OTADATA_LEN_BYTES) } else { len };
            entry.region = Region::from_len(start, len).unwrap();
            entry.flags = flags;
            start = entry.region.end();
            let taken = |other: &Partition| (other.kind, other.subtype) == (kind, subtype);
            if !entries.iter().any(taken) {
                entries.push(entry);
            }
        }
        entries
    })
}

proptest! {
    #[test]
    fn parses_what_it_emits(entries in tables()) {
        let bytes = emitted(&entries);
        let table = PartitionTable::parse(&bytes).unwrap();
        prop_assert!(table.has_md5());
        prop_assert_eq!(table.iter().collect::<Vec<_>>(), entries);
    }

    #[test]
    fn never_panics(
        entries in tables(),
        changes in prop::collection::vec((0usize..0xc00, any::<u8>()), 0..8),
        len in 0usize..=0xc00,
    ) {
        let mut bytes = unchecked(&entries);
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if let Ok(table) = PartitionTable::parse(&bytes[..len]) {
            prop_assert_eq!(table.iter().count(), table.len());
            let _ = table.check_fits(TABLE_ADDR, 0x40_0000);
            let len = table.len() * 32;
            let again = unchecked(&table.iter().collect::<Vec<_>>());
            prop_assert_eq!(&again[..len], &bytes[..len]);
        }
    }
}

/// As Python's `hashlib.md5` has it of the six records packed with `<2sBBLL16sL`.
const MD5_OF_TWO_OTA: u128 = 0xbf25_822c_0fa6_d864_1bd9_3025_1e06_b4c4;
