//! Tables as projects have them, and as they should not be.

extern crate std;

use std::string::{String, ToString};
use std::vec::Vec;

use proptest::prelude::*;

use super::line::number_of;
use super::*;
use crate::partition::TABLE_ADDR;

const PLACES: CsvPlaces = CsvPlaces { table: TABLE_ADDR, bootloader: FlashAddr(0x1000) };

fn parse(file: impl AsRef<[u8]>) -> Result<Vec<Partition>, CsvError> {
    parse_csv(file.as_ref(), PLACES)
}

fn line(text: &str) -> Result<Partition, CsvError> {
    parse(text).map(|entries| entries[0])
}

fn read(file: impl AsRef<[u8]>) -> Vec<String> {
    parse(file).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn offsets_follow_from_the_line_before() {
    let csv = "\
# Name, Type, SubType, Offset, Size, Flags
nvs,data,nvs,,16K

  phy , data , phy , , 0x1000 , encrypted:readonly
factory,app,factory,,1M,
odd,0x40,,,4096
rest,app,0x1f,,-4M
";
    let entries: Vec<_> =
        parse(csv).unwrap().iter().map(|entry| (entry.to_string(), entry.flags)).collect();
    let expected = [
        ("nvs (data nvs) at 0x9000..0xd000", 0),
        ("phy (data phy) at 0xd000..0xe000", 3),
        ("factory (app factory) at 0x10000..0x110000", 0),
        ("odd (0x40 0x06) at 0x110000..0x111000", 0),
        ("rest (app ota_15) at 0x120000..0x400000", 0),
    ];
    assert_eq!(entries, expected.map(|(text, flags)| (text.to_string(), flags)));
}

#[test]
fn the_first_offset_follows_the_table() {
    let places = CsvPlaces { table: FlashAddr(0xc000), ..PLACES };
    let entries = parse_csv(b"nvs,data,nvs,,16K\napp,app,factory,,1M", places).unwrap();
    assert_eq!(entries[0].to_string(), "nvs (data nvs) at 0xd000..0x11000");
    assert_eq!(
        parse_csv(b"nvs,data,nvs,0x9000,16K", places),
        Err(CsvError::Overlap {
            line: 1,
            start: FlashAddr(0x9000),
            next: FlashAddr(0xd000),
            before: None
        })
    );
}

/// As ESP-IDF 5.4 and later have it, `docs/en/api-guides/partition-tables.rst`.
#[test]
fn bootloader_and_table_are_where_the_bootloader_has_them() {
    let csv = "\
bootloader,       bootloader,      primary, N/A, N/A
partition_table,  partition_table, primary, N/A, N/A
nvs,              DATA,            NVS,     ,    0x6000
ota_boot,         bootloader,      ota,     ,
ota_table,        partition_table, ota,     ,    N/A
factory,          App,             Factory, ,    1m
tee,              app,             tee_0,   ,    64K
tee2,             app,             TEE_1,   ,    64K
tee_data,         data,            tee_ota, ,    8K
rescue,           bootloader,      recovery, 0x200000, N/A
";
    assert_eq!(
        read(csv),
        [
            "bootloader (bootloader primary) at 0x1000..0x8000",
            "partition_table (partition_table primary) at 0x8000..0x9000",
            "nvs (data nvs) at 0x9000..0xf000",
            "ota_boot (bootloader ota) at 0xf000..0x16000",
            "ota_table (partition_table ota) at 0x16000..0x17000",
            "factory (app factory) at 0x20000..0x120000",
            "tee (app tee_0) at 0x120000..0x130000",
            "tee2 (app tee_1) at 0x130000..0x140000",
            "tee_data (data tee_ota) at 0x140000..0x142000",
            "rescue (bootloader recovery) at 0x200000..0x207000",
        ]
    );
    let missing = CsvError::MissingField { line: 1, field: CsvField::Offset };
    assert_eq!(line("rescue,bootloader,recovery,N/A,N/A"), Err(missing));
}

#[test]
fn files_are_read_as_editors_save_them() {
    let csv = "# ä\nnvs,data,nvs,,16K\napp,app,factory,,1M\n";
    let expected = ["nvs (data nvs) at 0x9000..0xd000", "app (app factory) at 0x10000..0x110000"];
    let units: Vec<u16> = csv.encode_utf16().collect();
    let bytes = |unit: fn(u16) -> [u8; 2]| units.iter().flat_map(move |u| unit(*u));
    for file in [
        csv.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", csv.as_bytes()].concat(),
        [0xff, 0xfe].into_iter().chain(bytes(u16::to_le_bytes)).collect(),
        [0xfe, 0xff].into_iter().chain(bytes(u16::to_be_bytes)).collect(),
        csv.replace('\n', "\r").into_bytes(),
        csv.replace('\n', "\r\n").into_bytes(),
    ] {
        assert_eq!(read(&file), expected, "{file:?}");
    }
    // The mark is no part of the first label, and lines are counted whatever ends them.
    assert_eq!(parse("\u{feff}a,data,nvs,,4K\r\r\nb,data").unwrap_err().line(), Some(3));
}

#[test]
fn files_of_other_encodings_are_refused() {
    let found = |file: &[u8]| match parse(file) {
        Err(CsvError::Encoding { found }) => found,
        other => panic!("{other:?}"),
    };
    assert!(found(b"n\0v\0s\0").starts_with("no text"));
    assert_eq!(found(b"\xff\xfen\0v"), "damaged UTF-16");
    assert_eq!(found(b"\xff\xfe\0\0n\0\0\0"), "UTF-32");
    for (file, line) in [(&b"\x80"[..], 1), (b"a\n\xff", 2), (b"# a\r\n\r\nnvs,\xe4", 3)] {
        assert_eq!(parse(file), Err(CsvError::NotUtf8 { line }), "{file:?}");
    }
}

#[test]
fn line_and_field_are_named() {
    let missing = |field| Err(CsvError::MissingField { line: 2, field });
    let bad = |field, found: &str| Err(CsvError::BadField { line: 2, field, found: found.into() });
    for (text, error) in [
        ("a", missing(CsvField::Type)),
        ("a,app,,0x10000,64K", missing(CsvField::SubType)),
        ("a,data,nvs,0x9000,", missing(CsvField::Size)),
        ("a,nvs,data,,4K", bad(CsvField::Type, "nvs")),
        ("a,256,1,,4K", bad(CsvField::Type, "256")),
        ("a,255,255,,4K", bad(CsvField::Type, "255")),
        ("a,data,ota_0,,4K", bad(CsvField::SubType, "ota_0")),
        ("a,data,nvs,${HERE},4K", bad(CsvField::Offset, "${HERE}")),
        ("a,data,nvs,N/A,4K", bad(CsvField::Offset, "N/A")),
        ("a,data,nvs,0x+9000,4K", bad(CsvField::Offset, "0x+9000")),
        ("a,data,nvs,09000,4K", bad(CsvField::Offset, "09000")),
        ("a,data,nvs,0x9000,4G", bad(CsvField::Size, "4G")),
        ("a,data,nvs,0x9000,5000M", bad(CsvField::Size, "5000M")),
        ("a,data,nvs,0x9000,-0x8000", bad(CsvField::Size, "-0x8000")),
        ("a,data,nvs,0xfffff000,8K", bad(CsvField::Size, "8K")),
        ("a,data,nvs,,4K,secret", bad(CsvField::Flags, "secret")),
    ] {
        assert_eq!(line(&std::format!("# comment\n{text}")), error, "{text}");
    }
    let error = line("a,data,nvs,,4G").unwrap_err();
    assert_eq!(
        error.to_string(),
        "partition table, line 1: size is \"4G\", \
         not bytes as 0x1000, 4K or 1M, or minus the address of the end"
    );
}

#[test]
fn an_invalid_table_is_refused_with_its_line() {
    let after = |csv: &str| parse(std::format!("# comment\nnvs,data,nvs,0x9000,16K\n{csv}"));
    assert_eq!(
        after("\nphy,data,phy,0xc000,4K"),
        Err(CsvError::Overlap {
            line: 4,
            start: FlashAddr(0xc000),
            next: FlashAddr(0xd000),
            before: Some(2)
        })
    );
    let error = after("app,app,factory,0x12000,64K").unwrap_err();
    assert_eq!(error.line(), Some(3));
    assert!(matches!(error, CsvError::Table { error: PartitionTableError::Misaligned { .. }, .. }));
    let error = after("nvs,data,0x99,,4K").unwrap_err();
    assert!(error.to_string().starts_with("partition table, line 3: "), "{error}");
    assert_eq!(
        parse("# nothing\n"),
        Err(CsvError::Table { line: None, error: PartitionTableError::Empty })
    );
}

#[test]
fn a_long_name_is_cut_off() {
    let entry = line("a_label_of_20_bytes_,data,nvs,,4K").unwrap();
    assert_eq!(entry.label.as_str(), Some("a_label_of_20_by"));
}

#[test]
fn no_partition_begins_behind_the_last_address() {
    let csv = "a,data,nvs,0xffffe000,0x1fff\nb,app,ota_0,,64K";
    let found = String::new();
    assert_eq!(parse(csv), Err(CsvError::BadField { line: 2, field: CsvField::Offset, found }));
}

#[test]
fn numbers_are_those_of_python() {
    for (text, number) in [("0", 0), ("00", 0), ("0_0", 0), ("1Mk", 1 << 30), ("+8 k", 8192)] {
        assert_eq!(number_of(text), Some(number), "{text}");
    }
    for text in ["", "+", "0x", "0x_", "_1", "1_", "01", "0_1", "++1", "-1", " 1", "4096M", "K"] {
        assert_eq!(number_of(text), None, "{text}");
    }
    assert!(line("a,data,nvs,,-+64K").is_err());
}

proptest! {
    #[test]
    fn never_panics(
        text in concat!(
            "([a-z0-9_]{0,18},(app|data|0x4|[0-9]{0,3}),[a-z_0-9]{0,5},",
            "[0-9xkM-]{0,6},[0-9xkM-]{0,6},.{0,4}\n){0,5}",
        ),
        bytes: Vec<u8>,
    ) {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().is_empty() && !error.help().is_empty());
        }
        let _ = parse(&bytes);
    }

    /// As `str::lines` of the same text with other line ends.
    #[test]
    fn lines_are_lines(lines in prop::collection::vec("[a-z]{0,3}", 1..6), end in 0usize..3) {
        let end = ["\n", "\r", "\r\n"][end];
        let found: Vec<String> = text::lines(&lines.join(end)).map(String::from).collect();
        let expected: Vec<String> = lines.join("\n").lines().map(String::from).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn underscores_are_between_digits(number: u32, at in 1usize..8) {
        let mut text = std::format!("{number:08x}");
        text.insert(at, '_');
        prop_assert_eq!(number_of(&std::format!("+0x_{text}")), Some(number));
        let twice = text.replace('_', "__");
        for wrong in [std::format!("0x__{text}"), std::format!("0x{text}_"), twice] {
            prop_assert_eq!(number_of(&wrong), None);
        }
    }

    #[test]
    fn numbers_are_read_in_every_notation(number: u32) {
        prop_assert_eq!(number_of(&number.to_string()), Some(number));
        for text in [
            std::format!("{number:#x}"), std::format!("{number:#o}"), std::format!("{number:#b}"),
        ] {
            prop_assert_eq!(number_of(&text), Some(number));
        }
        let (kib, mib) = (number >> 10, number >> 20);
        prop_assert_eq!(number_of(&std::format!("{kib}K")), Some(kib << 10));
        let hexadecimal = std::format!("{mib:#X}m").replace("0X", "0x");
        prop_assert_eq!(number_of(&hexadecimal), Some(mib << 20));
    }
}
