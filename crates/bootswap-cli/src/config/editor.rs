//! A line that is typed.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A line, and where the cursor is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Editor {
    before: String,
    behind: String,
}

impl Editor {
    /// A line to go on with, the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { before: text.to_owned(), behind: String::new() }
    }

    /// What was typed, without blanks around it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.before, self.behind)
    }

    /// How many characters are before the cursor.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.before.chars().count()
    }

    /// Takes a key; whether it was one for a line.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => {
                self.before.clear();
            }
            KeyCode::Char('a') if control => self.home(),
            KeyCode::Char('e') if control => self.end(),
            KeyCode::Char('w') if control => {
                let kept = self.before.trim_end().rfind([' ', '/', ',']).map_or(0, |at| at + 1);
                self.before.truncate(kept);
            }
            KeyCode::Char(character) if !control => self.before.push(character),
            KeyCode::Backspace => {
                self.before.pop();
            }
            KeyCode::Delete => {
                if !self.behind.is_empty() {
                    self.behind.remove(0);
                }
            }
            KeyCode::Left => {
                if let Some(character) = self.before.pop() {
                    self.behind.insert(0, character);
                }
            }
            KeyCode::Right => {
                if !self.behind.is_empty() {
                    self.before.push(self.behind.remove(0));
                }
            }
            KeyCode::Home => self.home(),
            KeyCode::End => self.end(),
            _ => return false,
        }
        true
    }

    /// Puts another text in its place.
    pub fn replace(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Inserts a text that was pasted; an end of line in it is none of a value's.
    pub fn paste(&mut self, text: &str) {
        self.before.extend(text.chars().filter(|character| !character.is_control()));
    }

    fn home(&mut self) {
        self.behind.insert_str(0, &self.before);
        self.before.clear();
    }

    fn end(&mut self) {
        self.before.push_str(&self.behind);
        self.behind.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, codes: &[KeyCode]) {
        for code in codes {
            assert!(editor.key(KeyEvent::from(*code)), "{code:?}");
        }
    }

    #[test]
    fn a_line_is_typed_anywhere() {
        let mut editor = Editor::new("0x1");
        press(
            &mut editor,
            &[KeyCode::Char('0'), KeyCode::Home, KeyCode::Delete, KeyCode::Char('ß')],
        );
        assert_eq!((editor.text().as_str(), editor.cursor()), ("ßx10", 1));
        press(&mut editor, &[KeyCode::Right, KeyCode::Backspace, KeyCode::End, KeyCode::Left]);
        assert_eq!((editor.text().as_str(), editor.cursor()), ("ß10", 2));
        assert!(!editor.key(KeyEvent::from(KeyCode::Enter)));
    }

    #[test]
    fn shells_habits_work() {
        let mut editor = Editor::new("images/app one.bin");
        let control = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
        assert!(editor.key(control('w')));
        assert_eq!(editor.text(), "images/app ");
        assert!(editor.key(control('u')));
        assert_eq!(editor.text(), "");
        editor.paste("a\nb\u{1b}");
        assert_eq!(editor.text(), "ab");
    }
}
