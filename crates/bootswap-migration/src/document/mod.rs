//! The text of a migration file, in which single values are changed and nothing else.
//!
//! ```text
//!   swap      = "scratch"    # comment        set     replaces the value, and only that
//!   # swap      = "scratch"    # comment      unset   turns the line into a comment
//!   swap      = "move"    # comment           set     brings back a line that was commented out
//! ```
//!
//! toml_edit finds a value, and the value is replaced in the text itself, so that no byte around it
//! changes. A value that is not in the file yet is added by toml_edit at the end of its table.
//! Every change is checked before it is made: a change that would affect another value is refused.

mod commented;
mod insert;
mod key_path;
mod lines;
mod node;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use toml_edit::{TomlError, Value};

use node::leaves;

pub use key_path::{KeyPath, PathSegment};
pub(crate) use node::{Node, parse};

/// The text of a migration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    text: String,
}

/// What to do with the line of a value that is removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// It becomes a comment, which can be restored.
    Comment,
    /// Nothing is left of it; for passwords.
    Nothing,
}

/// Why a change cannot be made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EditError {
    /// The text is not valid TOML.
    Syntax {
        /// What is wrong.
        message: String,
    },
    /// The file is written in such a way that this change would affect other values.
    Entangled {
        /// The value.
        field: String,
    },
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { message } => {
                write!(
                    f,
                    "the file would no longer be valid TOML ({message}); change it with an \
                editor"
                )
            }
            Self::Entangled { field } => write!(
                f,
                "{field} cannot be changed here without changing other values; change it with an \
                editor"
            ),
        }
    }
}

impl std::error::Error for EditError {}

impl EditError {
    fn of(error: &TomlError) -> Self {
        Self::Syntax { message: error.message().to_owned() }
    }
}

impl Document {
    /// The document of this text.
    ///
    /// # Errors
    ///
    /// [`EditError::Syntax`] where it is not valid TOML.
    pub fn new(text: String) -> Result<Self, EditError> {
        parse(&text).map_err(|error| EditError::of(&error))?;
        Ok(Self { text })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value as a user would type it: a text without quotes, a list with commas.
    #[must_use]
    pub fn get(&self, path: &KeyPath) -> Option<String> {
        let document = parse(&self.text).ok()?;
        let node = Node::Table(document.as_table()).find(path)?;
        match node {
            Node::Value(Value::String(text)) => Some(text.value().clone()),
            Node::Value(Value::Array(list)) => {
                let entries = list.iter().map(|entry| match entry.as_str() {
                    Some(text) => text.to_owned(),
                    None => {
                        self.text.get(entry.span().unwrap_or_default()).unwrap_or("").to_owned()
                    }
                });
                Some(entries.collect::<Vec<_>>().join(", "))
            }
            Node::Value(value) => self.text.get(value.span()?).map(str::to_owned),
            Node::Table(_) | Node::Inline(_) => Some("{ … }".to_owned()),
            Node::List(_) => Some("[ … ]".to_owned()),
        }
    }

    /// How many entries a list has.
    #[must_use]
    pub fn entries(&self, list: &KeyPath) -> usize {
        let Ok(document) = parse(&self.text) else { return 0 };
        match Node::Table(document.as_table()).find(list) {
            Some(Node::List(list)) => list.len(),
            Some(Node::Value(Value::Array(list))) => list.len(),
            _ => 0,
        }
    }

    /// Sets a value, which is given as TOML.
    ///
    /// # Errors
    ///
    /// An [`EditError`]; the text is unchanged then.
    pub fn set(&mut self, path: &KeyPath, value: &str) -> Result<(), EditError> {
        let set = |text: &str| -> Option<String> {
            let mut text = text.to_owned();
            let span = value_span(&text, path)?;
            text.replace_range(span, value);
            Some(text)
        };
        // Uses the first of these ways that changes no other value.
        let replaced = set(&self.text);
        let ways = [
            replaced.is_none().then(|| commented::revived(&self.text, path)).flatten(),
            replaced.is_none().then(|| insert::inserted(&self.text, path, value)).flatten(),
        ];
        let candidates =
            replaced.into_iter().chain(ways.into_iter().flatten().filter_map(|text| set(&text)));
        self.take_first(candidates.collect(), path)
    }

    /// Removes a value.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn unset(&mut self, path: &KeyPath, trace: Trace) -> Result<(), EditError> {
        if self.get(path).is_none() {
            return Ok(());
        }
        let commented = match trace {
            Trace::Comment => commented::commented_out(&self.text, path),
            Trace::Nothing => commented::line_removed(&self.text, path),
        };
        let candidates = commented.into_iter().chain(insert::removed(&self.text, path));
        self.take_first(candidates.collect(), path)
    }

    /// Adds an entry without any values to a list of tables, and returns its index.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn add_entry(&mut self, list: &KeyPath) -> Result<usize, EditError> {
        let index = self.entries(list);
        let candidates = insert::entry_added(&self.text, list);
        self.take_first(candidates.into_iter().collect(), list)?;
        if self.entries(list) == index + 1 {
            Ok(index)
        } else {
            Err(EditError::Entangled { field: list.to_string() })
        }
    }

    /// Removes an entry of a list of tables, with everything in it.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn remove_entry(&mut self, list: &KeyPath, index: usize) -> Result<(), EditError> {
        let candidates = insert::entry_removed(&self.text, &list.entry(index));
        self.take_first(candidates.into_iter().collect(), list)
    }

    /// Accepts the first of these texts that changes only values below `path`.
    fn take_first(&mut self, texts: Vec<String>, path: &KeyPath) -> Result<(), EditError> {
        let field = path.to_string();
        let others = |text: &str| -> Result<Vec<(String, String)>, EditError> {
            let document = parse(text).map_err(|error| EditError::of(&error))?;
            let mut leaves = leaves(document.as_table(), text);
            let top = outermost(path);
            leaves.retain(|(name, _)| !within(name, &top));
            Ok(leaves)
        };
        let before = others(&self.text)?;
        let mut error = EditError::Entangled { field };
        for text in texts {
            match others(&text) {
                Ok(after) if after == before => {
                    self.text = text;
                    return Ok(());
                }
                Ok(_) => {}
                Err(syntax) => error = syntax,
            }
        }
        Err(error)
    }
}

/// The value that a change may affect, or the small table of values that belong together:
/// `mcuboot.primary` for `mcuboot.primary.offset`.
fn outermost(path: &KeyPath) -> String {
    let mut name = String::new();
    for (index, step) in path.steps().iter().enumerate() {
        match step {
            PathSegment::Key(key) if index == 0 => name.push_str(key),
            PathSegment::Key(key) if index == 1 => {
                name.push('.');
                name.push_str(key);
            }
            _ => {}
        }
    }
    name
}

fn within(name: &str, outer: &str) -> bool {
    name.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The span of a value in the text, without spaces and comments around it.
fn value_span(text: &str, path: &KeyPath) -> Option<Range<usize>> {
    let document = parse(text).ok()?;
    match Node::Table(document.as_table()).find(path)? {
        Node::Value(value) => value.span(),
        Node::Inline(_) | Node::Table(_) | Node::List(_) => None,
    }
}
