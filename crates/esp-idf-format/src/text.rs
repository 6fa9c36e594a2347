//! Text in a field of fixed length, such as a label or a version.

use core::fmt::{self, Write};

/// Text of at most `N` bytes in a field of exactly `N`, padded with NUL.
///
/// A field that is full has no NUL. All `N` bytes are kept as they were read, whatever they are, so
/// that a field can be written back unchanged; equality compares all of them. It prints without
/// control characters and with anything that is not UTF-8 as `\xNN`, so that bytes of an unknown
/// flash are safe to show on a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FixedText<const N: usize>([u8; N]);

impl<const N: usize> FixedText<N> {
    /// The empty text.
    pub const EMPTY: Self = Self([0; N]);

    /// The text padded with NUL; `None` if it is longer than `N` bytes or has a NUL itself.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte == 0) {
            return None;
        }
        let mut field = [0; N];
        field.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self(field))
    }

    /// The field as it is in flash.
    #[must_use]
    pub const fn from_bytes(field: [u8; N]) -> Self {
        Self(field)
    }

    /// All bytes of the field, the padding included.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes before the first NUL, which need not be UTF-8.
    #[must_use]
    pub fn text_bytes(&self) -> &[u8] {
        self.0.split(|&byte| byte == 0).next().unwrap_or(&[])
    }

    /// The text before the first NUL, or `None` if it is not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        core::str::from_utf8(self.text_bytes()).ok()
    }

    /// Whether there is no text before the first NUL.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text_bytes().is_empty()
    }
}

impl<const N: usize> Default for FixedText<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A plain text is padded to the width asked for, as tables want it; escapes are rare
        // enough to be allowed to break a column.
        match self.as_str() {
            Some(text) if !text.contains(char::is_control) => f.pad(text),
            _ => {
                for chunk in self.text_bytes().utf8_chunks() {
                    for c in chunk.valid().chars() {
                        if c.is_control() {
                            write!(f, "{}", c.escape_default())?
                        } else {
                            f.write_char(c)?
                        }
                    }
                    for byte in chunk.invalid() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::FixedText;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn a_full_field_has_no_terminator() {
        let full = FixedText::<4>::new("abcd").unwrap();
        assert_eq!(full.as_str(), Some("abcd"));
        assert_eq!(FixedText::<4>::new("abcde"), None);
        assert_eq!(FixedText::<4>::new("a\0b"), None);
    }

    #[test]
    fn text_ends_at_the_first_nul() {
        let field = FixedText::from_bytes(*b"nvs\0junk");
        assert_eq!(field.as_str(), Some("nvs"));
        assert_eq!(field.as_bytes(), b"nvs\0junk");
        assert_eq!(std::format!("{field:<5}|"), "nvs  |");
    }

    #[test]
    fn bytes_that_are_not_text_print_as_escapes() {
        let field = FixedText::from_bytes([b'a', 0xff, 0x1b, b'[', 0]);
        assert_eq!(field.as_str(), None);
        assert_eq!(field.to_string(), "a\\xff\\u{1b}[");
    }

    proptest! {
        #[test]
        fn never_prints_a_control_character(field: [u8; 16]) {
            let text = FixedText::from_bytes(field).to_string();
            prop_assert!(!text.contains(char::is_control));
        }

        #[test]
        fn keeps_what_it_was_made_of(text in "[a-z_0-9]{0,16}") {
            let field = FixedText::<16>::new(&text).unwrap();
            prop_assert_eq!(field.as_str(), Some(text.as_str()));
            prop_assert_eq!(FixedText::from_bytes(*field.as_bytes()), field);
        }
    }
}
