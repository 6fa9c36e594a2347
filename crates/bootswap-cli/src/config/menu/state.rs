//! The state of the menu.

use bootswap_migration::document::{Document, KeyPath};
use bootswap_migration::judge::{Judge, Judged, PartitionName};
use bootswap_migration::keys::{GROUPS, Group};

use super::super::editor::Editor;
use super::rows::{Row, rows};

/// The state of the menu.
#[derive(Clone, Debug)]
pub struct Menu {
    pub(super) name: String,
    pub(super) document: Document,
    /// The text as it is in the file; `None` where there is no file yet.
    pub(super) saved: Option<String>,
    pub(super) undo: Vec<Document>,
    pub(super) judge: Judge,
    pub(super) judged: Judged,
    /// The verdict on the document with the value that is being typed.
    pub(super) preview: Option<Judged>,
    /// Partitions of the last table that could be read.
    pub(super) labels: Vec<PartitionName>,
    pub(super) group: usize,
    pub(super) at: [usize; GROUPS.len()],
    pub(super) mode: Mode,
    pub(super) message: Option<Message>,
}

/// What handles the keys.
#[derive(Clone, Debug)]
pub enum Mode {
    /// The list of fields.
    Browse,
    /// A value that is being typed.
    Edit(Edit),
    /// A value that is being chosen from a list.
    Choose(Choose),
    /// The flash map on the whole screen, from this line on.
    Map(usize),
    /// The whole verdict on the migration, from this line on.
    Verdict(usize),
    /// The list of keyboard commands.
    Keys,
    /// The question whether to save before leaving.
    AskQuit,
    /// The question what to do about a file that has changed on disk.
    AskDisk {
        /// Whether overwriting it is offered.
        may_overwrite: bool,
    },
}

/// A value that is being typed.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The line.
    pub editor: Editor,
    /// What is wrong with the line.
    pub problem: Option<String>,
    /// How to type such a value.
    pub hint: Option<&'static str>,
    /// Likely values.
    pub suggestions: Vec<String>,
    /// What was typed before the first suggestion was inserted, and the index of the last one.
    pub(super) suggested: Option<(String, usize)>,
}

/// A value that is being chosen from a list.
#[derive(Clone, Debug)]
pub struct Choose {
    /// The values; `None` removes the key, so that its default holds.
    pub choices: Vec<Option<String>>,
    /// Index of the value under the cursor.
    pub at: usize,
}

/// A message that is shown until the next key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The words.
    pub text: String,
    /// Whether it reports an error.
    pub is_error: bool,
}

impl Menu {
    /// The menu for a document; `name` is the file's name, `saved` whether the file exists already.
    #[must_use]
    pub fn new(name: String, document: Document, is_saved: bool, judge: Judge) -> Self {
        let judged = judge.judge(document.text());
        let saved = is_saved.then(|| document.text().to_owned());
        let labels = judged.labels.clone();
        Self {
            name,
            document,
            saved,
            undo: Vec::new(),
            judge,
            judged,
            preview: None,
            labels,
            group: 0,
            at: [0; GROUPS.len()],
            mode: Mode::Browse,
            message: None,
        }
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text to save.
    #[must_use]
    pub fn text(&self) -> &str {
        self.document.text()
    }

    /// Whether there are changes that are not saved.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.saved.as_deref() != Some(self.document.text())
    }

    /// Whether the file does not exist yet.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.saved.is_none()
    }

    /// The verdict on the document, with the value that is being typed if there is one.
    #[must_use]
    pub fn judged(&self) -> &Judged {
        self.preview.as_ref().unwrap_or(&self.judged)
    }

    /// Whether the verdict is about a value that is not accepted yet.
    #[must_use]
    pub const fn is_preview(&self) -> bool {
        self.preview.is_some()
    }

    /// What handles the keys.
    #[must_use]
    pub const fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Whether only the list of fields is open.
    #[must_use]
    pub const fn is_browsing(&self) -> bool {
        matches!(self.mode, Mode::Browse)
    }

    /// The last message.
    #[must_use]
    pub const fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// The group that is shown.
    #[must_use]
    pub fn group(&self) -> &'static Group {
        GROUPS.get(self.group).unwrap_or(&GROUPS[0])
    }

    /// Index of the group that is shown.
    #[must_use]
    pub const fn group_index(&self) -> usize {
        self.group
    }

    /// The chip, if the file names one.
    #[must_use]
    pub fn chip(&self) -> Option<String> {
        self.document.get(&KeyPath::new("chip", 0))
    }

    /// The rows of the group.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        rows(&self.document, self.group())
    }

    /// The row under the cursor.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at.get(self.group).copied().unwrap_or(0)
    }

    pub(super) fn current(&self) -> Option<Row> {
        self.rows().into_iter().nth(self.at())
    }

    /// Marks the text as saved.
    pub fn saved(&mut self) {
        self.saved = Some(self.document.text().to_owned());
        self.say(format!("saved {}", self.name));
    }

    /// Replaces the document by the file's current contents.
    pub fn reload(&mut self, document: Document) {
        self.saved = Some(document.text().to_owned());
        if document != self.document {
            let last = std::mem::replace(&mut self.document, document);
            self.undo.push(last);
        }
        self.mode = Mode::Browse;
        self.judge_again();
        self.say("read again, because the file has changed on disk".to_owned());
    }

    /// Asks what to do about a file that has changed on disk.
    pub fn ask_about_disk(&mut self, may_overwrite: bool) {
        self.mode = Mode::AskDisk { may_overwrite };
    }

    /// Shows a message.
    pub fn say(&mut self, text: String) {
        self.message = Some(Message { text, is_error: false });
    }

    /// Shows an error.
    pub fn complain(&mut self, text: String) {
        self.message = Some(Message { text, is_error: true });
    }

    /// Reads the files that the migration names again, and plans again.
    pub(super) fn judge_again(&mut self) {
        self.preview = None;
        self.judged = self.judge.judge(self.document.text());
        if !self.judged.labels.is_empty() {
            self.labels.clone_from(&self.judged.labels);
        }
        let rows = self.rows();
        if let Some(at) = self.at.get_mut(self.group) {
            *at = (*at).min(rows.len().saturating_sub(1));
            if rows.get(*at).is_some_and(|row| !row.is_selectable()) {
                *at = at.saturating_sub(1);
            }
        }
    }

    /// Replaces the document by a changed one.
    pub(super) fn change(&mut self, document: Document) {
        if document != self.document {
            let last = std::mem::replace(&mut self.document, document);
            self.undo.push(last);
        }
        self.judge_again();
    }
}
