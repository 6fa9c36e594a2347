//! Adding values and entries at the end of their table or list, and removing values from inline
//! tables.

use toml_edit::{
    ArrayOfTables, DocumentMut, InlineTable, Item, Key, Table, TableLike, TomlError, Value,
};

use super::key_path::{KeyPath, PathSegment};
use super::lines::{line_end, line_start};
use super::node::{Node, parse};

/// The text with one more value, which is given as TOML.
pub(super) fn inserted(text: &str, path: &KeyPath, value: &str) -> Option<String> {
    let value: Value = value.parse().ok()?;
    edited(text, |document| {
        let (parent, PathSegment::Key(key)) = path.split_last()? else { return None };
        match place(document, &parent, true)? {
            Place::Table(table) => {
                let name = aligned(table, key);
                table.insert_formatted(&name, Item::Value(value));
            }
            Place::Inline(table) => insert_inline(table, key, value),
        }
        Some(())
    })
}

/// The text without a value, and without an inline table that would become empty.
pub(super) fn removed(text: &str, path: &KeyPath) -> Option<String> {
    edited(text, |document| {
        let (parent, PathSegment::Key(key)) = path.split_last()? else { return None };
        let is_empty = match place(document, &parent, false)? {
            Place::Table(table) => {
                table.remove(key)?;
                false
            }
            Place::Inline(table) => {
                let (last, suffix) = last_suffix(table);
                table.remove(key)?;
                if last.as_deref() == Some(key) {
                    set_last_suffix(table, &suffix);
                }
                table.is_empty()
            }
        };
        if let (true, Some((outer, PathSegment::Key(key)))) = (is_empty, parent.split_last()) {
            match place(document, &outer, false)? {
                Place::Table(table) => table.remove(key).map(|_| ()),
                Place::Inline(table) => table.remove(key).map(|_| ()),
            }
        } else {
            Some(())
        }
    })
}

/// The text with one more table in a list.
pub(super) fn entry_added(text: &str, list: &KeyPath) -> Option<String> {
    edited(text, |document| {
        let (parent, PathSegment::Key(key)) = list.split_last()? else { return None };
        // Headers of a list's entries need no parent table, so missing parents are implied.
        let table: &mut dyn TableLike = if parent.steps().is_empty() {
            document.as_table_mut()
        } else {
            let Some(PathSegment::Key(outer)) = parent.steps().first() else { return None };
            let item = document.as_table_mut().entry(outer).or_insert_with(|| {
                let mut table = Table::new();
                table.set_implicit(true);
                Item::Table(table)
            });
            item.as_table_like_mut()?
        };
        let item = table.entry(key).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        match item {
            Item::ArrayOfTables(list) => list.push(Table::new()),
            Item::Value(Value::Array(list)) => list.push(InlineTable::new()),
            _ => return None,
        }
        Some(())
    })
}

/// The text without an entry of a list, from its header to its last value.
pub(super) fn entry_removed(text: &str, entry: &KeyPath) -> Option<String> {
    let document = parse(text).ok()?;
    let (list, PathSegment::Entry(index)) = entry.split_last()? else { return None };
    match Node::Table(document.as_table()).find(&list)? {
        Node::List(tables) => {
            let table = tables.get(index)?;
            let header = table.span()?;
            let values = table.iter().filter_map(|(_, item)| item.span());
            let last = values.map(|span| span.end).max().unwrap_or(header.start);
            let mut out = text.to_owned();
            let mut start = line_start(text, header.start);
            let end = line_end(text, last.max(header.start));
            // One blank line is removed as well, so that there are not two.
            if text.get(..start)?.ends_with("\n\n")
                && text.get(end..)?.trim_start_matches('\r').starts_with('\n')
            {
                start -= 1;
            }
            out.replace_range(start..end, "");
            Some(out)
        }
        _ => edited(text, |document| {
            let (parent, PathSegment::Key(key)) = list.split_last()? else { return None };
            let list = match place(document, &parent, false)? {
                Place::Table(table) => table.get_mut(key)?.as_array_mut()?,
                Place::Inline(table) => table.get_mut(key)?.as_array_mut()?,
            };
            (index < list.len()).then(|| {
                list.remove(index);
            })
        }),
    }
}

/// The text after a change of the document, with its original line endings.
fn edited(text: &str, edit: impl FnOnce(&mut DocumentMut) -> Option<()>) -> Option<String> {
    let mut document = text.parse().map_err(|_: TomlError| ()).ok()?;
    edit(&mut document)?;
    let out = document.to_string();
    Some(if text.contains("\r\n") { out.replace('\n', "\r\n") } else { out })
}

