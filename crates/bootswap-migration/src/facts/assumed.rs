//! Facts of a device of which only the migration is known.

use bootswap_plan::{previous_firmware, running_partition};
use esp_idf_format::image::{FlashSize, ImageInfo};
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR};

use super::error::FactsError;
use super::found::{FoundFacts, find_app};
use super::warning::table_warnings;
use crate::container;
use crate::owned::{OwnedFacts, OwnedMigration};
use crate::sent::{SentImage, assumed_image_len_bytes};

/// Flash size that is assumed if neither a dump nor the migration gives one.
pub const ASSUMED_FLASH_SIZE: FlashSize = FlashSize::Mb4;

/// Facts of a device of which only the migration is known: its table, its flash size, and the
/// partition that the migrator runs from (by default the factory app or the first app).
///
/// # Errors
///
/// A [`FactsError`] if the migration names no table, or one without the app.
pub fn assumed(migration: &OwnedMigration) -> Result<FoundFacts, FactsError> {
    let table = named_table(migration)?;
    let running = named_running(migration, &table)?;
    let len_bytes = assumed_image_len_bytes(migration.chip);
    let len_bytes = len_bytes.saturating_add(container_len_bytes(migration));
    let len_bytes = len_bytes.min(running.region.len_bytes());
    Ok(assumed_in(migration, &table, &running, len_bytes))
}

/// As [`assumed`], with that migrator.
///
/// # Errors
///
/// As [`assumed`].
pub fn assumed_with(
    migration: &OwnedMigration,
    sent: &SentImage,
) -> Result<FoundFacts, FactsError> {
    let table = named_table(migration)?;
    let running = named_running(migration, &table)?;
    let sent = sent.in_room_of(running.region.len_bytes());
    let found = assumed_in(migration, &table, &running, sent.len_bytes());
    Ok(FoundFacts { image: (!sent.is_assumed()).then_some(*sent.info()), ..found })
}

/// The partition that the migration names, else the factory app, else the first app partition.
fn named_running(
    migration: &OwnedMigration,
    table: &PartitionTable<'_>,
) -> Result<Partition, FactsError> {
    match &migration.running {
        Some(label) => find_app(table, label),
        None => table
            .factory()
            .or_else(|| table.iter().find(Partition::is_app))
            .ok_or(FactsError::NoAppPartition),
    }
}

/// As [`assumed`], with the migrator's image, whose file has `len_bytes`: from the partition that
/// the migration names, or else from each partition that it could run from.
///
/// # Errors
///
/// As [`assumed`].
pub fn assumed_with_image(
    migration: &OwnedMigration,
    image: ImageInfo,
    len_bytes: u32,
) -> Result<Vec<FoundFacts>, FactsError> {
    let table = named_table(migration)?;
    let running: Vec<Partition> = match &migration.running {
        Some(label) => vec![find_app(&table, label)?],
        None => table.iter().filter(Partition::is_app).collect(),
    };
    if running.is_empty() {
        return Err(FactsError::NoAppPartition);
    }
    let found = running.iter().map(|running| FoundFacts {
        image: Some(image),
        ..assumed_in(migration, &table, running, len_bytes)
    });
    Ok(found.collect())
}

fn named_table(migration: &OwnedMigration) -> Result<PartitionTable<'_>, FactsError> {
    let table = migration.partition_table.as_deref().ok_or(FactsError::NoTable)?;
    let addr = migration.table_addr.unwrap_or(TABLE_ADDR);
    PartitionTable::parse_as_bootloader(table).map_err(|error| FactsError::Table { addr, error })
}

fn assumed_in(
    migration: &OwnedMigration,
    table: &PartitionTable<'_>,
    running: &Partition,
    len_bytes: u32,
) -> FoundFacts {
    let partitions: Vec<Partition> = table.iter().collect();
    let running = running_partition(&partitions, running.region.start()).unwrap_or(running);
    let table_addr = migration.table_addr.unwrap_or(TABLE_ADDR);
    let facts = OwnedFacts {
        chip: migration.chip,
        table_addr,
        other_table_addr: None,
        flash_len_bytes: migration.flash_len_bytes.unwrap_or(ASSUMED_FLASH_SIZE.bytes()),
        running: running.region,
        running_len_bytes: len_bytes,
        previous: previous_firmware(&partitions, running.region),
        partitions: partitions.clone(),
        bootloader_flash_len_bytes: None,
        bootloader_flash_mode: None,
        bootloader_settings: None,
        secure_version: None,
        secure_boot: false,
        flash_encryption: false,
        staging_memory_len_bytes: 0,
    };
    let warnings = table_warnings(table_addr, table).collect();
    FoundFacts { facts, running: running.label, image: None, warnings }
}

/// Bytes that the migration's embedded artifacts add to the migrator's image, as far as their files
/// are known.
fn container_len_bytes(migration: &OwnedMigration) -> u32 {
    let embedded = migration.artifacts.iter().filter(|artifact| artifact.url.is_none());
    let lens = embedded.map(|artifact| artifact.bytes.as_ref().map_or(0, Vec::len));
    u32::try_from(container::len_bytes(lens)).unwrap_or(u32::MAX)
}
