//! The line editor of the menu.

use ratatui::crossterm::event::{Event, KeyEvent};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input, InputRequest};

/// A line, and where the cursor is in it.
#[derive(Clone, Debug)]
pub struct Editor(Input);

impl Editor {
    /// An editor that starts with this text, the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Input::from(text))
    }

    /// What was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.value()
    }

    /// How many characters are before the cursor.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.0.cursor()
    }

    /// Handles a key; returns whether the editor uses it.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let request = to_input_request(&Event::Key(key));
        let is_known = request.is_some();
        request.and_then(|request| self.0.handle(request));
        is_known
    }

    /// Replaces the whole line.
    pub fn replace(&mut self, text: &str) {
        *self = Self::new(text);
    }

    /// Inserts pasted text, without its line breaks, which no value has.
    pub fn paste(&mut self, text: &str) {
        for character in text.chars().filter(|character| !character.is_control()) {
            self.0.handle(InputRequest::InsertChar(character));
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyModifiers};

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
        assert_eq!((editor.text(), editor.cursor()), ("ßx10", 1));
        press(&mut editor, &[KeyCode::Right, KeyCode::Backspace, KeyCode::End, KeyCode::Left]);
        assert_eq!((editor.text(), editor.cursor()), ("ß10", 2));
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