/// A table that values are added to.
enum Place<'d> {
    /// With a header.
    Table(&'d mut Table),
    /// An inline table.
    Inline(&'d mut InlineTable),
}

/// The table at that path. If `make` is set, missing tables are created: first one with a header,
/// and inline tables in it.
fn place<'d>(document: &'d mut DocumentMut, path: &KeyPath, make: bool) -> Option<Place<'d>> {
    let mut place = Place::Table(document.as_table_mut());
    let mut steps = path.steps().iter().enumerate().peekable();
    while let Some((depth, step)) = steps.next() {
        let PathSegment::Key(key) = *step else { return None };
        let entry = match steps.peek() {
            Some((_, PathSegment::Entry(index))) => {
                steps.next();
                Some(*index)
            }
            _ => None,
        };
        let missing = || match depth {
            0 => Item::Table(Table::new()),
            _ => Item::Value(Value::InlineTable(InlineTable::new())),
        };
        place = match place {
            Place::Table(table) => {
                if make && entry.is_none() && table.get(key).is_none() {
                    let name = if depth == 0 { Key::new(key) } else { aligned(table, key) };
                    table.insert_formatted(&name, missing());
                }
                of_item(table.get_mut(key)?, entry)?
            }
            Place::Inline(table) => {
                if make && entry.is_none() && table.get(key).is_none() {
                    insert_inline(table, key, Value::InlineTable(InlineTable::new()));
                }
                of_value(table.get_mut(key)?, entry)?
            }
        };
    }
    Some(place)
}

fn of_item(item: &mut Item, entry: Option<usize>) -> Option<Place<'_>> {
    match (item, entry) {
        (Item::Table(table), None) => Some(Place::Table(table)),
        (Item::ArrayOfTables(list), Some(index)) => list.get_mut(index).map(Place::Table),
        (Item::Value(value), entry) => of_value(value, entry),
        _ => None,
    }
}

fn of_value(value: &mut Value, entry: Option<usize>) -> Option<Place<'_>> {
    match (value, entry) {
        (Value::InlineTable(table), None) => Some(Place::Inline(table)),
        (Value::Array(list), Some(index)) => {
            list.get_mut(index)?.as_inline_table_mut().map(Place::Inline)
        }
        _ => None,
    }
}

/// The key, padded with spaces if the table's other keys are aligned like that.
fn aligned(table: &Table, key: &str) -> Key {
    let width = |key: &Key| {
        let blanks = key.leaf_decor().suffix()?.as_str()?;
        blanks.trim().is_empty().then(|| key.get().len() + blanks.len())
    };
    let written = table.iter().filter(|(_, item)| item.is_value());
    let widths: Vec<Option<usize>> =
        written.filter_map(|(name, _)| table.key(name).map(width)).collect();
    let common = match widths.as_slice() {
        [Some(first), rest @ ..] if rest.iter().all(|other| *other == Some(*first)) => *first,
        _ => 0,
    };
    let mut name = Key::new(key);
    if common > key.len() {
        name.leaf_decor_mut().set_suffix(" ".repeat(common - key.len()));
    }
    name
}

/// Adds a value to an inline table; the spaces before the closing brace stay there.
fn insert_inline(table: &mut InlineTable, key: &str, mut value: Value) {
    let (last, suffix) = last_suffix(table);
    if last.is_some() {
        set_last_suffix(table, "");
    }
    let suffix = if last.is_some() { suffix } else { " ".to_owned() };
    value.decor_mut().set_prefix(" ");
    value.decor_mut().set_suffix(suffix);
    table.insert(key, value);
}

/// The last key of an inline table, and the text between its value and the closing brace.
fn last_suffix(table: &InlineTable) -> (Option<String>, String) {
    let last = table.iter().last();
    let suffix = last.and_then(|(_, value)| value.decor().suffix()?.as_str()).unwrap_or_default();
    (last.map(|(key, _)| key.to_owned()), suffix.to_owned())
}

fn set_last_suffix(table: &mut InlineTable, suffix: &str) {
    let last = table.iter().last().map(|(key, _)| key.to_owned());
    if let Some(value) = last.and_then(|key| table.get_mut(&key)) {
        value.decor_mut().set_suffix(suffix);
    }
}
