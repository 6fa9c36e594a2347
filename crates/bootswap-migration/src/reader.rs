//! Reading TOML by hand, because the messages are better for it: every one has the field's name and
//! place, and a key that nobody knows is answered with the one that was meant.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::problem::{At, Problem};

/// A value with its place and the name of its field.
pub(crate) type Field<'d> = At<&'d DeValue<'d>>;

/// How alike, from 0 to 1, a key has to be to one that is known for that one to be suggested.
const ALIKE: f64 = 0.75;

/// A table of which every key is known.
#[derive(Clone, Debug)]
pub(crate) struct Table<'d> {
    name: String,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
}

impl<'d> Table<'d> {
    /// The table of the whole document.
    pub(crate) fn document(
        document: &'d Spanned<DeTable<'d>>,
        known: &[&str],
    ) -> Result<Self, Problem> {
        // What is missing from the document is missing from no place in particular.
        Self::checked(String::new(), 0..0, document.get_ref(), known)
    }

    fn checked(
        name: String,
        span: Range<usize>,
        entries: &'d DeTable<'d>,
        known: &[&str],
    ) -> Result<Self, Problem> {
        let table = Self { name, span, entries };
        for key in entries.keys() {
            let found = key.get_ref().as_ref();
            if !known.contains(&found) {
                return Err(table.unknown(key, known));
            }
        }
        Ok(table)
    }

    fn unknown(&self, key: &Spanned<DeString<'_>>, known: &[&str]) -> Problem {
        let found = key.get_ref().as_ref();
        let like = |name: &&&str| strsim::jaro_winkler(found, name);
        let best = known.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
        let help = match best.filter(|best| like(best) >= ALIKE) {
            Some(best) => format!("did you mean `{best}`?"),
            None => format!("the keys here are {}", known.join(", ")),
        };
        let at = At { value: (), span: key.span(), field: self.field(found) };
        at.problem("there is no such key", help)
    }

    fn field(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// The value of that key, if there is one.
    pub(crate) fn optional(&self, key: &str) -> Option<Field<'d>> {
        let (_, value) = self.entries.iter().find(|(found, _)| found.get_ref().as_ref() == key)?;
        Some(At { value: value.get_ref(), span: value.span(), field: self.field(key) })
    }

    /// The value of that key; `example` tells what to write where there is none.
    pub(crate) fn required(&self, key: &str, example: &str) -> Result<Field<'d>, Problem> {
        self.optional(key).ok_or_else(|| {
            let missing = At { field: self.field(key), ..self.here() };
            missing.problem("missing", format_args!("add `{key} = {example}`"))
        })
    }

    /// The table's own place.
    pub(crate) fn here(&self) -> At<()> {
        At { value: (), span: self.span.clone(), field: self.name.clone() }
    }
}

impl<'d> Field<'d> {
    fn wants(&self, wanted: &str, example: &str) -> Problem {
        let found = self.value.type_str();
        self.problem(
            format_args!("expected {wanted}, found {found}"),
            format_args!("write it as in `{example}`"),
        )
    }

    /// The text.
    pub(crate) fn text(&self) -> Result<At<&'d str>, Problem> {
        let text = self.value.as_str().ok_or_else(|| self.wants("a text", "\"text\""))?;
        if text.is_empty() {
            return Err(
                self.problem("the text is empty", "write something there, or leave the key out")
            );
        }
        Ok(self.with(text))
    }

    /// The number, which has to be one of 32 bits.
    pub(crate) fn number(&self) -> Result<At<u32>, Problem> {
        let number = self.value.as_integer().ok_or_else(|| self.wants("a number", "0x10000"))?;
        let value = u32::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
            self.problem(
                format_args!("the number {number} is none of 0 to {:#x}", u32::MAX),
                "flash addresses and lengths have 32 bits",
            )
        })?;
        Ok(self.with(value))
    }

    /// The truth value.
    pub(crate) fn truth(&self) -> Result<bool, Problem> {
        self.value.as_bool().ok_or_else(|| self.wants("true or false", "true"))
    }

    /// The texts of a list.
    pub(crate) fn texts(&self) -> Result<Vec<At<&'d str>>, Problem> {
        let list =
            self.value.as_array().ok_or_else(|| self.wants("a list of texts", "[\"nvs\"]"))?;
        list.iter().map(|entry| self.entry(entry, None).text()).collect()
    }

    /// The table, of which `known` are the keys.
    pub(crate) fn table(&self, known: &[&str]) -> Result<Table<'d>, Problem> {
        let table = self.value.as_table().ok_or_else(|| {
            let example = match known {
                ["offset", "size"] => "{ offset = 0x10000, size = 0x100000 }".to_owned(),
                _ => format!("[{}]", self.field),
            };
            self.wants("a table", &example)
        })?;
        Table::checked(self.field.clone(), self.span.clone(), table, known)
    }

    /// The tables of a list, of each of which `known` are the keys.
    pub(crate) fn tables(&self, known: &[&str]) -> Result<Vec<Table<'d>>, Problem> {
        let example = format!("[[{}]]", self.field);
        let list = self.value.as_array().ok_or_else(|| self.wants("a list of tables", &example))?;
        let entries = list.iter().enumerate();
        entries.map(|(index, entry)| self.entry(entry, Some(index)).table(known)).collect()
    }

    fn entry(&self, entry: &'d Spanned<DeValue<'d>>, index: Option<usize>) -> Self {
        let field = match index {
            Some(index) => format!("{}[{index}]", self.field),
            None => self.field.clone(),
        };
        Self { value: entry.get_ref(), span: entry.span(), field }
    }
}
