//! One line of a table in CSV.

use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use super::{CsvError, CsvField, CsvPlaces};
use crate::partition::{LABEL_LEN_BYTES, Label, Partition, PartitionType, flags, subtype};

/// The fields of one line; a missing field is empty.
pub(super) struct Line<'a> {
    line: u32,
    fields: [&'a str; 6],
}

impl<'a> Line<'a> {
    pub(super) fn new(line: u32, text: &'a str) -> Self {
        let mut fields = [""; 6];
        for (field, text) in fields.iter_mut().zip(text.split(',')) {
            *field = text.trim();
        }
        Self { line, fields }
    }

    /// The partition. If the line gives no offset, it begins at `next`, aligned.
    pub(super) fn partition(
        &self,
        next: FlashAddr,
        places: CsvPlaces,
    ) -> Result<Partition, CsvError> {
        let label = self.label().ok_or_else(|| self.bad(CsvField::Name))?;
        let kind = self.wanted(CsvField::Type)?;
        let kind = PartitionType::from_name(&kind.to_ascii_lowercase())
            .or_else(|| u8_of(kind).filter(|raw| *raw != END_TYPE).map(PartitionType::from_raw))
            .ok_or_else(|| self.bad(CsvField::Type))?;
        let subtype = match self.text(CsvField::SubType) {
            "" if kind != PartitionType::App => subtype::UNDEFINED,
            _ => {
                let name = self.wanted(CsvField::SubType)?;
                subtype::from_name(kind, &name.to_ascii_lowercase())
                    .or_else(|| u8_of(name))
                    .ok_or_else(|| self.bad(CsvField::SubType))?
            }
        };
        let mut entry = Partition { label, kind, subtype, region: Region::default(), flags: 0 };
        entry.region = self.region(&entry, next, places)?;
        for flag in self.text(CsvField::Flags).split(':').filter(|flag| !flag.is_empty()) {
            entry.flags |= match flag {
                "encrypted" => flags::ENCRYPTED,
                "readonly" => flags::READONLY,
                _ => return Err(self.bad(CsvField::Flags)),
            };
        }
        Ok(entry)
    }

    /// A name that is too long is cut off, as by `gen_esp32part.py`.
    fn label(&self) -> Option<Label> {
        let name = self.text(CsvField::Name).as_bytes();
        let name = name.get(..LABEL_LEN_BYTES).unwrap_or(name);
        let mut bytes = [0; LABEL_LEN_BYTES];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        (!name.contains(&0)).then(|| Label::from_bytes(bytes))
    }

    /// Where the partition is. Bootloader and partition table are at the places that are compiled
    /// into the bootloader, whatever the line says (mostly `N/A`).
    fn region(
        &self,
        entry: &Partition,
        next: FlashAddr,
        places: CsvPlaces,
    ) -> Result<Region, CsvError> {
        let CsvPlaces { table, bootloader } = places;
        let is_primary = entry.is_primary_boot_area();
        let start = match self.text(CsvField::Offset) {
            _ if is_primary && entry.kind == PartitionType::BOOTLOADER => bootloader,
            _ if is_primary => table,
            // Espressif's tool gets it from its command line.
            "" | "N/A" if entry.is_recovery_bootloader() => {
                return Err(self.missing(CsvField::Offset));
            }
            "" => next.align_up(entry.align_bytes()).ok_or_else(|| self.bad(CsvField::Offset))?,
            offset => FlashAddr(number_of(offset).ok_or_else(|| self.bad(CsvField::Offset))?),
        };
        let region = match entry.kind {
            PartitionType::BOOTLOADER => Region::from_len(start, table.bytes_since(bootloader)),
            PartitionType::PARTITION_TABLE => Region::from_len(start, SECTOR_BYTES),
            _ => {
                let size = self.wanted(CsvField::Size)?;
                match size.strip_prefix('-') {
                    Some(end) if end.starts_with('+') => None,
                    Some(end) => number_of(end).and_then(|end| Region::new(start, FlashAddr(end))),
                    None => number_of(size).and_then(|len| Region::from_len(start, len)),
                }
            }
        };
        region.ok_or_else(|| self.bad(CsvField::Size))
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

/// The type of the end marker (`PART_TYPE_END`), which no partition can have.
const END_TYPE: u8 = 0xff;

/// A number as Python's `int(text, 0)` reads it, `0x1000`, `0x10_000` or `4096`, which a unit may
/// follow: `4K` or `1M`.
pub(super) fn number_of(text: &str) -> Option<u32> {
    let (mut digits, mut unit_bytes) = (text, 1_u32);
    while let Some(unit) = digits.chars().next_back().and_then(bytes_of) {
        digits = digits.get(..digits.len() - 1)?;
        unit_bytes = unit_bytes.checked_mul(unit)?;
    }
    let digits = digits.trim_end();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (digits, radix) = match digits.get(..2) {
        Some("0x" | "0X") => (digits.get(2..)?, 16),
        Some("0o" | "0O") => (digits.get(2..)?, 8),
        Some("0b" | "0B") => (digits.get(2..)?, 2),
        // Python refuses decimal numbers with leading zeros, which in C would be octal.
        Some(_) if digits.starts_with('0') && !digits.trim_matches(['0', '_']).is_empty() => {
            return None;
        }
        _ => (digits, 10),
    };
    // An underscore is between two digits, or between the prefix and the first.
    let first = if radix == 10 { digits } else { digits.strip_prefix('_').unwrap_or(digits) };
    let mut number = 0_u32;
    for group in first.split('_') {
        if group.is_empty() {
            return None;
        }
        for digit in group.chars() {
            number = number.checked_mul(radix)?.checked_add(digit.to_digit(radix)?)?;
        }
    }
    number.checked_mul(unit_bytes)
}

const fn bytes_of(unit: char) -> Option<u32> {
    match unit {
        'k' | 'K' => Some(1024),
        'm' | 'M' => Some(1024 * 1024),
        _ => None,
    }
}

fn u8_of(text: &str) -> Option<u8> {
    number_of(text).and_then(|number| u8::try_from(number).ok())
}
