//! The plans of many devices, one dump for each, and a table of all of them.

use std::fmt;
use std::path::{Path, PathBuf};

use bootswap_migration::plan::{
    DevicePlans, DumpError, DumpPlans, DumpVerdict, FleetPlans, PartitionVerdict,
};
use bootswap_migration::{OwnedMigration, SentImage};

use crate::delivery::Device;
use crate::error::{CommandError, Verdict};
use crate::input::Inputs;

/// The plans of a device with its migrator delivered.
///
/// # Errors
///
/// [`CommandError::Input`] if there is no partition that it may run from.
pub(super) fn planned(
    device: &Device,
    migration: &OwnedMigration,
) -> Result<DevicePlans, CommandError> {
    DevicePlans::delivered(migration, &device.delivered).ok_or_else(|| {
        CommandError::input(
            "there is no partition of the device that the migrator may run from",
            "name one with --running",
        )
    })
}

/// Dumps, each with its plans or its error.
pub(super) struct Fleet(Vec<(PathBuf, Result<DevicePlans, CommandError>)>);

impl Fleet {
    /// Plans for each dump; one that cannot be read does not stop the others.
    pub(super) fn new(
        paths: &[&Path],
        migration: &OwnedMigration,
        running: Option<&str>,
        sent: &SentImage,
    ) -> Self {
        let plan = |path: &Path| {
            planned(
                &Device::of_dump(path, migration, running, sent, &mut Inputs::default())?,
                migration,
            )
        };
        Self(paths.iter().map(|path| (path.to_path_buf(), plan(path))).collect())
    }

    /// The worst of all verdicts.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`] if a dump cannot be read.
    pub(super) fn verdict(&self) -> Result<Verdict, CommandError> {
        let unreadable = self.0.iter().filter(|(_, plans)| plans.is_err()).count();
        if unreadable > 0 {
            let count = self.0.len();
            return Err(CommandError::input(
                format_args!(
                    "there is no plan for {unreadable} of {count} dumps, which cannot be \
                used"
                ),
                "the table shows which and why; correct them, or leave them out",
            ));
        }
        let is_safe =
            self.0.iter().all(|(_, plans)| plans.as_ref().is_ok_and(DevicePlans::is_safe));
        Ok(if is_safe { Verdict::Safe } else { Verdict::Unsafe })
    }

    /// The report for scripts: a list, in the order of the command line. Each dump has the report
    /// that it would have alone, and its file name.
    pub(super) fn report(&self) -> FleetPlans {
        let dumps = self.0.iter().map(|(path, plans)| {
            let (error, verdict) = match plans {
                Ok(plans) => (None, DumpVerdict::Read(Box::new(plans.clone()))),
                Err(error) => {
                    let help = error.report().help().map(|help| help.to_string());
                    let error = DumpError { message: error.to_string(), help };
                    (Some(error), DumpVerdict::UNREADABLE)
                }
            };
            DumpPlans { flash: path.display().to_string(), error, verdict }
        });
        let total = match self.verdict() {
            Ok(Verdict::Safe) => "planned",
            Ok(Verdict::Unsafe) => "refused",
            Err(_) => "unreadable",
        };
        FleetPlans { total, dumps: dumps.collect() }
    }
}

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, plans) in &self.0 {
            if let Ok(plans) = plans {
                writeln!(f, "dump     {}\n{plans}", path.display())?;
            }
        }
        let width = self.0.iter().map(|(path, _)| path.display().to_string().chars().count());
        let width = width.max().unwrap_or(0).max(4);
        writeln!(f, "{:<width$}  {:<16}verdict", "dump", "migrator in")?;
        for (path, plans) in &self.0 {
            let name = path.display().to_string();
            match plans {
                Ok(plans) => {
                    let names = std::iter::once(name.as_str()).chain(std::iter::repeat(""));
                    for (name, verdict) in names.zip(&plans.partitions) {
                        line(f, name, width, verdict)?;
                    }
                }
                Err(error) => {
                    let message = error.to_string();
                    let message = message.strip_prefix(&format!("{name}: ")).unwrap_or(&message);
                    writeln!(f, "{name:<width$}  {:<16}unreadable: {message}", "")?;
                }
            }
        }
        Ok(())
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    width: usize,
    verdict: &PartitionVerdict,
) -> fmt::Result {
    writeln!(f, "{name:<width$}  {:<16}{}", verdict.running, verdict.in_words())
}
