//! What is wrong with a migration file, and where.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use bootswap_plan::MaskedUrl;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Something wrong with a migration file, or with a file that it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The bytes of the text that it is about.
    pub(crate) span: Range<usize>,
    /// The field, as in `app.file`; empty if it is about the whole file.
    pub field: String,
    /// What was found.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Whether a verification failed, instead of the input being bad.
    pub(crate) is_unsafe: bool,
}

/// Why a migration could not be read: a [`Problem`] together with its text.
///
/// As a [`Diagnostic`], it shows the lines of the file and says what to do.
#[derive(Debug)]
pub struct LoadError(Box<Shown>);

/// What is shown of an error.
#[derive(Debug)]
struct Shown {
    message: String,
    help: String,
    label: Option<LabeledSpan>,
    source: Option<NamedSource<String>>,
    is_unsafe: bool,
}

impl LoadError {
    /// The problem, in the file at `path` with this text.
    #[must_use]
    pub fn new(problem: Problem, path: &Path, text: &str) -> Self {
        let Problem { span, field, message, help, is_unsafe } = problem;
        // The file is named in the message too: a snippet can be shown only for a span inside of
        // the text.
        let name = path.display().to_string();
        let message = match field.as_str() {
            "" => format!("{name}: {message}"),
            field => format!("{name}: {field}: {message}"),
        };
        let label = LabeledSpan::new_primary_with_span(None, clip(span, text));
        let source = NamedSource::new(name, masked(text));
        let (label, source) = (Some(label), Some(source));
        Self(Box::new(Shown { message, help, label, source, is_unsafe }))
    }

    /// The file itself cannot be read.
    pub(crate) fn of_file(message: impl fmt::Display, help: impl fmt::Display) -> Self {
        let (message, help) = (message.to_string(), help.to_string());
        Self(Box::new(Shown { message, help, label: None, source: None, is_unsafe: false }))
    }

    /// Whether a file that the migration names failed its verification, instead of the input being
    /// bad.
    #[must_use]
    pub fn is_unsafe(&self) -> bool {
        self.0.is_unsafe
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for LoadError {}

impl Diagnostic for LoadError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(&self.0.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.0.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.0.label.clone()?)))
    }
}

/// The text with each byte of a password replaced by an asterisk, so that spans remain valid.
fn masked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut hide = |range: Range<usize>| {
        for byte in bytes.get_mut(range).unwrap_or_default() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    };
    let mut at = 0;
    while let Some((quoted, is_password)) = next_text(text, at) {
        let inside = text.get(quoted.clone()).unwrap_or_default();
        at = quoted.end + 1;
        if is_password {
            hide(quoted);
        } else if inside.contains("://") || inside.contains('@') {
            for secret in MaskedUrl(inside).secrets() {
                hide(quoted.start + secret.start..quoted.start + secret.end);
            }
        }
    }
    // Each character was replaced by as many asterisks as it has bytes.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The span of the next quoted text, without its quotes, and whether it is the value of a password.
///
/// An unterminated text ends with its line, an unterminated multi-line text with the file.
fn next_text(text: &str, from: usize) -> Option<(Range<usize>, bool)> {
    let rest = text.get(from..)?;
    let open = rest.find(['"', '\''])?;
    let quoted = rest.get(open..)?;
    let quote = quoted.get(..1)?;
    let triple = quote.repeat(3);
    let mark = if quoted.starts_with(&triple) { triple.as_str() } else { quote };
    let start = open + mark.len();
    let inside = rest.get(start..)?;
    let mut is_escaped = false;
    let end = inside.char_indices().find_map(|(at, letter)| {
        let ends = !is_escaped
            && (inside.get(at..)?.starts_with(mark) || (mark.len() == 1 && letter == '\n'));
        is_escaped = letter == '\\' && !is_escaped && quote == "\"";
        ends.then_some(at)
    });
    let end = end.unwrap_or(inside.len());
    let key = text.get(..from + open)?.trim_end().strip_suffix('=').unwrap_or_default();
    let key = key.trim_end().trim_end_matches(['"', '\'']).as_bytes();
    let name = b"password";
    let is_password = key.last_chunk::<8>().is_some_and(|last| last.eq_ignore_ascii_case(name));
    Some((from + start..from + start + end, is_password))
}

/// The span, clipped to the text and to character boundaries.
fn clip(span: Range<usize>, text: &str) -> Range<usize> {
    let border = |at: usize| {
        let at = at.min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let start = border(span.start);
    start..border(span.end).max(start)
}

/// A value together with its position in the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct At<T> {
    /// The value.
    pub(crate) value: T,
    /// Its span.
    pub(crate) span: Range<usize>,
    /// Its field, as in `app.file`.
    pub(crate) field: String,
}

impl<T> At<T> {
    /// Another value at the same position.
    pub(crate) fn with<U>(&self, value: U) -> At<U> {
        At { value, span: self.span.clone(), field: self.field.clone() }
    }

    /// Bad input at this place.
    pub(crate) fn problem(&self, message: impl fmt::Display, help: impl fmt::Display) -> Problem {
        Problem {
            span: self.span.clone(),
            field: self.field.clone(),
            message: message.to_string(),
            help: help.to_string(),
            is_unsafe: false,
        }
    }

    /// The verification of the file named at this position failed.
    pub(crate) fn failed(&self, message: impl fmt::Display, help: impl fmt::Display) -> Problem {
        Problem { is_unsafe: true, ..self.problem(message, help) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_a_file_are_not_shown() {
        for (text, shown) in [
            ("password = \"horse\"", "password = \"*****\""),
            ("{ ssid='a', password='p\"w' }", "{ ssid='a', password='***' }"),
            ("\"password\"= \"a\\\"b\" # c", "\"password\"= \"****\" # c"),
            ("password = \"no end\nssid = \"a\"", "password = \"******\nssid = \"a\""),
            ("password = \"\"\"a\n\u{e4}\"\"\"\n", "password = \"\"\"*\n**\"\"\"\n"),
            ("url = \"http://u:p@lab/a\"", "url = \"http://***@lab/a\""),
            ("url = 'http://lab/a?sig=f0&v=1'", "url = 'http://lab/a?sig=**&v=1'"),
            ("chip = \"esp32\"\n# it's\n", "chip = \"esp32\"\n# it's\n"),
        ] {
            assert_eq!(masked(text), shown);
            assert_eq!(masked(text).len(), text.len());
        }
    }
}
