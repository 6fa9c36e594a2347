//! Wrapping of text.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Wraps text to lines of at most `columns`; a word that is longer than a line is broken anywhere.
pub(super) fn wrapped(words: &str, columns: usize) -> Vec<String> {
    let options = Options::new(columns.max(1))
        .break_words(true)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let lines = textwrap::wrap(words, options);
    lines.into_iter().filter(|line| !line.is_empty()).map(Into::into).collect()
}

/// The text in exactly `columns`, cut off if it is too long.
pub(super) fn cell(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return format!("{text:<columns$}");
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Index of the first of the `count` lines to show out of `all`, so that line `at` is visible.
pub(super) fn first_shown(at: usize, all: usize, count: usize) -> usize {
    let last = all.saturating_sub(count);
    at.saturating_sub(count / 2).min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_broken_between_and_only_long_ones_inside() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a 0123456789 b", 4), ["a", "0123", "4567", "89 b"]);
        assert!(wrapped("", 4).is_empty());
    }

    #[test]
    fn cells_have_their_width() {
        assert_eq!(cell("ab", 4), "ab  ");
        assert_eq!(cell("abcde", 4), "abc…");
    }

    #[test]
    fn the_row_under_the_cursor_is_shown() {
        for all in 1..20 {
            for count in 1..10 {
                for at in 0..all {
                    let first = first_shown(at, all, count);
                    assert!(first <= at && at < first + count, "{at} of {all} in {count}");
                }
            }
        }
    }
}
