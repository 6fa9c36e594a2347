//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use bootswap_migration::document::{Document, EditError, KeyPath, Trace};
use bootswap_migration::keys::{GROUPS, ValueKind, region_of};

use super::rows::Row;
use super::state::{Menu, Mode};

/// What the menu asks the session, which owns the file, to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Nothing.
    Stay,
    /// Write the text to the file.
    Save {
        /// Even though the file has changed on disk.
        overwrite: bool,
        /// And leave the menu afterwards.
        quit: bool,
    },
    /// Read the file again.
    Reload,
    /// Leave the menu.
    Quit,
}

/// Rows of a page.
const PAGE_ROWS: usize = 8;

impl Menu {
    /// Handles a key.
    pub fn key(&mut self, key: KeyEvent) -> Wish {
        self.message = None;
        let is_interrupt =
            key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
        if is_interrupt {
            self.preview = None;
            return self.quit();
        }
        match &mut self.mode {
            Mode::Browse => self.browse(key),
            Mode::Edit(_) => self.edit_key(key),
            Mode::Choose(_) => self.choose_key(key),
            Mode::Map(top) | Mode::Verdict(top) => {
                match key.code {
                    KeyCode::Up | KeyCode::Char('k') => *top = top.saturating_sub(1),
                    KeyCode::Down | KeyCode::Char('j') => *top = top.saturating_add(1),
                    KeyCode::PageUp => *top = top.saturating_sub(PAGE_ROWS),
                    KeyCode::PageDown => *top = top.saturating_add(PAGE_ROWS),
                    KeyCode::Home => *top = 0,
                    _ => self.mode = Mode::Browse,
                }
                Wish::Stay
            }
            Mode::Keys => {
                self.mode = Mode::Browse;
                Wish::Stay
            }
            Mode::AskQuit => match key.code {
                KeyCode::Char('y' | 's') | KeyCode::Enter | KeyCode::F(2) => {
                    self.mode = Mode::Browse;
                    Wish::Save { overwrite: false, quit: true }
                }
                KeyCode::Char('n') => Wish::Quit,
                KeyCode::Esc => {
                    self.mode = Mode::Browse;
                    Wish::Stay
                }
                _ => Wish::Stay,
            },
            Mode::AskDisk { may_overwrite } => match key.code {
                KeyCode::Char('o') if *may_overwrite => {
                    self.mode = Mode::Browse;
                    Wish::Save { overwrite: true, quit: false }
                }
                KeyCode::Char('r') => Wish::Reload,
                KeyCode::Esc => {
                    self.mode = Mode::Browse;
                    Wish::Stay
                }
                _ => Wish::Stay,
            },
        }
    }

    /// Handles pasted text.
    pub fn paste(&mut self, text: &str) {
        if let Mode::Edit(edit) = &mut self.mode {
            edit.editor.paste(text);
            self.check_line();
        }
    }

