//! The values of a document, regardless of the way in which its tables and lists are written.

use std::ops::Range;

use toml_edit::{ArrayOfTables, InlineTable, Item, Key, Table, TomlError, Value};

use super::key_path::{KeyPath, PathSegment};

/// Parses a document and keeps the position of everything.
pub(crate) fn parse(text: &str) -> Result<toml_edit::Document<&str>, TomlError> {
    toml_edit::Document::parse(text)
}

/// A table, a list of tables or a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'d> {
    /// The document, or a table with a header or dotted keys.
    Table(&'d Table),
    /// An inline table.
    Inline(&'d InlineTable),
    /// Tables that each have a header.
    List(&'d ArrayOfTables),
    /// Anything else.
    Value(&'d Value),
}

impl<'d> Node<'d> {
    /// The node at the end of a path.
    pub(super) fn find(self, path: &KeyPath) -> Option<Self> {
        path.steps().iter().try_fold(self, |node, step| node.child(*step))
    }

    /// The node one step further.
    pub(super) fn child(self, step: PathSegment) -> Option<Self> {
        match (self, step) {
            (Self::Table(table), PathSegment::Key(key)) => Self::of_item(table.get(key)?),
            (Self::Inline(table), PathSegment::Key(key)) => Some(Self::of_value(table.get(key)?)),
            (Self::List(list), PathSegment::Entry(index)) => list.get(index).map(Self::Table),
            (Self::Value(Value::Array(list)), PathSegment::Entry(index)) => {
                list.get(index).map(Self::of_value)
            }
            _ => None,
        }
    }

    /// Every key of a table with its position and its node, in the order of the file.
    pub(crate) fn entries(self) -> Vec<(&'d str, Range<usize>, Self)> {
        let place = |key: Option<&Key>| key.and_then(Key::span).unwrap_or_default();
        match self {
            Self::Table(table) => {
                let entries = table.iter().filter_map(|(name, item)| {
                    Some((name, place(table.key(name)), Self::of_item(item)?))
                });
                entries.collect()
            }
            Self::Inline(table) => {
                let entries = table.iter();
                let of = |(name, value)| (name, place(table.key(name)), Self::of_value(value));
                entries.map(of).collect()
            }
            Self::List(_) | Self::Value(_) => Vec::new(),
        }
    }

    /// The entries of a list, of tables or of values; `None` for anything else.
    pub(crate) fn list(self) -> Option<Vec<Self>> {
        match self {
            Self::List(list) => Some(list.iter().map(Self::Table).collect()),
            Self::Value(Value::Array(list)) => Some(list.iter().map(Self::of_value).collect()),
            _ => None,
        }
    }

    /// Its position: a table's header, or the whole value. `None` for a table without a header.
    pub(crate) fn span(self) -> Option<Range<usize>> {
        match self {
            Self::Table(table) => table.span(),
            Self::Inline(table) => table.span(),
            Self::List(list) => list.span(),
            Self::Value(value) => value.span(),
        }
    }

    /// The name of its type in TOML.
    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::Table(_) | Self::Inline(_) => "table",
            Self::List(_) => "array",
            Self::Value(value) => value.type_name(),
        }
    }

    /// The key as it is written.
    pub(super) fn key(self, key: &str) -> Option<&'d Key> {
        match self {
            Self::Table(table) => table.key(key),
            Self::Inline(table) => table.key(key),
            Self::List(_) | Self::Value(_) => None,
        }
    }

    fn of_item(item: &'d Item) -> Option<Self> {
        match item {
            Item::None => None,
            Item::Value(value) => Some(Self::of_value(value)),
            Item::Table(table) => Some(Self::Table(table)),
            Item::ArrayOfTables(list) => Some(Self::List(list)),
        }
    }

    fn of_value(value: &'d Value) -> Self {
        match value {
            Value::InlineTable(table) => Self::Inline(table),
            value => Self::Value(value),
        }
    }
}

/// Every value below a table with its name, such as `mcuboot.primary.offset`, and its text.
pub(super) fn leaves(table: &Table, text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(Node::Table(table), "", text, &mut found);
    found.sort();
    found
}

fn collect(node: Node<'_>, name: &str, text: &str, found: &mut Vec<(String, String)>) {
    let inside = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match node {
        Node::Table(table) => {
            for (key, item) in table {
                if let Some(child) = Node::of_item(item) {
                    collect(child, &inside(key), text, found);
                }
            }
        }
        Node::Inline(table) => {
            for (key, value) in table {
                collect(Node::of_value(value), &inside(key), text, found);
            }
        }
        Node::List(list) => {
            for (index, table) in list.iter().enumerate() {
                collect(Node::Table(table), &format!("{name}[{index}]"), text, found);
            }
        }
        Node::Value(Value::Array(list)) if list.iter().any(Value::is_inline_table) => {
            for (index, value) in list.iter().enumerate() {
                collect(Node::of_value(value), &format!("{name}[{index}]"), text, found);
            }
        }
        Node::Value(value) => {
            let written = value.span().and_then(|span| text.get(span)).unwrap_or_default();
            found.push((name.to_owned(), written.to_owned()));
        }
    }
}

/// The start of every table with a header, in ascending order.
pub(super) fn headers(table: &Table) -> Vec<usize> {
    let mut found = Vec::new();
    collect_headers(table, &mut found);
    found.sort_unstable();
    found
}

fn collect_headers(table: &Table, found: &mut Vec<usize>) {
    for (_, item) in table {
        match item {
            Item::Table(table) => {
                if !table.is_dotted() && !table.is_implicit() {
                    found.extend(table.span().map(|span| span.start));
                }
                collect_headers(table, found);
            }
            Item::ArrayOfTables(list) => {
                for table in list {
                    found.extend(table.span().map(|span| span.start));
                    collect_headers(table, found);
                }
            }
            Item::Value(_) | Item::None => {}
        }
    }
}
