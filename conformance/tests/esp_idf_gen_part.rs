//! Partition tables, compared with ESP-IDF's own `gen_esp32part.py`: what it accepts is accepted
//! here, and gives the same bytes.
//!
//! It comes with ESP-IDF and cannot be installed by itself. The package esp-idf-defs has its code,
//! of version 1.5 as in ESP-IDF 6, which these tests take where no ESP-IDF is named.

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use conformance::program::Ran;
use conformance::python;
use esp_idf_format::partition::{
    self, CsvPlaces, Partition, PartitionTable, TABLE_ADDR, TABLE_LEN_BYTES, parse_csv,
};
use flash_region::FlashAddr;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Reads `N.in`, and writes what it makes of it: the table as `N.bin` and that table's CSV as
/// `N.out`, or why there is none as `N.why`. One process, because it takes long to start.
const SCRIPT: &str = "
import contextlib, importlib.util, io, sys
path, count, table, bootloader = sys.argv[1:]
table, bootloader = int(table), int(bootloader)
if path:
    spec = importlib.util.spec_from_file_location('gen_esp32part', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.quiet = True
    tool.offset_part_table = table
    tool.primary_bootloader_offset = bootloader
    read = lambda file: tool.PartitionTable.from_file(file)
    verify = lambda entries: entries.verify()
else:
    import esp_idf_defs.partitions as tool
    read = lambda file: tool.PartitionTable.from_file(file, table, bootloader)
    verify = lambda entries: entries.verify(table)
assert tuple(map(int, tool.__version__.split('.'))) >= (1, 5), 'it is older than ESP-IDF 6'
for n in range(int(count)):
    try:
        with contextlib.redirect_stderr(io.StringIO()), open(f'{n}.in', 'rb') as file:
            entries, is_binary = read(file)
            verify(entries)
            made = entries.to_binary()
            csv = tool.PartitionTable.from_binary(made).to_csv()
    except Exception as error:
        open(f'{n}.why', 'w', encoding='utf-8').write(f'{type(error).__name__}: {error}')
    else:
        open(f'{n}.bin', 'wb').write(made)
        open(f'{n}.out', 'wb').write(csv.encode())
";

/// What the tool makes of a table.
type Made = Result<(Vec<u8>, Vec<u8>), String>;

fn made(tables: &[Vec<u8>], places: CsvPlaces) -> Vec<Made> {
    let dir = tempfile::tempdir().unwrap();
    let file = |n: usize, kind: &str| dir.path().join(format!("{n}.{kind}"));
    for (n, table) in tables.iter().enumerate() {
        std::fs::write(file(n, "in"), table).unwrap();
    }
    let mut tool = python::command();
    tool.args(["-c", SCRIPT]).arg(python::gen_esp32part().unwrap_or_default());
    tool.arg(tables.len().to_string());
    tool.args([places.table, places.bootloader].map(|at| at.get().to_string()));
    let _ = Ran::of(tool.current_dir(dir.path())).expect_success();
    let read = |path: &Path| std::fs::read(path).unwrap();
    let one = |n| match std::fs::read_to_string(file(n, "why")) {
        Ok(why) => Err(why),
        Err(_) => Ok((read(&file(n, "bin")), read(&file(n, "out")))),
    };
    (0..tables.len()).map(one).collect()
}

const PLACES: CsvPlaces = CsvPlaces { table: TABLE_ADDR, bootloader: FlashAddr(0x1000) };

fn emitted(entries: &[Partition]) -> Vec<u8> {
    let mut table = vec![0; TABLE_LEN_BYTES as usize];
    partition::emit(entries, &mut table).unwrap();
    table
}

/// What is refused on purpose although the tool accepts it: bootloaders refuse such a table, or
/// silently use another entry than the owner means.
fn is_refused_on_purpose(text: &str, binary: &[u8]) -> bool {
    let entries = PartitionTable::parse_as_bootloader(binary)
        .map_or(Vec::new(), |table| table.iter().collect());
    let pairs = |same: fn(&Partition, &Partition) -> bool| {
        entries
            .iter()
            .enumerate()
            .any(|(n, one)| entries.get(..n).unwrap().iter().any(|other| same(one, other)))
    };
    entries.is_empty()
        || pairs(|one, other| one.has_role() && one.is_same_role(other))
        // Names that differ only after their 16th byte are the same name on the device.
        || pairs(|one, other| one.label == other.label)
        // This type is that of the end marker.
        || text.lines().any(|line| {
            matches!(line.split(',').nth(1).map(str::trim), Some("255" | "0xff" | "0xFF"))
        })
}

/// Compares both, and returns how many tables the tool accepted.
fn compare(tables: &[(String, Vec<u8>)], places: CsvPlaces) -> usize {
    let files: Vec<Vec<u8>> = tables.iter().map(|(_, file)| file.clone()).collect();
    let mut accepted = 0;
    for ((text, file), made) in tables.iter().zip(made(&files, places)) {
        let Ok((binary, csv)) = made else { continue };
        let entries = match parse_csv(file, places) {
            Ok(entries) => entries,
            Err(error) => {
                assert!(is_refused_on_purpose(text, &binary), "{error}, of\n{text}");
                continue;
            }
        };
        accepted += 1;
        assert!(emitted(&entries) == binary, "other bytes of\n{text}");
        let read = PartitionTable::parse(&binary).unwrap();
        assert!(read.iter().eq(entries.iter().copied()), "read otherwise:\n{text}");
        let again = parse_csv(&csv, places).unwrap_or_else(|error| panic!("{error}, of its own"));
        assert_eq!(again, entries, "{}", String::from_utf8_lossy(&csv));
    }
    accepted
}

/// Numbers in every notation of Python.
fn number(value: u32, way: u8) -> String {
    match way {
        0 => format!("{value}"),
        1 => format!("0X{value:X}"),
        2 if value.is_multiple_of(1024) => format!("{}k", value / 1024),
        3 if value.is_multiple_of(0x10_0000) => format!("{} M", value / 0x10_0000),
        4 if value > 0xffff => format!("0x{:x}_{:04x}", value >> 16, value & 0xffff),
        5 => format!("+0o{value:o}"),
        _ => format!("{value:#x}"),
    }
}

/// A line; mostly without an offset.
fn line() -> impl Strategy<Value = String> {
    let app = "(factory|ota_[0-9]|ota_1[0-5]|test|tee_[01]|FACTORY|Ota_2|0x1[0-9a-f]|32)";
    let data = "(ota|phy|nvs|coredump|nvs_keys|efuse|undefined|esphttpd|fat|spiffs|littlefs|tee_ota\
                |NVS|0x[0-9]|1[0-9]{2}|)";
    let role = prop_oneof![
        4 => ("(app|App|0|0x0)", app),
        6 => ("(data|DATA|1)", data),
        1 => ("(bootloader|partition_table)", "(primary|ota)"),
        1 => ("(0x40|64|0xfe|255)", "(0|0x99|255)"),
    ];
    let size = prop_oneof![
        4 => (1u32..64).prop_map(|sectors| sectors * 0x1000),
        2 => Just(0x2000u32),
        2 => Just(0x10_0000u32),
        1 => 0u32..0x2_0000,
    ];
    let offset = prop_oneof![
        6 => Just(None),
        2 => (9u32..0x400).prop_map(|sector| Some(sector * 0x1000)),
        1 => (0u32..0x40_0000).prop_map(Some),
    ];
    let flags = "(|||encrypted|readonly|encrypted:readonly|readonly:encrypted|:|N/A)";
    let name = "[a-z_]{1,12}|[a-z] [A-Za-z0-9.-]{9,18}|ü[a-z]{3}|";
    let spaces = "[ \t]{0,2}";
    (name, role, offset, size, 0u8..8, 0u8..8, flags, spaces, any::<bool>()).prop_map(
        |(name, (kind, subtype), offset, size, way, other, flags, space, is_end)| {
            let offset = offset.map_or(String::new(), |offset| number(offset, way));
            let size = if is_end && other == 7 { "-2M".to_owned() } else { number(size, other) };
            format!("{name},{space}{kind},{subtype}{space},{space}{offset},{size}{space},{flags}")
        },
    )
}

/// A file: lines that mostly go together, in any encoding and with any line ends.
fn file() -> impl Strategy<Value = (String, Vec<u8>)> {
    let comment = "(#[ -~]{0,20}| |)";
    let any_line = prop_oneof![9 => line(), 1 => comment.prop_map(|text: String| text)];
    let lines = prop::collection::vec(any_line, 0..7);
    let end = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    (lines, end, 0u8..8).prop_map(|(lines, end, encoding)| {
        let text = lines.join(end);
        let bytes = match encoding {
            0 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            1 => utf_16(&text, u16::to_le_bytes),
            2 => utf_16(&text, u16::to_be_bytes),
            _ => text.clone().into_bytes(),
        };
        (lines.join("\n"), bytes)
    })
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn what_gen_esp32part_accepts_is_the_same_table() {
    let mut runner = TestRunner::deterministic();
    let tables: Vec<_> =
        (0..1500).map(|_| file().new_tree(&mut runner).unwrap().current()).collect();
    let accepted = compare(&tables, PLACES);
    assert!(accepted > 150, "only {accepted} of them are tables");
    let other = CsvPlaces { table: FlashAddr(0x1_0000), bootloader: FlashAddr(0) };
    let accepted = compare(&tables, other);
    assert!(accepted > 100, "only {accepted} of them are tables");
}

#[test]
fn tables_as_gen_esp32part_is_given_them() {
    let most: String = (0..94).map(|n| format!("p{n},data,nvs,,12K,\n")).collect();
    let tables = [
        "nvs, data, nvs, 0x9000, 0x6000,\nphy, data, phy, 0xf000, 0x1000,\n\
         factory, app, factory, 0x10000, 1M,",
        "boot, bootloader, primary, N/A, N/A,\ntable, partition_table, primary, N/A, N/A,\n\
         nvs, data, nvs, , 24K,\nfactory, app, factory, , 1M,\nrest, data, spiffs, , -4M,",
        "otadata, data, ota, , 8K\na, app, ota_0, , 0x1_0_0000\nb, app, ota_1, , 1Mk, ",
        "nvs,data,nvs,0x9000,0x4000,\notadata,data,ota,0xd000,0x2000,\n\
         app0,app,ota_0,0x10000,0x140000,\napp1,app,ota_1,0x150000,0x140000,\n\
         spiffs,data,spiffs,0x290000,0x160000,\ncoredump,data,coredump,0x3F0000,0x10000,",
        &most,
    ];
    let tables = tables.map(|text| (text.to_owned(), text.as_bytes().to_vec()));
    assert_eq!(compare(&tables, PLACES), 5);
}

/// Tables that both refuse.
#[test]
fn mistakes_that_gen_esp32part_finds_are_found() {
    let tables = [
        "a, app, factory, 0x11000, 1M,",
        "a, data, nvs, 0x9100, 0x6000,",
        "a, data, nvs, 0x8000, 0x6000,",
        "a, data, nvs, 0x9000, 0x6000,\nb, data, phy, 0xa000, 0x1000,",
        "a, data, nvs, 0x9000, 0x6000,\na, data, phy, , 0x1000,",
        "a, data, ota, , 0x1000,",
        "a, data, ota, , 8K,\nb, data, ota, , 8K,",
        "a, app, , , 1M,",
        "a, , nvs, , 1M,",
        "a, data, nvs, , ,",
        "a, data, nvs, , 24Q,",
        "a, data, nvs, , 24K, encripted",
        "a, data, no_such, , 24K,",
        "a, dada, nvs, , 24K,",
        "a, data, nvs, 0b2, 24K,",
    ];
    let files = tables.map(|text| text.as_bytes().to_vec());
    for (text, made) in tables.iter().zip(made(&files, PLACES)) {
        assert!(made.is_err(), "the tool takes {text}");
        assert!(parse_csv(text.as_bytes(), PLACES).is_err(), "{text}");
    }
}
