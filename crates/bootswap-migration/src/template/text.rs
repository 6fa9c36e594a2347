//! The text of a new file, made from the table of keys.

use std::collections::BTreeMap;

use esp_idf_format::Chip;

use crate::keys::{Applies, Begin, Child, children};

/// The tables of a new file, with a comment about each.
const TABLES: [(&str, &str); 7] = [
    ("mcuboot", "the flash map compiled into the target bootloader"),
    ("app", ""),
    ("bootloader", ""),
    ("staging", ""),
    ("allow", ""),
    ("network", ""),
    ("log", ""),
];

/// The first lines.
const HEAD: &str = "\
# From ESP-IDF to MCUboot. Check the values with the people who built bootloader and application.
# `bootswap config` explains each key, `bootswap plan` says whether the migration would be safe.
";

/// Column at which comments after values begin.
const NOTE_COLUMN: usize = 46;

/// A value that fits the devices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fitted {
    /// The key has it.
    Given(String),
    /// A comment shows it as a possibility.
    Shown(String),
}

/// Values by the path of their key.
pub(super) type Values = BTreeMap<&'static str, Fitted>;

/// The file; `said` are comments for its top.
pub(super) fn text(chip: Chip, values: &Values, said: &str) -> String {
    let mut out = format!("{HEAD}{said}");
    out.extend(lines("", chip, values));
    for (table, note) in TABLES {
        let lines = lines(table, chip, values);
        if !lines.is_empty() {
            // A table in which every line is a comment becomes a comment as a whole.
            let mark = if lines.iter().all(|line| line.starts_with('#')) { "# " } else { "" };
            out.push('\n');
            out.push_str(&noted(&format!("{mark}[{table}]"), note));
            out.extend(lines);
        }
    }
    out
}

/// The lines of a table.
fn lines(table: &str, chip: Chip, values: &Values) -> Vec<String> {
    let children = children(table);
    let fitted = |name: &str| match table {
        "" => values.get(name),
        _ => values.get(format!("{table}.{name}").as_str()),
    };
    let is_aligned = |child: &&Child| match begin(child) {
        Begin::Fitted(_) => fitted(child.name).is_some(),
        Begin::Value(..) => true,
        Begin::Without | Begin::Comment(..) => false,
    };
    let width = children.iter().filter(is_aligned).map(|child| child.name.len()).max();
    let width = width.unwrap_or(0);
    let line = |child: &Child| {
        let name = child.name;
        let (line, note) = match begin(child) {
            Begin::Without => return None,
            Begin::Value(value, note) => (format!("{name:<width$} = {value}"), note),
            Begin::Comment(..) if needs_wifi(child) && !chip.has_wifi() => return None,
            Begin::Comment(value, note) => (format!("# {name} = {value}"), note),
            Begin::Fitted(note) => match fitted(name)? {
                Fitted::Given(value) => (format!("{name:<width$} = {value}"), note),
                Fitted::Shown(value) => (format!("# {name:<width$} = {value}"), note),
            },
        };
        Some(noted(&line, note))
    };
    children.iter().filter_map(line).collect()
}

/// How a key appears in a new file, or a table of a few values in one line.
fn begin(child: &Child) -> Begin {
    child.key.map_or(Begin::Fitted(""), |key| key.begin)
}

fn needs_wifi(child: &Child) -> bool {
    child.key.is_some_and(|key| key.applies == Applies::WithWifi)
}

/// A line followed by a comment, if there is one.
fn noted(line: &str, note: &str) -> String {
    if note.is_empty() {
        return format!("{line}\n");
    }
    format!("{line:<width$} # {note}\n", width = NOTE_COLUMN - 1)
}
