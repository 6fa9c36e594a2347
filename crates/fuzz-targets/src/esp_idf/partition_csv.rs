//! Partition tables as people write them.

use std::fmt::Write as _;

use esp_idf_format::partition::{
    CsvError, Partition, PartitionTable, TABLE_LEN_BYTES, emit, flags, parse_csv,
};

/// Reads a table in CSV and writes it again, in numbers and in its binary form.
///
/// The input is a text.
pub fn partition_csv(input: &[u8]) {
    let Ok(text) = core::str::from_utf8(input) else { return };
    match parse_csv(text) {
        Ok(entries) => {
            assert!(entries.len() <= text.lines().count());
            assert_eq!(parse_csv(&in_numbers(&entries)), Ok(entries.clone()));
            let mut table = vec![0; TABLE_LEN_BYTES as usize];
            if emit(&entries, &mut table).is_ok() {
                let parsed = PartitionTable::parse(&table).expect("what was written");
                assert_eq!(parsed.iter().collect::<Vec<_>>(), entries);
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let (CsvError::MissingField { line, .. } | CsvError::BadField { line, .. }) = error
            else {
                panic!("an error without a place: {error}")
            };
            assert!((1..=text.lines().count()).contains(&(line as usize)), "{error}");
        }
    }
}

/// The entries in CSV, with numbers wherever there can be any.
fn in_numbers(entries: &[Partition]) -> String {
    let mut csv = String::new();
    for Partition { label, kind, subtype, region, flags: bits } in entries {
        let label = label.as_str().expect("a label out of a text");
        let flags = [(flags::ENCRYPTED, "encrypted"), (flags::READONLY, "readonly")];
        let set: Vec<&str> =
            flags.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| name).collect();
        let (start, len_bytes) = (region.start(), region.len_bytes());
        let (kind, flags) = (kind.raw(), set.join(":"));
        writeln!(csv, "{label},{kind},{subtype:#x},{start},{len_bytes:#x},{flags}")
            .expect("a String takes everything");
    }
    csv
}