    fn browse(&mut self, key: KeyEvent) -> Wish {
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => (0..PAGE_ROWS).for_each(|_| self.step(-1)),
            KeyCode::PageDown => (0..PAGE_ROWS).for_each(|_| self.step(1)),
            KeyCode::Home => self.set_at(0),
            KeyCode::End => self.set_at(self.rows().len().saturating_sub(1)),
            KeyCode::Left | KeyCode::BackTab | KeyCode::Char('h') => {
                self.group = (self.group + GROUPS.len() - 1) % GROUPS.len();
            }
            KeyCode::Right | KeyCode::Tab | KeyCode::Char('l') => {
                self.group = (self.group + 1) % GROUPS.len();
            }
            KeyCode::Char(digit @ '1'..='9') => {
                let group = digit as usize - '1' as usize;
                if group < GROUPS.len() {
                    self.group = group;
                }
            }
            KeyCode::Enter => self.open(),
            KeyCode::Char(' ') => self.toggle(),
            KeyCode::Char('d') | KeyCode::Delete => self.unset_current(),
            KeyCode::Char('x') => self.remove_entry(),
            KeyCode::Char('u') => match self.undo.pop() {
                Some(last) => {
                    self.document = last;
                    self.judge_again();
                    self.say("the last change is undone".to_owned());
                }
                None => self.say("nothing to undo".to_owned()),
            },
            KeyCode::Char('r') => {
                self.judge_again();
                self.say("all files were read again".to_owned());
            }
            KeyCode::Char('m') => self.mode = Mode::Map(0),
            KeyCode::Char('v') => self.mode = Mode::Verdict(0),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Keys,
            KeyCode::Char('s') | KeyCode::F(2) => {
                return Wish::Save { overwrite: false, quit: false };
            }
            KeyCode::Char('q') | KeyCode::Esc => return self.quit(),
            _ => {}
        }
        Wish::Stay
    }

    fn quit(&mut self) -> Wish {
        if self.is_modified() {
            self.mode = Mode::AskQuit;
            Wish::Stay
        } else {
            Wish::Quit
        }
    }

    /// Moves the cursor to the next selectable row.
    fn step(&mut self, by: isize) {
        let rows = self.rows();
        let mut at = self.at();
        while let Some(next) = at.checked_add_signed(by).filter(|next| *next < rows.len()) {
            at = next;
            if rows.get(at).is_some_and(Row::is_selectable) {
                self.set_at(at);
                return;
            }
        }
    }

    fn set_at(&mut self, row: usize) {
        if let Some(at) = self.at.get_mut(self.group) {
            *at = row;
        }
    }

    /// Opens the row under the cursor for editing.
    fn open(&mut self) {
        match self.current() {
            Some(Row::Field { field, value, .. }) => self.start(field, value),
            Some(Row::Add { .. }) => self.add_entry(),
            Some(Row::Heading(_)) | None => {}
        }
    }

    fn toggle(&mut self) {
        match self.current() {
            Some(Row::Field { field, path, value, .. }) if field.kind == ValueKind::Truth => {
                let now = value.as_deref().unwrap_or(field.default) == "true";
                self.set(&path, &(!now).to_string());
            }
            _ => self.open(),
        }
    }

    /// Sets a value, which is given as TOML.
    pub(super) fn set(&mut self, path: &KeyPath, value: &str) {
        let mut document = self.document.clone();
        match document.set(path, value) {
            Ok(()) => self.change(document),
            Err(error) => self.complain(error.to_string()),
        }
    }

    /// Removes the value under the cursor.
    fn unset_current(&mut self) {
        let Some(Row::Field { field, path, value: Some(_), .. }) = self.current() else { return };
        if path.to_string() == "chip" {
            self.complain("a migration is for one chip, so the chip is required".to_owned());
            return;
        }
        match self.without(&path, field.kind) {
            Ok(document) => {
                self.change(document);
                if !field.is_required() {
                    self.say(format!("{path} is removed: {}", field.default));
                }
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    /// The document without that value.
    pub(super) fn without(&self, path: &KeyPath, kind: ValueKind) -> Result<Document, EditError> {
        let mut document = self.document.clone();
        let trace = if kind.is_secret() { Trace::Nothing } else { Trace::Comment };
        // An offset without its size, or the reverse, is of no use.
        match region_of(&path.to_string()) {
            Some(region) => {
                let region = KeyPath::new(region, 0);
                document.unset(&region, trace)?;
            }
            None => document.unset(path, trace)?,
        }
        Ok(document)
    }

    fn add_entry(&mut self) {
        let Some(list) = self.group().list else { return };
        let mut document = self.document.clone();
        match document.add_entry(&KeyPath::new(list.path, 0)) {
            Ok(index) => {
                self.change(document);
                let rows = self.rows();
                let first = rows.iter().position(
                    |row| matches!(row, Row::Field { entry: Some(entry), .. } if *entry == index),
                );
                self.set_at(first.unwrap_or(0));
            }
            Err(error) => self.complain(error.to_string()),
        }
    }

    fn remove_entry(&mut self) {
        let (Some(list), Some(Row::Field { entry: Some(entry), .. })) =
            (self.group().list, self.current())
        else {
            self.say("x removes entries of a list only; d removes a value".to_owned());
            return;
        };
        let mut document = self.document.clone();
        match document.remove_entry(&KeyPath::new(list.path, 0), entry) {
            Ok(()) => {
                self.change(document);
                self.say(format!("the {} is removed; u brings it back", list.entry));
            }
            Err(error) => self.complain(error.to_string()),
        }
    }
}
