//! Typing and choosing values: checked at every key, and judged before they are accepted.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use bootswap_migration::document::{Document, KeyPath};
use bootswap_migration::keys::{Key, ValueKind};
use bootswap_migration::{Problem, fill_map};

use super::super::editor::Editor;
use super::keys::Wish;
use super::rows::Row;
use super::state::{Choose, Edit, Menu, Mode};

/// Maximum number of suggestions for one value.
const MAX_SUGGESTIONS: usize = 32;

impl Menu {
    /// Begins to edit a field.
    pub(super) fn start(&mut self, field: &'static Key, value: Option<String>) {
        let choices = field.kind.choices();
        if choices.is_empty() {
            let suggestions = self.suggestions(field.kind);
            let editor = Editor::new(value.as_deref().unwrap_or_default());
            let hint = field.kind.hint();
            let edit = Edit { editor, problem: None, hint, suggestions, suggested: None };
            self.mode = Mode::Edit(edit);
            return;
        }
        let mut all: Vec<Option<String>> =
            choices.into_iter().map(|choice| Some(choice.to_owned())).collect();
        if !field.is_required() {
            all.insert(0, None);
        }
        let at = all.iter().position(|choice| *choice == value).unwrap_or(0);
        self.mode = Mode::Choose(Choose { choices: all, at });
    }

    pub(super) fn edit_key(&mut self, key: KeyEvent) -> Wish {
        let Mode::Edit(edit) = &mut self.mode else { return Wish::Stay };
        match key.code {
            KeyCode::Esc => self.leave(),
            KeyCode::Enter => self.take_line(),
            KeyCode::Up | KeyCode::BackTab => {
                edit.suggest(-1);
                self.check_line();
            }
            KeyCode::Down | KeyCode::Tab => {
                edit.suggest(1);
                self.check_line();
            }
            _ => {
                if edit.editor.key(key) {
                    edit.suggested = None;
                    self.check_line();
                }
            }
        }
        Wish::Stay
    }

