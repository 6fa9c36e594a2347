//! Binary partition tables.

use esp_idf_format::partition::{
    ENTRY_LEN_BYTES, MAX_ENTRIES_WITH_MD5, Partition, PartitionTable, PartitionTableError,
    TABLE_ADDR, TABLE_LEN_BYTES, emit,
};
use flash_region::{FlashAddr, Region};
use md5::{Digest, Md5};

/// Reads a table, unchanged and with a corrected MD5, and compares it with what was read.
///
/// The input is a table.
pub fn partition_table(input: &[u8]) {
    check(input);
    let mut corrected = input.to_vec();
    correct(&mut corrected);
    if corrected != input {
        check(&corrected);
    }
}

/// Puts the digest right in the first record that has one.
fn correct(table: &mut [u8]) {
    let records = table.chunks_exact(ENTRY_LEN_BYTES as usize);
    let Some(index) = records.take(96).position(|record| record.starts_with(&[0xeb, 0xeb])) else {
        return;
    };
    let (entries, behind) = table.split_at_mut(index * ENTRY_LEN_BYTES as usize);
    behind[16..32].copy_from_slice(&Md5::digest(entries));
}

fn check(bytes: &[u8]) {
    let strict = PartitionTable::parse(bytes);
    let loose = PartitionTable::parse_as_bootloader(bytes);
    let table = bytes.get(..TABLE_LEN_BYTES as usize).unwrap_or(bytes);
    assert_eq!(entries(&strict), entries(&PartitionTable::parse(table)), "what follows the table");
    match (&strict, &loose) {
        (Ok(_), Ok(_)) => assert_eq!(entries(&strict), entries(&loose)),
        (Err(error), Ok(loose)) => assert_eq!(loose.check_layout(), Err(*error)),
        (Err(strict), Err(loose)) => assert_eq!(strict, loose),
        (Ok(_), Err(error)) => panic!("only the strict parser takes it: {error}"),
    }
    for error in [strict.err(), loose.err()].into_iter().flatten() {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(table) = &loose {
        check_view(table, bytes);
    }
    if let Ok(table) = &strict {
        check_layout(table);
        check_round_trip(table);
    }
}

fn entries(
    parsed: &Result<PartitionTable<'_>, PartitionTableError>,
) -> Result<Vec<Partition>, PartitionTableError> {
    parsed.map(|table| table.iter().collect())
}

/// Compares the view with the bytes. Records are counted as the bootloader counts them: all before
/// the end marker, less one if there is an MD5. An MD5 record among them is not a partition.
fn check_view(table: &PartitionTable<'_>, bytes: &[u8]) {
    let all = bytes.chunks_exact(ENTRY_LEN_BYTES as usize).take(96);
    let all: Vec<&[u8]> = all.take_while(|record| !record.starts_with(&[0xff; 4])).collect();
    let is_md5 = |record: &&[u8]| record.starts_with(&[0xeb, 0xeb]);
    let has_md5 = all.iter().any(is_md5);
    let counted = &all[..all.len() - usize::from(has_md5)];
    let records: Vec<&[u8]> = counted.iter().copied().filter(|r| !is_md5(r)).collect();
    assert_eq!((table.len(), table.has_md5()), (records.len(), has_md5));
    assert_eq!(table.iter().count(), table.len());
    assert_eq!(table.iter().len(), table.len());
    assert_eq!(table.is_empty(), table.iter().next().is_none());
    for (partition, record) in table.iter().zip(records) {
        assert_eq!(partition.to_bytes(), record, "a record has changed");
        assert!(!partition.label.to_string().contains(char::is_control));
        assert!(!partition.to_string().is_empty());
        if let Some(label) = partition.label.as_str() {
            let found = table.find_label(label);
            assert_eq!(found.map(|found| found.label.as_str() == Some(label)), Some(true));
        }
        if !partition.region.is_empty() {
            let at = partition.region.start();
            assert!(table.find_addr(at).is_some_and(|found| found.region.contains(at)));
        }
        if let Some(index) = partition.ota_index() {
            assert!(index < 16 && table.ota(index).is_some());
        }
        assert!(!partition.is_factory() || table.factory().is_some());
        assert!(!partition.is_otadata() || table.otadata().is_some());
        assert!(!partition.is_test_app() || table.test_app().is_some());
    }
    assert!(usize::from(table.ota_count()) <= table.len());
}

/// Checks a table that the strict parser accepts.
fn check_layout(table: &PartitionTable<'_>) {
    let all: Vec<Partition> = table.iter().collect();
    assert!(!all.is_empty() && table.ota_count() <= 16);
    for (index, one) in all.iter().enumerate() {
        let align_bytes = if one.is_app() { 0x1_0000 } else { 0x1000 };
        assert_eq!(one.region.start().get() % align_bytes, 0, "{one}");
        for other in &all[..index] {
            assert_eq!(one.region.intersection(other.region), None, "{one} and {other}");
            assert_ne!(one.label.text_bytes(), other.label.text_bytes());
        }
    }
    for flash_len_bytes in [0, 0x1_0000, 0x40_0000, u32::MAX] {
        let flash = Region::clamped(FlashAddr::ZERO, flash_len_bytes);
        let fits = all.iter().all(|partition| {
            let boot_area = Region::clamped(FlashAddr::ZERO, 0x9000);
            flash.contains_region(partition.region)
                && (partition.is_boot_area() || !partition.region.overlaps(boot_area))
        });
        assert_eq!(table.check_fits(TABLE_ADDR, flash_len_bytes).is_ok(), fits);
    }
}

/// Checks that the entries are written and read back unchanged.
fn check_round_trip(table: &PartitionTable<'_>) {
    let all: Vec<Partition> = table.iter().collect();
    let mut out = vec![0x5a; TABLE_LEN_BYTES as usize + 1];
    let written = emit(&all, &mut out);
    if all.len() > MAX_ENTRIES_WITH_MD5 {
        assert!(matches!(written, Err(PartitionTableError::TooManyEntries { .. })));
        assert!(out.iter().all(|byte| *byte == 0x5a), "written although it failed");
        return;
    }
    assert_eq!(written, Ok(TABLE_LEN_BYTES as usize));
    assert_eq!(out.pop(), Some(0x5a), "written past the table");
    let again = PartitionTable::parse(&out);
    assert!(again.is_ok_and(|again| again.has_md5()));
    assert_eq!(entries(&again), Ok(all));
}
