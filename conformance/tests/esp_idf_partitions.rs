//! Partition tables, compared with the crate esp-idf-part in both directions.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

use esp_idf_format::partition::{
    self, CsvError, CsvPlaces, Label, MAX_ENTRIES_WITH_MD5, Partition, PartitionTable,
    PartitionTableError, PartitionType, TABLE_ADDR, TABLE_LEN_BYTES, flags, subtype,
};
use esp_idf_part as theirs;
use flash_region::{FlashAddr, Region};
use proptest::prelude::*;

/// An entry in esp-idf-part's form.
fn to_theirs(entry: &Partition) -> theirs::Partition {
    let subtype = match entry.kind {
        PartitionType::App => theirs::SubType::app(entry.subtype),
        PartitionType::Data => theirs::SubType::data(entry.subtype),
        PartitionType::Custom(_) => theirs::SubType::Custom(entry.subtype),
    };
    theirs::Partition::new(
        entry.label.as_str().unwrap(),
        theirs::Type::from(entry.kind.raw()),
        subtype,
        entry.region.start().get(),
        entry.region.len_bytes(),
        theirs::Flags::from_bits(entry.flags).unwrap(),
    )
}

/// An entry in our form.
fn to_ours(entry: &theirs::Partition) -> Partition {
    Partition {
        label: Label::new(&entry.name()).unwrap(),
        kind: PartitionType::from_raw(entry.ty().into()),
        subtype: entry.subtype().into(),
        region: Region::from_len(FlashAddr(entry.offset()), entry.size()).unwrap(),
        flags: entry.flags().bits(),
    }
}

fn emitted(entries: &[Partition]) -> Vec<u8> {
    let mut table = vec![0; TABLE_LEN_BYTES as usize];
    partition::emit(entries, &mut table).unwrap();
    table
}

fn parse_csv(csv: &str) -> Result<Vec<Partition>, CsvError> {
    let places = CsvPlaces { table: TABLE_ADDR, bootloader: FlashAddr(0x1000) };
    partition::parse_csv(csv.as_bytes(), places)
}

/// The table of the example in ESP-IDF's documentation, "Factory app, two OTA definitions".
const TWO_OTA_CSV: &str = "\
# Name,   Type, SubType, Offset,  Size, Flags
nvs,      data, nvs,     0x9000,  0x4000,
otadata,  data, ota,     0xd000,  0x2000,
phy_init, data, phy,     0xf000,  0x1000,
factory,  app,  factory, 0x10000,  1M,
ota_0,    app,  ota_0,   0x110000, 1M,
ota_1,    app,  ota_1,   0x210000, 1M,
keys,     data, nvs_keys,, 0x1000, encrypted
calib,    data, undefined,, 0x1000, encrypted:readonly
odd,      0x40, 0x99,    , 8K,
";

#[test]
fn a_table_made_from_csv_by_esp_idf_part_reads_as_written() {
    let bytes = theirs::PartitionTable::try_from_str(TWO_OTA_CSV).unwrap().to_bin().unwrap();
    let table = PartitionTable::parse(&bytes).unwrap();
    assert!(table.has_md5());
    assert_eq!(table.check_fits(TABLE_ADDR, 0x40_0000), Ok(()));
    let found: Vec<(String, String, String)> = table
        .iter()
        .map(|entry| (entry.label.to_string(), entry.usage().to_string(), entry.region.to_string()))
        .collect();
    let expected = [
        ("nvs", "data nvs", "0x9000..0xd000"),
        ("otadata", "data ota", "0xd000..0xf000"),
        ("phy_init", "data phy", "0xf000..0x10000"),
        ("factory", "app factory", "0x10000..0x110000"),
        ("ota_0", "app ota_0", "0x110000..0x210000"),
        ("ota_1", "app ota_1", "0x210000..0x310000"),
        ("keys", "data nvs_keys", "0x310000..0x311000"),
        ("calib", "data undefined", "0x311000..0x312000"),
        ("odd", "0x40 0x99", "0x312000..0x314000"),
    ];
    let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(table.find_label("keys").unwrap().flags, flags::ENCRYPTED);
    assert_eq!(table.find_label("calib").unwrap().flags, flags::ENCRYPTED | flags::READONLY);
    let entries: Vec<Partition> = table.iter().collect();
    assert_eq!(emitted(&entries), bytes);
    assert_eq!(parse_csv(TWO_OTA_CSV), Ok(entries));
}

#[test]
fn subtypes_have_the_names_of_esp_idf_part() {
    for raw in 0..=u8::MAX {
        let entry = |ty, kind| {
            let csv = format!("a, {ty}, {raw}, 0x10000, 64K,\nb, app, test, 0x20000, 64K,");
            let parsed = std::panic::catch_unwind(|| theirs::PartitionTable::try_from_str(csv));
            let name =
                parsed.ok().map(|table| table.unwrap().partitions()[0].subtype().to_string());
            // Of ESP-IDF 6 (`gen_esp32part.py`), and unknown to this version of esp-idf-part.
            let is_newer = matches!(
                (kind, raw),
                (PartitionType::App, subtype::TEE_0 | subtype::TEE_1)
                    | (PartitionType::Data, subtype::TEE_OTA)
            );
            let name = if is_newer {
                assert_eq!(name, None, "esp-idf-part knows {ty} {raw:#x} now");
                subtype::name(kind, raw).map(str::to_owned)
            } else {
                name
            };
            assert_eq!(subtype::name(kind, raw), name.as_deref(), "{ty} {raw:#x}");
        };
        // "test" is the second entry, which is there because esp-idf-part needs an app.
        if raw != subtype::TEST {
            entry("app", PartitionType::App);
        }
        if raw != subtype::OTADATA {
            entry("data", PartitionType::Data);
        }
    }
}

