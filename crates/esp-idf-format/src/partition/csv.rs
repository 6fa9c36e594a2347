//! Partition tables in ESP-IDF's CSV form, as projects have them.
//!
//! ```text
//!   # Name,  Type, SubType, Offset,  Size, Flags
//!   nvs,     data, nvs,     0x9000,  16K,
//!   otadata, data, ota,     ,        8K,                 offset: right after it, aligned
//!   app,     app,  ota_0,   ,        -0x200000           size: up to that address
//!   mine,    0x40, 0x01,    ,        1M,   encrypted     numbers where there are no names
//! ```
//!
//! The rules are those of `components/partition_table/gen_esp32part.py` in `espressif/esp-idf`.
//! Not taken over: `${VARIABLES}` of the environment, and places for bootloader and partition table
//! entries that come from the command line of that tool.
//!
//! Read by hand: the dialect has comments and no quotes, so that little more is left than splitting
//! at commas, and the crate `csv` needs `std`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use super::{Label, Partition, PartitionType, TABLE_ADDR, flags, subtype};

/// Reads the entries of a table in CSV, in the order of the lines.
///
/// They are not checked against each other: that is for [`emit`](super::emit).
///
/// # Errors
///
/// [`CsvError`], with line and field.
pub fn parse_csv(text: &str) -> Result<Vec<Partition>, CsvError> {
    let mut entries = Vec::new();
    let mut next = TABLE_ADDR.saturating_add(SECTOR_BYTES);
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let entry = Line::new(line, text).partition(next)?;
        next = entry.region.end();
        entries.push(entry);
    }
    Ok(entries)
}

/// A field of a line, by its place in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CsvField {
    /// The label.
    Name = 0,
    /// The type.
    Type = 1,
    /// The subtype.
    SubType = 2,
    /// First address.
    Offset = 3,
    /// Length.
    Size = 4,
    /// Flags.
    Flags = 5,
}

impl CsvField {
    /// What the field may say.
    const fn wanted(self) -> &'static str {
        match self {
            Self::Name => "at most 16 bytes",
            Self::Type => "app, data, bootloader, partition_table or 0 to 255",
            Self::SubType => "a subtype of that type or 0 to 255",
            Self::Offset => "an address as 0x10000 or 64K, or nothing",
            Self::Size => "bytes as 0x1000, 4K or 1M, or minus the address of the end",
            Self::Flags => "encrypted and readonly, with a colon between them",
        }
    }
}

impl fmt::Display for CsvField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Type => "type",
            Self::SubType => "subtype",
            Self::Offset => "offset",
            Self::Size => "size",
            Self::Flags => "flags",
        })
    }
}

/// The fields of one line; one that is not there is empty.
struct Line<'a> {
    line: u32,
    fields: [&'a str; 6],
}

impl<'a> Line<'a> {
    fn new(line: u32, text: &'a str) -> Self {
        let mut fields = [""; 6];
        for (field, text) in fields.iter_mut().zip(text.split(',')) {
            *field = text.trim();
        }
        Self { line, fields }
    }

    /// The partition, which begins at `next` or after it if the line does not say where.
    fn partition(&self, next: FlashAddr) -> Result<Partition, CsvError> {
        let label =
            Label::new(self.text(CsvField::Name)).ok_or_else(|| self.bad(CsvField::Name))?;
        let kind = PartitionType::from_name(self.wanted(CsvField::Type)?)
            .or_else(|| u8_of(self.text(CsvField::Type)).map(PartitionType::from_raw))
            .ok_or_else(|| self.bad(CsvField::Type))?;
        let subtype = match self.text(CsvField::SubType) {
            "" if kind != PartitionType::App => subtype::UNDEFINED,
            _ => {
                let name = self.wanted(CsvField::SubType)?;
                subtype::from_name(kind, name)
                    .or_else(|| u8_of(name))
                    .ok_or_else(|| self.bad(CsvField::SubType))?
            }
        };
        let mut entry = Partition { label, kind, subtype, region: Region::default(), flags: 0 };
        let start = match self.text(CsvField::Offset) {
            // Where these are depends on the chip.
            "" if entry.is_boot_area() => return Err(self.missing(CsvField::Offset)),
            "" => next.align_up(entry.align_bytes()).ok_or_else(|| self.bad(CsvField::Offset))?,
            offset => FlashAddr(number_of(offset).ok_or_else(|| self.bad(CsvField::Offset))?),
        };
        let size = self.wanted(CsvField::Size)?;
        entry.region = match size.strip_prefix('-') {
            Some(end) => number_of(end).and_then(|end| Region::new(start, FlashAddr(end))),
            None => number_of(size).and_then(|len_bytes| Region::from_len(start, len_bytes)),
        }
        .ok_or_else(|| self.bad(CsvField::Size))?;
        for flag in self.text(CsvField::Flags).split(':').filter(|flag| !flag.is_empty()) {
            entry.flags |= match flag.trim() {
                "encrypted" => flags::ENCRYPTED,
                "readonly" => flags::READONLY,
                _ => return Err(self.bad(CsvField::Flags)),
            };
        }
        Ok(entry)
    }

