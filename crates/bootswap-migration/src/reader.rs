//! Reads the values of a migration file. A message about a mistake names field and position.
//!
//! The table of [`keys`](crate::keys) says which keys a table can have and what kind their values
//! are. For an unknown key, the error suggests the key that was probably meant.

use std::ops::Range;

use toml_edit::Value;

use crate::document::Node;
use crate::keys::{Child, Shape, children};
use crate::problem::{At, Problem};

/// Similarity, from 0 to 1, that a known key must have to be suggested.
const ALIKE: f64 = 0.75;

/// A node of the document with the text that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read<'d> {
    node: Node<'d>,
    text: &'d str,
}

/// A value with its position and the name of its field.
pub(crate) type Field<'d> = At<Read<'d>>;

/// A table in which every key is known and has a value of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Table<'d> {
    here: At<Read<'d>>,
    /// Its path in the table of keys, such as `artifact[]`.
    path: String,
}

impl<'d> Table<'d> {
    /// The table of the whole document.
    pub(crate) fn document(root: Node<'d>, text: &'d str) -> Result<Self, Problem> {
        // What is missing from the document has no position.
        let value = Read { node: root, text };
        Self::checked(At { value, span: 0..0, field: String::new() }, String::new())
    }

    fn checked(here: Field<'d>, path: String) -> Result<Self, Problem> {
        let known = children(&path);
        let table = Self { here, path };
        let entries = table.here.value.node.entries();
        for (name, span, _) in &entries {
            if !known.iter().any(|child| child.name == *name) {
                return Err(table.unknown(name, span.clone(), &known));
            }
        }
        for (name, span, node) in entries {
            let key = known.iter().find(|child| child.name == name).and_then(|child| child.key);
            if let Some(key) = key {
                table.field(name, span, node).check(key.kind.shape())?;
            }
        }
        Ok(table)
    }

    fn unknown(&self, found: &str, span: Range<usize>, known: &[Child]) -> Problem {
        let like = |child: &&Child| strsim::jaro_winkler(found, child.name);
        let best = known.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
        let help = match best.filter(|best| like(best) >= ALIKE) {
            Some(best) => format!("did you mean `{}`?", best.name),
            None => {
                let names: Vec<&str> = known.iter().map(|child| child.name).collect();
                format!("the keys here are {}", names.join(", "))
            }
        };
        let at = At { value: (), span, field: self.name_of(found) };
        at.problem("there is no such key", help)
    }

    fn name_of(&self, key: &str) -> String {
        join(&self.here.field, key)
    }

    /// The node of that key; if it has no position, that of its key.
    fn field(&self, key: &str, key_span: Range<usize>, node: Node<'d>) -> Field<'d> {
        let span = node.span().unwrap_or(key_span);
        At { value: Read { node, ..self.here.value }, span, field: self.name_of(key) }
    }

    /// The value of that key, if there is one.
    pub(crate) fn optional(&self, key: &str) -> Option<Field<'d>> {
        let mut entries = self.here.value.node.entries().into_iter();
        let (_, span, node) = entries.find(|(name, ..)| *name == key)?;
        Some(self.field(key, span, node))
    }

    /// The value of that key; `example` is what to write if there is none.
    pub(crate) fn required(&self, key: &str, example: &str) -> Result<Field<'d>, Problem> {
        self.optional(key).ok_or_else(|| self.missing(key, example))
    }

    /// The value of that key is missing.
    pub(crate) fn missing(&self, key: &str, example: &str) -> Problem {
        let missing = At { field: self.name_of(key), ..self.here() };
        missing.problem("missing", format_args!("add `{key} = {example}`"))
    }

    /// The table's own position.
    pub(crate) fn here(&self) -> At<()> {
        self.here.with(())
    }

    /// The text of that key.
    pub(crate) fn text(&self, key: &str) -> Result<Option<At<String>>, Problem> {
        let text = self.optional(key).map(|field| field.text()).transpose()?;
        Ok(text.map(|text| text.with(text.value.to_owned())))
    }

    /// The number of that key.
    pub(crate) fn number(&self, key: &str) -> Result<Option<At<u32>>, Problem> {
        self.optional(key).map(|field| field.number()).transpose()
    }

    /// The truth value of that key, false if there is none.
    pub(crate) fn truth(&self, key: &str) -> Result<bool, Problem> {
        self.optional(key).map_or(Ok(false), |field| field.truth())
    }

    /// The truth value of that key, if there is one.
    pub(crate) fn stated_truth(&self, key: &str) -> Result<Option<bool>, Problem> {
        self.optional(key).map(|field| field.truth()).transpose()
    }

    /// The value of that key, parsed from its text.
    pub(crate) fn parsed<T>(&self, key: &str) -> Result<Option<T>, Problem>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.optional(key).map(|field| field.parsed()).transpose()
    }

    /// The table of that key.
    pub(crate) fn table(&self, key: &str) -> Result<Option<Self>, Problem> {
        let Some(field) = self.optional(key) else { return Ok(None) };
        field.table(join(&self.path, key)).map(Some)
    }

    /// The tables of a list.
    pub(crate) fn tables(&self, key: &str) -> Result<Vec<Self>, Problem> {
        let Some(field) = self.optional(key) else { return Ok(Vec::new()) };
        let example = format!("[[{}]]", field.field);
        let list =
            field.value.node.list().ok_or_else(|| field.wants("a list of tables", &example))?;
        let path = format!("{}[]", join(&self.path, key));
        let entries = list.into_iter().enumerate();
        entries
            .map(|(index, node)| {
                let name = format!("{}[{index}]", field.field);
                field.entry(node, name).table(path.clone())
            })
            .collect()
    }
}

