//! Wrapping of text.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Width of the output in columns.
pub(crate) const COLUMNS: usize = 100;

/// Wraps text to lines of at most `columns`; a word that is longer has its own line.
#[must_use]
pub(crate) fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let options = Options::new(columns)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = textwrap::wrap(words, options);
    lines.into_iter().filter(|line| !line.is_empty()).map(Into::into).collect()
}
