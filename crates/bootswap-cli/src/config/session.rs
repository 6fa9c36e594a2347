//! A menu and its file: how keys change both.

use std::io;
use std::path::Path;

use ratatui::crossterm::event::KeyEvent;

use bootswap_migration::document::Document;
use bootswap_migration::judge::Judge;

use super::menu::{Menu, Wish};
use super::store::{SaveError, Store};

/// A menu and its file.
#[derive(Clone, Debug)]
pub struct Session {
    menu: Menu,
    store: Store,
    /// Whether the change of the file on disk was reported already.
    is_noticed: bool,
}

/// Whether the session goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It goes on.
    Go,
    /// The menu was left.
    End,
}

impl Session {
    /// A session with this document.
    ///
    /// The files that it names are relative to `dir`; `name` is the file's name on the screen.
    #[must_use]
    pub fn new(name: String, dir: &Path, document: Document, store: Store) -> Self {
        let judge = Judge::new(dir);
        let menu = Menu::new(name, document, store.bytes().is_some(), judge);
        Self { menu, store, is_noticed: false }
    }

    /// The menu.
    #[must_use]
    pub const fn menu(&self) -> &Menu {
        &self.menu
    }

    /// Handles a key.
    pub fn key(&mut self, key: KeyEvent) -> Next {
        match self.menu.key(key) {
            Wish::Stay => Next::Go,
            Wish::Save { overwrite, quit } => {
                if self.save(overwrite) && quit {
                    Next::End
                } else {
                    Next::Go
                }
            }
            Wish::Reload => {
                self.reload();
                Next::Go
            }
            Wish::Quit => Next::End,
        }
    }

    /// Handles pasted text.
    pub fn paste(&mut self, text: &str) {
        self.menu.paste(text);
    }

    /// Checks whether somebody else changed the file. If so, it is read again, unless a change made
    /// in the menu would be lost.
    pub fn look_at_disk(&mut self) {
        if !self.store.has_changed() {
            self.is_noticed = false;
        } else if !self.menu.is_modified() && self.menu.is_browsing() {
            self.reload();
        } else if !self.is_noticed {
            self.is_noticed = true;
            let name = self.menu.name().to_owned();
            self.menu.complain(format!("{name} has changed on disk; saving will ask what to do"));
        }
    }

    /// Saves the text; returns whether it is in the file now.
    fn save(&mut self, overwrite: bool) -> bool {
        if !self.menu.is_modified() && !self.store.has_changed() {
            self.menu.say("nothing to save".to_owned());
            return true;
        }
        match self.store.save(self.menu.text(), overwrite) {
            Ok(()) => {
                self.menu.saved();
                true
            }
            Err(SaveError::Changed) => {
                let may_overwrite = self.store.bytes().is_some();
                self.menu.ask_about_disk(may_overwrite);
                false
            }
            Err(SaveError::Write(error)) => {
                let name = self.menu.name().to_owned();
                self.menu.complain(format!("cannot write {name}: {error}; nothing was changed"));
                false
            }
        }
    }

    fn reload(&mut self) {
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        let document = self.store.reload().and_then(|bytes| {
            let text = bootswap_migration::text::text(bytes.to_vec())
                .map_err(|e| invalid(e.to_string()))?;
            Document::new(text).map_err(|e| invalid(e.to_string()))
        });
        match document {
            Ok(document) => self.menu.reload(document),
            Err(error) => {
                let name = self.menu.name().to_owned();
                self.menu.complain(format!("cannot read {name} again: {error}"));
            }
        }
    }
}
