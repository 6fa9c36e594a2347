//! What the planner says to the text as it is now.

use std::path::{Path, PathBuf};

use crate::plan::{self, PlanReport, ReasonReport};
use bootswap_migration::OwnedMigration;
use bootswap_migration::facts::{self, Found};

use super::map::MapLines;

/// Judges migrations whose files are in one directory.
#[derive(Clone, Debug)]
pub struct Judge {
    dir: PathBuf,
}

/// What there is to say about a text.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Whether the migration would be safe.
    pub verdict: Verdict,
    /// What lies in flash, as far as that can be said.
    pub map: Option<MapLines>,
    /// Partitions of the table.
    pub labels: Vec<Label>,
}

/// The label of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// The label.
    pub name: String,
    /// Whether the partition is for an app.
    pub is_app: bool,
}

/// Whether a migration would be safe.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The file, or one that it names, is not what it has to be.
    Unreadable {
        /// The field, as `app.file`; empty for the file as such.
        field: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// It is refused.
    Refused(Vec<ReasonReport>),
    /// It is planned.
    Safe(Box<PlanReport>),
}

impl Judge {
    /// The judge of migrations in that directory.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the migration and the files that it names, and plans it.
    #[must_use]
    pub fn judge(&self, text: &str) -> Judged {
        let migration = match bootswap_migration::from_text(text, &self.dir) {
            Ok(migration) => migration,
            Err(bootswap_migration::Problem { field, message, help, .. }) => {
                return Judged::unreadable(field, message, help);
            }
        };
        match facts::assumed(&migration) {
            Ok(found) => Judged::planned(&migration, &found),
            Err(error) => {
                let field = match error {
                    facts::FactsError::UnknownLabel { .. } | facts::FactsError::NotAnApp { .. } => {
                        "running"
                    }
                    _ => "partitions",
                };
                let labels = Label::all(&migration);
                let judged = Judged::unreadable(field.to_owned(), error.to_string(), error.help());
                Judged { labels, ..judged }
            }
        }
    }
}

impl Judged {
    const fn unreadable(field: String, message: String, help: String) -> Self {
        let verdict = Verdict::Unreadable { field, message, help };
        Self { verdict, map: None, labels: Vec::new() }
    }

    fn planned(migration: &OwnedMigration, found: &Found) -> Self {
        let report = plan::report(migration, found, None);
        let map = match &report.flash_map {
            Some(map) => MapLines::planned(map),
            None => MapLines::wanted(migration, &found.facts),
        };
        let verdict = if report.reasons.is_empty() {
            Verdict::Safe(Box::new(report))
        } else {
            Verdict::Refused(report.reasons)
        };
        Self { verdict, map: Some(map), labels: Label::all(migration) }
    }

    /// The field that the file fails at, if it does.
    #[must_use]
    pub fn field_at_fault(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Unreadable { field, .. } => Some(field),
            Verdict::Refused(_) | Verdict::Safe(_) => None,
        }
    }
}

impl Label {
    fn all(migration: &OwnedMigration) -> Vec<Self> {
        use esp_idf_format::partition::PartitionTable;
        let table = migration.partition_table.as_deref();
        let Some(table) = table.and_then(|table| PartitionTable::parse(table).ok()) else {
            return Vec::new();
        };
        let labels = table.iter().map(|p| Self { name: p.label.to_string(), is_app: p.is_app() });
        labels.collect()
    }
}