#[test]
fn what_esp_idf_part_refuses_is_refused() {
    let good = to_good_entries();
    let refused = |entries: &[Partition]| {
        let table = theirs::PartitionTable::new(entries.iter().map(to_theirs).collect());
        assert!(table.validate().is_err());
        PartitionTable::parse(&table.to_bin().unwrap()).unwrap_err()
    };
    let mut entries = good.clone();
    entries[1].region = Region::clamped(FlashAddr(0x2_1000), 0x1000);
    assert!(matches!(refused(&entries), PartitionTableError::Misaligned { .. }));
    let mut entries = good.clone();
    entries[1].region = entries[0].region;
    assert!(matches!(refused(&entries), PartitionTableError::Overlap { .. }));
    let mut entries = good.clone();
    entries[1].label = entries[0].label;
    assert!(matches!(refused(&entries), PartitionTableError::DuplicateLabel { .. }));
    let mut entries = good.clone();
    entries[1].subtype = subtype::FACTORY;
    assert!(matches!(refused(&entries), PartitionTableError::DuplicateRole { .. }));
    let mut entries = good;
    entries[2].region = entries[2].region.prefix(0x1000);
    assert!(matches!(refused(&entries), PartitionTableError::OtadataTooSmall { .. }));
}

fn to_good_entries() -> Vec<Partition> {
    let entry = |label, kind, subtype, start, len_bytes| Partition {
        label: Label::new(label).unwrap(),
        kind,
        subtype,
        region: Region::clamped(FlashAddr(start), len_bytes),
        flags: 0,
    };
    vec![
        entry("factory", PartitionType::App, subtype::FACTORY, 0x1_0000, 0x1_0000),
        entry("ota_0", PartitionType::App, subtype::OTA_0, 0x2_0000, 0x1_0000),
        entry("otadata", PartitionType::Data, subtype::OTADATA, 0x3_0000, 0x2000),
    ]
}

/// A table for both crates: types and subtypes that esp-idf-part knows, and at least one app.
///
/// Of bootloader and table, types 2 and 3, Espressif's tool does not take the places from CSV, and
/// esp-idf-part does.
fn tables() -> impl Strategy<Value = Vec<Partition>> {
    let app = prop_oneof![Just(0x00u8), 0x10u8..=0x20].prop_map(|raw| (PartitionType::App, raw));
    let data = prop_oneof![0x00u8..=0x06, 0x80u8..=0x83].prop_map(|raw| (PartitionType::Data, raw));
    let custom =
        (0x04u8..=0xfe, any::<u8>()).prop_map(|(raw, sub)| (PartitionType::Custom(raw), sub));
    let role = prop_oneof![3 => app, 3 => data, 1 => custom];
    let entry = (role, 0u32..3, 1u32..64, 0u32..4, "[a-zA-Z0-9_]{0,14}");
    prop::collection::vec(entry, 0..MAX_ENTRIES_WITH_MD5).prop_map(|all| {
        let first = ((PartitionType::App, subtype::FACTORY), 0, 16, 0, "factory".to_owned());
        let mut start = FlashAddr(0x9000);
        let mut entries: Vec<Partition> = Vec::new();
        for (n, ((kind, subtype), gap, sectors, flags, text)) in
            std::iter::once(first).chain(all).enumerate()
        {
            // Labels of any length, and no two the same.
            let label = format!("{n:02}{text}");
            let mut entry = Partition {
                label: Label::new(&label).unwrap(),
                kind,
                subtype,
                region: Region::default(),
                flags,
            };
            let is_otadata = entry.is_otadata();
            let len_bytes = if is_otadata { 0x2000 } else { sectors * 0x1000 };
            start = start.saturating_add(gap * 0x1000).align_up(entry.align_bytes()).unwrap();
            entry.region = Region::from_len(start, len_bytes).unwrap();
            let has_role = entry.is_app() || is_otadata;
            if has_role && entries.iter().any(|e| (e.kind, e.subtype) == (kind, subtype)) {
                continue;
            }
            start = entry.region.end();
            entries.push(entry);
        }
        entries
    })
}

proptest! {
    #[test]
    fn tables_of_either_are_the_same_bytes_and_read_by_the_other(entries in tables()) {
        let table = theirs::PartitionTable::new(entries.iter().map(to_theirs).collect());
        prop_assert!(table.validate().is_ok());
        let (ours_bin, theirs_bin) = (emitted(&entries), table.to_bin().unwrap());
        prop_assert_eq!(&ours_bin, &theirs_bin);

        let read_by_them = theirs::PartitionTable::try_from_bytes(ours_bin).unwrap();
        let read_by_them: Vec<Partition> = read_by_them.partitions().iter().map(to_ours).collect();
        prop_assert_eq!(&read_by_them, &entries);
        let read_by_us = PartitionTable::parse(&theirs_bin).unwrap();
        prop_assert_eq!(&read_by_us.iter().collect::<Vec<_>>(), &entries);
        prop_assert_eq!(parse_csv(&table.to_csv().unwrap()), Ok(entries));
    }
}
