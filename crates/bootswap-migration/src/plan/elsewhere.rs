//! An application at a place where the partition table has no app partition for it.
//!
//! A bootloader that goes by the table never comes there; MCUboot, or another one that has its map
//! inside, may. So it is refused for ESP-IDF's, and assumed of one that says nothing of itself.

use bootswap_plan::{Content, DeviceFacts, Reason, Role, name, successor};
use mcuboot_format::bootloader::{BootloaderFile, System};

use super::objection::THE_TABLE;
use crate::bootloader::Assumption;
use crate::owned::{OwnedArtifact, OwnedMigration};

/// Why the application would never be started by the bootloader that comes with it.
///
/// A device sees that of a bootloader since ESP-IDF 5.2, which has a descriptor; of older ones the
/// whole file says it.
pub(super) fn refused(migration: &OwnedMigration, facts: &DeviceFacts<'_>) -> Option<Reason> {
    let (app, system) = found(migration, facts)?;
    if system != Some(System::EspIdf) {
        return None;
    }
    let start = app.dest?.start();
    let needed_bytes = app.bytes.as_ref().and_then(|bytes| u32::try_from(bytes.len()).ok());
    let (artifact, needed_bytes) = (name(THE_TABLE), needed_bytes.unwrap_or(0));
    Some(Reason::NoSlot { artifact, start, needed_bytes })
}

/// What is assumed of a bootloader that does not say whose it is.
pub(super) fn assumption(
    migration: &OwnedMigration,
    facts: &DeviceFacts<'_>,
) -> Option<Assumption> {
    let (app, system) = found(migration, facts)?;
    let dest = app.dest.filter(|_| system.is_none())?;
    Some(Assumption {
        key: "app.dest",
        value: Some(format!("{:#x}", dest.start().get())),
        message: "no app partition of the table is there with room for the application, so that \
                  only a bootloader that has this place inside starts it"
            .to_owned(),
    })
}

/// An application without an app partition, and whose bootloader comes with it.
fn found<'m>(
    migration: &'m OwnedMigration,
    facts: &DeviceFacts<'_>,
) -> Option<(&'m OwnedArtifact, Option<System>)> {
    let app = migration.artifact(Role::Application)?;
    migration.artifact(Role::Bootloader)?;
    // What is no app is for another kind of bootloader.
    if matches!(app.content, Some(Content::Mcuboot { .. } | Content::Opaque)) {
        return None;
    }
    let brings_table = migration.artifacts.iter().any(|artifact| {
        artifact.role != Role::Bootloader
            && artifact.dest.is_some_and(|dest| dest.contains(facts.table_addr))
    });
    let has_partition = migration.with(|lent| successor(lent, facts.partitions).is_some());
    if migration.mcuboot.is_some() || brings_table || has_partition {
        return None;
    }
    let file = migration.bootloader_file().and_then(|file| BootloaderFile::read(file).ok());
    Some((app, file.and_then(|file| file.system).map(|found| found.value)))
}
