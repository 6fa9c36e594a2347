//! What is wrong with a migration file, and where in it.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};

use crate::Failure;

/// Something wrong with a migration file, or with a file that it names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    /// Which bytes of the text it is about.
    pub(super) span: Range<usize>,
    /// The field, as `app.file`; empty for the file as such.
    pub(crate) field: String,
    /// What was found.
    pub(crate) message: String,
    /// What to do.
    pub(crate) help: String,
    /// Whether something failed its verification, instead of being bad input.
    pub(super) is_unsafe: bool,
}

impl Problem {
    /// The problem as the command reports it, with the lines of the file that it is about.
    pub(crate) fn into_failure(self, path: &Path, text: &str) -> Failure {
        let Self { span, field, message, help, is_unsafe } = self;
        // The file is named in words too: a snippet can only be shown for spans that are inside.
        let name = path.display().to_string();
        let message = match field.as_str() {
            "" => format!("{name}: {message}"),
            field => format!("{name}: {field}: {message}"),
        };
        let label = LabeledSpan::new_primary_with_span(None, clip(span, text));
        let diagnostic = MietteDiagnostic::new(message).with_help(help).with_label(label);
        let report =
            Report::new(diagnostic).with_source_code(NamedSource::new(name, text.to_owned()));
        if is_unsafe { Failure::Unsafe(report) } else { Failure::Input(report) }
    }
}

/// The span, moved inside the text and to borders of characters.
fn clip(span: Range<usize>, text: &str) -> Range<usize> {
    let border = |at: usize| {
        let at = at.min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    let start = border(span.start);
    start..border(span.end).max(start)
}

/// A value together with the place in the text that it is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands.
    pub(super) span: Range<usize>,
    /// Its field, as `app.file`.
    pub(super) field: String,
}

impl<T> At<T> {
    /// Another value of the same place.
    pub(super) fn with<U>(&self, value: U) -> At<U> {
        At { value, span: self.span.clone(), field: self.field.clone() }
    }

    /// Bad input at this place.
    pub(super) fn problem(&self, message: impl fmt::Display, help: impl fmt::Display) -> Problem {
        Problem {
            span: self.span.clone(),
            field: self.field.clone(),
            message: message.to_string(),
            help: help.to_string(),
            is_unsafe: false,
        }
    }

    /// A verification of what is named at this place failed.
    pub(super) fn failed(&self, message: impl fmt::Display, help: impl fmt::Display) -> Problem {
        Problem { is_unsafe: true, ..self.problem(message, help) }
    }
}
