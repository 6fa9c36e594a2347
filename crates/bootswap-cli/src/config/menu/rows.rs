//! The rows of a group: its fields, and the fields of its list's entries.

use bootswap_migration::document::{Document, KeyPath};
use bootswap_migration::keys::{Group, Key, List};

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// Title of the fields below.
    Heading(String),
    /// A field.
    Field {
        /// The key.
        field: &'static Key,
        /// Its path in this file.
        path: KeyPath,
        /// Its value in the file.
        value: Option<String>,
        /// The entry of the group's list that it belongs to.
        entry: Option<usize>,
    },
    /// Adds an entry to the list.
    Add {
        /// What an entry is called.
        what: &'static str,
        /// What the entries are for.
        help: &'static str,
    },
}

impl Row {
    /// Whether the cursor can be on the row.
    #[must_use]
    pub const fn is_selectable(&self) -> bool {
        !matches!(self, Self::Heading(_))
    }
}

/// The rows of a group: the keys that have an effect in this migration, and every key that the file
/// has.
pub(super) fn rows(document: &Document, group: &'static Group) -> Vec<Row> {
    let row = |field: &'static Key, entry: Option<usize>| {
        let path = KeyPath::new(field.path, entry.unwrap_or(0));
        let value = document.get(&path);
        let is_shown = value.is_some() || field.applies.holds(document);
        is_shown.then_some(Row::Field { field, path, value, entry })
    };
    let mut rows: Vec<Row> = group.keys.iter().filter_map(|field| row(field, None)).collect();
    if let Some(List { path, entry, applies, help, keys }) = group.list {
        for index in 0..document.entries(&KeyPath::new(path, 0)) {
            rows.push(Row::Heading(format!("{} {}", capitalized(entry), index + 1)));
            rows.extend(keys.iter().filter_map(|field| row(field, Some(index))));
        }
        if applies.holds(document) {
            rows.push(Row::Add { what: entry, help });
        }
    }
    rows
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}