    fn text(&self, field: CsvField) -> &'a str {
        self.fields.get(field as usize).copied().unwrap_or("")
    }

    fn wanted(&self, field: CsvField) -> Result<&'a str, CsvError> {
        match self.text(field) {
            "" => Err(self.missing(field)),
            text => Ok(text),
        }
    }

    fn missing(&self, field: CsvField) -> CsvError {
        CsvError::MissingField { line: self.line, field }
    }

    fn bad(&self, field: CsvField) -> CsvError {
        let found = self.text(field).into();
        CsvError::BadField { line: self.line, field, found }
    }
}

/// A number as `0x1000`, `4096`, `4K` or `1M`.
fn number_of(text: &str) -> Option<u32> {
    let (digits, unit_bytes) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1024),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1024 * 1024),
            None => (text, 1),
        },
    };
    let digits = digits.trim_end();
    // from_str_radix and parse take a sign, which has no place here.
    if digits.starts_with('+') {
        return None;
    }
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) if digits.starts_with('+') => return None,
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => digits.parse::<u32>().ok()?,
    };
    number.checked_mul(unit_bytes)
}

fn u8_of(text: &str) -> Option<u8> {
    number_of(text).and_then(|number| u8::try_from(number).ok())
}

/// What is wrong with a table in CSV. Lines are counted from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CsvError {
    /// A field is empty that must not be.
    MissingField {
        /// The line.
        line: u32,
        /// The field.
        field: CsvField,
    },
    /// A field says something that cannot be.
    BadField {
        /// The line.
        line: u32,
        /// The field.
        field: CsvField,
        /// What it says.
        found: String,
    },
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingField { line, field } => {
                write!(f, "partition table, line {line}: {field} is empty")
            }
            Self::BadField { line, field, found } => {
                let wanted = field.wanted();
                write!(f, "partition table, line {line}: {field} is {found:?}, not {wanted}")
            }
        }
    }
}

impl core::error::Error for CsvError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    fn line(text: &str) -> Result<Partition, CsvError> {
        parse_csv(text).map(|entries| entries[0])
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
            parse_csv(csv).unwrap().iter().map(|entry| (entry.to_string(), entry.flags)).collect();
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
    fn line_and_field_are_named() {
        let missing = |field| Err(CsvError::MissingField { line: 2, field });
        let bad =
            |field, found: &str| Err(CsvError::BadField { line: 2, field, found: found.into() });
        for (text, error) in [
            ("a", missing(CsvField::Type)),
            ("a,app,,0x10000,64K", missing(CsvField::SubType)),
            ("a,data,nvs,0x9000,", missing(CsvField::Size)),
            ("a,bootloader,primary,,28K", missing(CsvField::Offset)),
            ("a_very_long_label,data,nvs,,4K", bad(CsvField::Name, "a_very_long_label")),
            ("a,nvs,data,,4K", bad(CsvField::Type, "nvs")),
            ("a,256,1,,4K", bad(CsvField::Type, "256")),
            ("a,data,ota_0,,4K", bad(CsvField::SubType, "ota_0")),
            ("a,data,nvs,${HERE},4K", bad(CsvField::Offset, "${HERE}")),
            ("a,data,nvs,0x+9000,4K", bad(CsvField::Offset, "0x+9000")),
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
    fn no_partition_begins_behind_the_last_address() {
        let csv = "a,data,nvs,0xffffe000,0x1fff\nb,app,ota_0,,64K";
        let found = String::new();
        assert_eq!(
            parse_csv(csv),
            Err(CsvError::BadField { line: 2, field: CsvField::Offset, found })
        );
    }

    proptest! {
        #[test]
        fn never_panics(
            text in concat!(
                "([a-z0-9_]{0,18},(app|data|0x4|[0-9]{0,3}),[a-z_0-9]{0,5},",
                "[0-9xkM-]{0,6},[0-9xkM-]{0,6},.{0,4}\n){0,5}",
            ),
        ) {
            let _ = parse_csv(&text);
        }

        #[test]
        fn numbers_are_read_in_every_notation(number: u32) {
            prop_assert_eq!(number_of(&number.to_string()), Some(number));
            prop_assert_eq!(number_of(&std::format!("{number:#x}")), Some(number));
            let (kib, mib) = (number >> 10, number >> 20);
            prop_assert_eq!(number_of(&std::format!("{kib}K")), Some(kib << 10));
            let hexadecimal = std::format!("{mib:#X}m").replace("0X", "0x");
            prop_assert_eq!(number_of(&hexadecimal), Some(mib << 20));
        }
    }
}