    pub(super) fn choose_key(&mut self, key: KeyEvent) -> Wish {
        let Mode::Choose(choose) = &mut self.mode else { return Wish::Stay };
        let last = choose.choices.len().saturating_sub(1);
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => self.leave(),
            KeyCode::Up | KeyCode::Char('k') => {
                choose.at = choose.at.saturating_sub(1);
                self.preview_choice();
            }
            KeyCode::Down | KeyCode::Char('j') => {
                choose.at = (choose.at + 1).min(last);
                self.preview_choice();
            }
            KeyCode::Home | KeyCode::PageUp => {
                choose.at = 0;
                self.preview_choice();
            }
            KeyCode::End | KeyCode::PageDown => {
                choose.at = last;
                self.preview_choice();
            }
            KeyCode::Enter | KeyCode::Char(' ') => self.take_choice(),
            _ => {}
        }
        Wish::Stay
    }

    /// Checks the typed value, and judges the file as it would be with that value.
    pub(super) fn check_line(&mut self) {
        let Mode::Edit(edit) = &self.mode else { return };
        let checked = self.candidate(edit.editor.text());
        self.preview = checked.as_ref().ok().map(|document| self.judge.judge(document.text()));
        if let Mode::Edit(edit) = &mut self.mode {
            edit.problem = checked.err();
        }
    }

    fn preview_choice(&mut self) {
        let Mode::Choose(choose) = &self.mode else { return };
        let choice = choose.choices.get(choose.at).cloned().flatten().unwrap_or_default();
        let candidate = self.candidate(&choice);
        self.preview = candidate.ok().map(|document| self.judge.judge(document.text()));
    }

    fn take_line(&mut self) {
        let Mode::Edit(edit) = &self.mode else { return };
        match self.candidate(edit.editor.text()) {
            Ok(document) => {
                let is_bootloader = self.is_at("bootloader.file") && document != self.document;
                self.mode = Mode::Browse;
                self.change(document);
                if is_bootloader {
                    self.fill_map();
                }
            }
            Err(problem) => {
                if let Mode::Edit(edit) = &mut self.mode {
                    edit.problem = Some(problem);
                }
                self.complain("not accepted: correct it, or Esc to cancel".to_owned());
            }
        }
    }

    /// Whether the cursor is at that field.
    fn is_at(&self, key: &str) -> bool {
        matches!(self.current(), Some(Row::Field { field, .. }) if field.path == key)
    }

    /// Fills in the parts of the map that the bootloader's file shows, as a separate change that
    /// can be undone.
    fn fill_map(&mut self) {
        let Some(name) = self.document.get(&KeyPath::new("bootloader.file", 0)) else { return };
        let Ok(bytes) = std::fs::read(self.judge.dir().join(&name)) else { return };
        let mut document = self.document.clone();
        match fill_map(&mut document, &bytes) {
            Ok(keys) if keys.is_empty() => {}
            Ok(keys) => {
                self.change(document);
                self.say(format!(
                    "{} values of the map are set from {name}; u undoes it",
                    keys.len()
                ));
            }
            Err(error) => self.complain(format!("the map of {name} cannot be filled in: {error}")),
        }
    }

    fn take_choice(&mut self) {
        let Mode::Choose(choose) = &self.mode else { return };
        let choice = choose.choices.get(choose.at).cloned().flatten().unwrap_or_default();
        match self.candidate(&choice) {
            Ok(document) => {
                self.mode = Mode::Browse;
                self.change(document);
            }
            Err(problem) => self.complain(problem),
        }
    }

    fn leave(&mut self) {
        self.mode = Mode::Browse;
        self.preview = None;
    }

    /// The document as it would be with the typed value in the field under the cursor; an empty
    /// line removes the value.
    ///
    /// # Errors
    ///
    /// What is wrong with the value, as the parser of migrations says it.
    fn candidate(&self, typed: &str) -> Result<Document, String> {
        let Some(Row::Field { field, path, value, .. }) = self.current() else {
            return Err("there is no field here".to_owned());
        };
        // A space may be part of a network's name.
        let is_exact = matches!(field.kind, ValueKind::Ssid | ValueKind::Password);
        let typed = if is_exact { typed } else { typed.trim() };
        if typed.is_empty() && !field.is_required() {
            return self.without(&path, field.kind).map_err(|error| error.to_string());
        }
        if value.as_deref() == Some(typed) && field.kind.to_toml(typed).is_ok() {
            return Ok(self.document.clone());
        }
        let toml = field.kind.to_toml(typed)?;
        let mut document = self.document.clone();
        document.set(&path, &toml).map_err(|error| error.to_string())?;
        match self.problem_of(&document, &path) {
            Some(problem) => Err(problem),
            None => Ok(document),
        }
    }

    /// The parser's error about this value, if it has one.
    fn problem_of(&self, document: &Document, path: &KeyPath) -> Option<String> {
        let Problem { field, message, help, .. } = bootswap_migration::check(document.text())?;
        // An error about the table, which existed before, is not about this value.
        path.is_field(&field).then(|| format!("{message}; {help}"))
    }

    /// Likely values for a key of this kind.
    fn suggestions(&self, kind: ValueKind) -> Vec<String> {
        let labels = |only_apps: bool| {
            let labels = self.labels.iter().filter(move |label| label.is_app || !only_apps);
            labels.map(|label| label.name.clone())
        };
        match kind {
            ValueKind::AppLabel => labels(true).collect(),
            ValueKind::Label => labels(false).collect(),
            ValueKind::Labels => labels(false).chain(["partition-table".to_owned()]).collect(),
            ValueKind::File => self.files(),
            _ => Vec::new(),
        }
    }

    /// Files beside the migration.
    fn files(&self) -> Vec<String> {
        let dir = self.judge.dir();
        let dir = if dir.as_os_str().is_empty() { std::path::Path::new(".") } else { dir };
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let files = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let is_file = entry.path().is_file();
            let name = entry.file_name().into_string().ok()?;
            (is_file && !name.starts_with('.') && !name.ends_with(".toml")).then_some(name)
        });
        let mut files: Vec<String> = files.collect();
        files.sort();
        files.truncate(MAX_SUGGESTIONS);
        files
    }
}

impl Edit {
    /// Inserts the next suggestion; if some begin with what was typed, only those.
    fn suggest(&mut self, by: isize) {
        let (typed, last) = match self.suggested.take() {
            Some((typed, last)) => (typed, Some(last)),
            None => (self.editor.text().to_owned(), None),
        };
        let begun: Vec<&String> =
            self.suggestions.iter().filter(|one| one.starts_with(&typed)).collect();
        let fitting = if begun.is_empty() { self.suggestions.iter().collect() } else { begun };
        let count = fitting.len();
        let next = match last {
            None if by > 0 => 0,
            None => count.saturating_sub(1),
            Some(last) => (last + count).saturating_add_signed(by) % count.max(1),
        };
        if let Some(suggestion) = fitting.get(next) {
            self.editor.replace(suggestion);
            self.suggested = Some((typed, next));
        }
    }
}
