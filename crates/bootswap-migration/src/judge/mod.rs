//! The planner's verdict on the text of a migration.

mod map;

use std::path::{Path, PathBuf};

use esp_idf_format::partition::PartitionTable;

use crate::facts::{self, FactsError, FoundFacts};
use crate::load::from_text;
use crate::owned::OwnedMigration;
use crate::pack::check_network;
use crate::plan::{self, PlanReport, ReasonReport};
use crate::problem::Problem;

pub use map::{MapLine, MapLines};

/// Judges migrations whose files are in one directory.
#[derive(Clone, Debug)]
pub struct Judge {
    dir: PathBuf,
}

/// The verdict on a text.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Whether the migration would be safe.
    pub judgement: Judgement,
    /// What is in flash, as far as it is known.
    pub map: Option<MapLines>,
    /// Partitions of the table.
    pub labels: Vec<PartitionName>,
}

/// The label of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionName {
    /// The label.
    pub name: String,
    /// Whether the partition is for an app.
    pub is_app: bool,
}

/// Whether a migration would be safe.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// The file, or one that it names, cannot be used.
    Unreadable {
        /// The field, as in `app.file`; empty if it is about the whole file.
        field: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// The migration is refused.
    Refused(Vec<ReasonReport>),
    /// There is a plan.
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
        let migration = match from_text(text, &self.dir) {
            Ok(migration) => migration,
            Err(Problem { field, message, help, .. }) => {
                return Judged::unreadable(field, message, help);
            }
        };
        if let Err(error) = check_network(&migration) {
            let field = "network.old_credentials".to_owned();
            let (message, help) = (error.to_string(), error.help().to_owned());
            return Judged::unreadable(field, message, help);
        }
        match facts::assumed(&migration) {
            Ok(found) => Judged::planned(&migration, &found),
            Err(error) => {
                let field = match error {
                    FactsError::UnknownLabel { .. } | FactsError::NotAnApp { .. } => "running",
                    _ => "partitions",
                };
                let labels = PartitionName::all(&migration);
                let judged = Judged::unreadable(field.to_owned(), error.to_string(), error.help());
                Judged { labels, ..judged }
            }
        }
    }
}

impl Judged {
    const fn unreadable(field: String, message: String, help: String) -> Self {
        let judgement = Judgement::Unreadable { field, message, help };
        Self { judgement, map: None, labels: Vec::new() }
    }

    fn planned(migration: &OwnedMigration, found: &FoundFacts) -> Self {
        let report = plan::report(migration, found, None);
        let map = match &report.flash_map {
            Some(map) => MapLines::planned(map),
            None => MapLines::wanted(migration, &found.facts),
        };
        let judgement = if report.reasons.is_empty() {
            Judgement::Safe(Box::new(report))
        } else {
            Judgement::Refused(report.reasons)
        };
        Self { judgement, map: Some(map), labels: PartitionName::all(migration) }
    }

    /// The field that the file's error is about, if there is one.
    #[must_use]
    pub fn field_at_fault(&self) -> Option<&str> {
        match &self.judgement {
            Judgement::Unreadable { field, .. } => Some(field),
            Judgement::Refused(_) | Judgement::Safe(_) => None,
        }
    }
}

impl PartitionName {
    fn all(migration: &OwnedMigration) -> Vec<Self> {
        let table = migration.partition_table.as_deref();
        let Some(table) = table.and_then(|table| PartitionTable::parse_as_bootloader(table).ok())
        else {
            return Vec::new();
        };
        let labels = table.iter().map(|p| Self { name: p.label.to_string(), is_app: p.is_app() });
        labels.collect()
    }
}
