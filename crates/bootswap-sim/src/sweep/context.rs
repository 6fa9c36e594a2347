//! What all cases of a sweep have in common.

use bootswap_migration::OwnedMigration;
use bootswap_plan::Migration;
use bootswap_serve::ServerFault;

use super::expected::Expected;
use crate::migrator::{MigratorFactory, unchanged};
use crate::origin::ServedFiles;
use crate::{Scenario, Settings};

/// What all cases of a sweep have in common.
#[derive(Clone)]
pub struct SweepContext<'a> {
    /// The device before its migration.
    pub scenario: &'a Scenario,
    /// The migration with its files.
    pub files: &'a OwnedMigration,
    /// The same, lent. No URL in it uses TLS: whatever host it names, the server of the sweep
    /// answers.
    pub migration: &'a Migration<'a>,
    /// The files, to be served.
    pub files_served: ServedFiles,
    /// The faults of the server in every episode.
    pub faults: Vec<ServerFault>,
    /// What flash must contain at the end.
    pub expected: Expected,
    /// The settings of every life.
    pub settings: Settings,
    /// The migrator under test.
    pub firmware: &'a MigratorFactory<'a>,
}

impl<'a> SweepContext<'a> {
    /// The context for this device and migration, which is both owned and lent, with a server
    /// without faults.
    #[must_use]
    pub fn new(
        scenario: &'a Scenario,
        files: &'a OwnedMigration,
        migration: &'a Migration<'a>,
        settings: Settings,
    ) -> Self {
        Self {
            scenario,
            files,
            migration,
            files_served: ServedFiles::of(files),
            faults: Vec::new(),
            expected: Expected::default(),
            settings,
            firmware: &unchanged,
        }
    }
}
