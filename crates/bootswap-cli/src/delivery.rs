//! What `plan` and `simulate` have in common: the migrator that is sent out, and the device of a
//! dump that receives it.

use std::path::Path;

use bootswap_migration::facts::{Delivered, deliver};
use bootswap_migration::pack::{Firmware, check_network, given};
use bootswap_migration::{OwnedMigration, SentImage};
use bootswap_plan::Role;
use esp_idf_format::partition::Partition;

use crate::error::CommandError;
use crate::input::Inputs;
use crate::output::note;
use crate::pack;

/// The migrator that is sent out: the given file, else the prebuilt firmware, else a placeholder of
/// an assumed length. Replaces the migration by the one that this migrator contains.
///
/// # Errors
///
/// [`CommandError::Input`] if the file is not a migrator with this migration, or none can be made
/// that could fetch its files.
pub(crate) fn sent(
    migration: &mut OwnedMigration,
    file: Option<&Path>,
    inputs: &mut Inputs,
) -> Result<SentImage, CommandError> {
    if let Some(path) = file {
        let (carried_out, sent) = given(migration, inputs.read(path)?).map_err(|error| {
            CommandError::input(format_args!("{}: {error}", path.display()), error.help())
        })?;
        *migration = carried_out;
        return Ok(sent);
    }
    check_network(migration).map_err(|error| CommandError::input(&error, error.help()))?;
    let made = match prebuilt(migration, inputs) {
        Some(firmware) => SentImage::prebuilt(migration, firmware),
        None => SentImage::assumed(migration),
    };
    made.map_err(|error| CommandError::input(&error, error.help()))
}

/// The prebuilt firmware for the migration's chip, if it exists and can be packed.
fn prebuilt(migration: &OwnedMigration, inputs: &mut Inputs) -> Option<Firmware> {
    let path = pack::prebuilt(migration.chip).ok()?;
    let firmware = inputs.read(&path).and_then(|bytes| {
        Firmware::new(bytes, migration.chip).map_err(|error| {
            CommandError::input(format_args!("{}: {error}", path.display()), error.help())
        })
    });
    match firmware {
        Ok(firmware) => Some(firmware),
        Err(error) => {
            note(format_args!("warning: {error}; the length of the migrator is assumed"));
            None
        }
    }
}

/// The device of a dump, with the migrator delivered to each partition that is judged.
pub(crate) struct Device {
    /// The dump.
    pub(crate) dump: Vec<u8>,
    /// The device with the migrator, once for each partition; the most important one is first.
    pub(crate) delivered: Vec<Delivered>,
}

impl Device {
    /// Reads a dump and delivers the migrator to its device: to the partition labelled `running`,
    /// or to every partition that it may run from.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`] if the dump is not of a device that can be migrated.
    pub(crate) fn of_dump(
        path: &Path,
        migration: &OwnedMigration,
        running: Option<&str>,
        sent: &SentImage,
        inputs: &mut Inputs,
    ) -> Result<Self, CommandError> {
        let dump = inputs.read(path)?;
        refuse_migrated(migration, &dump, path)?;
        let delivered = deliver(migration.chip, &dump, migration.table_addr, running, sent)
            .map_err(|error| CommandError::of_dump(path, &error))?;
        if let Some(first) = delivered.first() {
            for warning in &first.found.warnings {
                note(format_args!("warning: {}: {warning}", path.display()));
            }
            refuse_unknown_labels(migration, &first.found.facts.partitions)?;
        }
        Ok(Self { dump, delivered })
    }
}

/// Refuses labels in `[allow]` that no partition has: what the owner meant would not be allowed.
///
/// # Errors
///
/// [`CommandError::Input`] that names the labels of the device.
pub(crate) fn refuse_unknown_labels(
    migration: &OwnedMigration,
    partitions: &[Partition],
) -> Result<(), CommandError> {
    match migration.unknown_overwrite(partitions) {
        Some(unknown) => Err(CommandError::input(&unknown, unknown.help())),
        None => Ok(()),
    }
}

/// Refuses a dump that has the target bootloader already: such a device no longer runs a migrator.
fn refuse_migrated(
    migration: &OwnedMigration,
    dump: &[u8],
    path: &Path,
) -> Result<(), CommandError> {
    let bootloader =
        migration.artifact(Role::Bootloader).and_then(|target| target.bytes.as_deref());
    let in_place = dump.get(migration.chip.bootloader_addr().get() as usize..).unwrap_or_default();
    if bootloader.is_some_and(|target| in_place.starts_with(target)) {
        return Err(CommandError::input(
            format_args!(
                "{}: the device has the target bootloader already, at {}",
                path.display(),
                migration.chip.bootloader_addr()
            ),
            "name a dump that was made before the device's migration",
        ));
    }
    Ok(())
}