impl<'d> Field<'d> {
    /// Refuses a value that does not have that shape.
    fn check(&self, shape: Shape) -> Result<(), Problem> {
        match shape {
            Shape::Text => self.text().map(drop),
            Shape::Number => self.number().map(drop),
            Shape::Truth => self.truth().map(drop),
            Shape::Texts => self.texts().map(drop),
        }
    }

    fn wants(&self, wanted: &str, example: &str) -> Problem {
        let found = self.value.node.type_name();
        self.problem(
            format_args!("expected {wanted}, found {found}"),
            format_args!("write it as in `{example}`"),
        )
    }

    fn value(&self) -> Option<&'d Value> {
        match self.value.node {
            Node::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> Result<At<&'d str>, Problem> {
        let text = self.value().and_then(Value::as_str);
        let text = text.ok_or_else(|| self.wants("a text", "\"text\""))?;
        if text.is_empty() {
            return Err(self.problem("the text is empty", "write a value, or leave the key out"));
        }
        Ok(self.with(text))
    }

    /// The value that a text names; the error lists the possible ones.
    pub(crate) fn parsed<T>(&self) -> Result<T, Problem>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text()?;
        let wrong = |error: T::Err| text.problem(format_args!("found {:?}", text.value), error);
        text.value.parse().map_err(wrong)
    }

    /// The number, which must have 32 bits.
    pub(crate) fn number(&self) -> Result<At<u32>, Problem> {
        let number = self.value().and_then(Value::as_integer);
        let number = number.ok_or_else(|| self.wants("a number", "0x10000"))?;
        let value = u32::try_from(number).map_err(|_| {
            let written = self.value.text.get(self.span.clone()).unwrap_or_default();
            self.problem(
                format_args!("the number {written} is not between 0 and {:#x}", u32::MAX),
                "flash addresses and lengths have 32 bits",
            )
        })?;
        Ok(self.with(value))
    }

    /// The truth value.
    fn truth(&self) -> Result<bool, Problem> {
        let truth = self.value().and_then(Value::as_bool);
        truth.ok_or_else(|| self.wants("true or false", "true"))
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> Result<Vec<String>, Problem> {
        let list = self.value.node.list();
        let list = list.ok_or_else(|| self.wants("a list of texts", "[\"nvs\"]"))?;
        let text = |node| {
            let text = self.entry(node, self.field.clone()).text()?;
            Ok(text.value.to_owned())
        };
        list.into_iter().map(text).collect()
    }

    /// The table at that path in the table of keys.
    fn table(self, path: String) -> Result<Table<'d>, Problem> {
        if matches!(self.value.node, Node::Table(_) | Node::Inline(_)) {
            return Table::checked(self, path);
        }
        let example = match children(&path).as_slice() {
            [Child { name: "offset", .. }, ..] => {
                "{ offset = 0x10000, size = 0x100000 }".to_owned()
            }
            _ => format!("[{}]", self.field),
        };
        Err(self.wants("a table", &example))
    }

    fn entry(&self, node: Node<'d>, field: String) -> Self {
        let span = node.span().unwrap_or_else(|| self.span.clone());
        Self { value: Read { node, ..self.value }, span, field }
    }
}

/// A key after the name of its table.
fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}
