//! What `plan` and `simulate` have in common: the migrator that is sent out, and the device of a
//! dump that gets it.

use std::path::Path;

use bootswap_migration::facts::{Delivered, deliver};
use bootswap_migration::pack::{Firmware, given};
use bootswap_migration::{OwnedMigration, SentImage};
use bootswap_plan::Role;
use esp_idf_format::partition::Partition;

use crate::error::CommandError;
use crate::input::Inputs;
use crate::pack;

/// The migrator that is sent out: that file, else the prebuilt firmware, else a stand-in for one
/// that is not at hand. The migration becomes the one that this migrator carries out.
///
/// # Errors
///
/// [`CommandError::Input`] where the file is no migrator of the migration, or none can be made.
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
    let made = match prebuilt(migration, inputs) {
        Some(firmware) => SentImage::prebuilt(migration, firmware),
        None => SentImage::assumed(migration),
    };
    made.map_err(|error| CommandError::input(&error, error.help()))
}

/// The prebuilt firmware for the migration's chip, if there is one that can be packed.
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
            eprintln!("warning: {error}; the length of the migrator is assumed");
            None
        }
    }
}

/// A device of which there is a dump, with its migrator in each of the partitions that count.
pub(crate) struct Device {
    /// The dump.
    pub(crate) dump: Vec<u8>,
    /// The device with the migrator, the one that counts first.
    pub(crate) delivered: Vec<Delivered>,
}

impl Device {
    /// Reads a dump and brings the migrator to its device: to the partition labelled `running`, or
    /// to every one that it can come to.
    ///
    /// # Errors
    ///
    /// [`CommandError::Input`] where the dump is not of a device to be migrated.
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
                eprintln!("warning: {}: {warning}", path.display());
            }
            refuse_unknown_labels(migration, &first.found.facts.partitions)?;
        }
        Ok(Self { dump, delivered })
    }
}

/// A label that allows nothing is a mistake: what was meant is not allowed.
///
/// # Errors
///
/// [`CommandError::Input`] that names the labels that there are.
pub(crate) fn refuse_unknown_labels(
    migration: &OwnedMigration,
    partitions: &[Partition],
) -> Result<(), CommandError> {
    match migration.unknown_overwrite(partitions) {
        Some(unknown) => Err(CommandError::input(&unknown, unknown.help())),
        None => Ok(()),
    }
}

/// A device that has the target bootloader does not run a migrator any more.
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
            "name a dump of a device as it was before its migration",
        ));
    }
    Ok(())
}
