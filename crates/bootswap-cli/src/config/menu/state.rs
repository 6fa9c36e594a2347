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
    /// What is said about the document with what is being typed.
    pub(super) preview: Option<Judged>,
    /// Partitions of the last table that could be read.
    pub(super) labels: Vec<PartitionName>,
    pub(super) group: usize,
    pub(super) at: [usize; GROUPS.len()],
    pub(super) mode: Mode,
    pub(super) message: Option<Message>,
}

/// What the keys go to.
#[derive(Clone, Debug)]
pub enum Mode {
    /// The list of fields.
    Browse,
    /// A line that is typed.
    Edit(Edit),
    /// A list of values.
    Choose(Choose),
    /// The flash map on the whole screen, from that line on.
    Map(usize),
    /// All that is said about the migration, from that line on.
    Verdict(usize),
    /// What the keys do.
    Keys,
    /// Whether to save before leaving.
    AskQuit,
    /// What to do about a file that has changed on disk; whether the menu was to be left.
    AskDisk {
        /// Whether it may be overwritten.
        may_overwrite: bool,
    },
}

/// A line that is typed.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The line.
    pub editor: Editor,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// How it is typed.
    pub hint: Option<&'static str>,
    /// Values that are likely.
    pub suggestions: Vec<String>,
    /// What was typed before the first suggestion was taken, and the number of the last one.
    pub(super) suggested: Option<(String, usize)>,
}

/// A list of values.
#[derive(Clone, Debug)]
pub struct Choose {
    /// The values; `None` to leave it to what holds without one.
    pub choices: Vec<Option<String>>,
    /// The one under the cursor.
    pub at: usize,
}

/// Something that is said once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The words.
    pub text: String,
    /// Whether something did not work.
    pub is_error: bool,
}

impl Menu {
    /// The menu for a document; `name` is the file's, `saved` says whether it is there already.
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

    /// The text as it is to be saved.
    #[must_use]
    pub fn text(&self) -> &str {
        self.document.text()
    }

    /// Whether there is something that is not in the file.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.saved.as_deref() != Some(self.document.text())
    }

    /// Whether there is no file yet.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.saved.is_none()
    }

    /// What is said about the document, or about what is being typed.
    #[must_use]
    pub fn judged(&self) -> &Judged {
        self.preview.as_ref().unwrap_or(&self.judged)
    }

    /// Whether what is said is about a value that is not accepted yet.
    #[must_use]
    pub const fn is_preview(&self) -> bool {
        self.preview.is_some()
    }

    /// What the keys go to.
    #[must_use]
    pub const fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Whether nothing is open but the list of fields.
    #[must_use]
    pub const fn is_browsing(&self) -> bool {
        matches!(self.mode, Mode::Browse)
    }

    /// What was said last.
    #[must_use]
    pub const fn message(&self) -> Option<&Message> {
        self.message.as_ref()
    }

    /// The group that is shown.
    #[must_use]
    pub fn group(&self) -> &'static Group {
        GROUPS.get(self.group).unwrap_or(&GROUPS[0])
    }

    /// Its number.
    #[must_use]
    pub const fn group_index(&self) -> usize {
        self.group
    }

    /// The chip, as far as the file says one.
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

    /// Takes note that the text is in the file.
    pub fn saved(&mut self) {
        self.saved = Some(self.document.text().to_owned());
        self.say(format!("saved {}", self.name));
    }

    /// Takes the text that the file has now.
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

    /// Says something.
    pub fn say(&mut self, text: String) {
        self.message = Some(Message { text, is_error: false });
    }

    /// Says that something did not work.
    pub fn complain(&mut self, text: String) {
        self.message = Some(Message { text, is_error: true });
    }

    /// Looks at the files that the migration names again, and plans anew.
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

    /// Takes a changed document.
    pub(super) fn change(&mut self, document: Document) {
        if document != self.document {
            let last = std::mem::replace(&mut self.document, document);
            self.undo.push(last);
        }
        self.judge_again();
    }
}
