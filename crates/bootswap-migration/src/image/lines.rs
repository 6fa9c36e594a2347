//! Text in two columns, indented by level.

use std::fmt::{self, Display, Write as _};

/// Width of the left column.
const NAME_WIDTH: usize = 18;

/// Lines of text that are added one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    text: String,
    level: usize,
}

impl Lines {
    /// Adds a line with a name and a value.
    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        let width = NAME_WIDTH.saturating_sub(2 * self.level);
        self.line(format_args!("{name:<width$} {value}"));
    }

    /// Adds such a line if there is a value.
    pub(super) fn some(&mut self, name: &str, value: &Option<impl Display>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{:indent$}{line}", "", indent = 2 * self.level);
    }

    /// Adds lines that are indented by one level.
    pub(super) fn inside(&mut self, add: impl FnOnce(&mut Self)) {
        self.level += 1;
        add(self);
        self.level -= 1;
    }
}

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A number in hexadecimal in the text; in JSON it is a number.
pub(super) struct HexNumber(pub u32);

impl Display for HexNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
