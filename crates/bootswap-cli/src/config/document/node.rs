//! The values of a document, whichever way its tables and lists are written.

use toml_edit::{ArrayOfTables, InlineTable, Item, Key, Table, Value};

use super::super::key_path::{KeyPath, Step};

/// A table, a list of tables or a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'d> {
    /// The document, or a table with a header or dotted keys.
    Table(&'d Table),
    /// A table in braces.
    Inline(&'d InlineTable),
    /// Tables with a header each.
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
    pub(super) fn child(self, step: Step) -> Option<Self> {
        match (self, step) {
            (Self::Table(table), Step::Key(key)) => Self::of_item(table.get(key)?),
            (Self::Inline(table), Step::Key(key)) => Some(Self::of_value(table.get(key)?)),
            (Self::List(list), Step::Entry(index)) => list.get(index).map(Self::Table),
            (Self::Value(Value::Array(list)), Step::Entry(index)) => {
                list.get(index).map(Self::of_value)
            }
            _ => None,
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

/// Every value below a table with its name, as `mcuboot.primary.offset`, and how it is written.
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

/// Where every table with a header begins, in ascending order.
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
