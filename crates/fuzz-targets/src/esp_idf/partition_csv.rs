//! Partition tables in CSV.

use std::fmt::Write as _;

use esp_idf_format::partition::{
    CsvError, CsvPlaces, Partition, PartitionTable, PartitionTableError, TABLE_ADDR,
    TABLE_LEN_BYTES, emit, flags, parse_csv,
};
use flash_region::FlashAddr;

const PLACES: CsvPlaces = CsvPlaces { table: TABLE_ADDR, bootloader: FlashAddr(0x1000) };

/// Reads a table in CSV and writes it again, in numbers and in its binary form.
///
/// The input is a file.
pub fn partition_csv(input: &[u8]) {
    match parse_csv(input, PLACES) {
        Ok(entries) => {
            // Characters that one encoding or another has for the end of a line.
            let most = input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
            assert!(entries.len() <= most);
            if entries.iter().all(|entry| entry.label.as_str().is_some_and(is_plain)) {
                assert_eq!(parse_csv(in_numbers(&entries).as_bytes(), PLACES), Ok(entries.clone()));
            }
            let mut table = vec![0; TABLE_LEN_BYTES as usize];
            match emit(&entries, &mut table) {
                Ok(_) => {
                    let parsed = PartitionTable::parse(&table).expect("what was written");
                    assert_eq!(parsed.iter().collect::<Vec<_>>(), entries);
                }
                Err(error) => {
                    assert!(matches!(error, PartitionTableError::TooManyEntries { .. }), "{error}");
                }
            }
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.help().is_empty());
            let ends = input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
            match error.line() {
                Some(line) => assert!((1..=ends + 1).contains(&(line as usize)), "{error}"),
                None => assert!(matches!(
                    error,
                    CsvError::Encoding { .. }
                        | CsvError::Table { error: PartitionTableError::Empty, .. }
                )),
            }
        }
    }
}

/// Whether a name is read as it is written: nothing is cut off, no comment, no other field.
fn is_plain(label: &str) -> bool {
    label == label.trim()
        && !label.starts_with('#')
        && !label.contains([',', '\n', '\r'])
        && !label.starts_with('\u{feff}')
}

/// The entries in CSV, with numbers instead of names wherever possible.
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
