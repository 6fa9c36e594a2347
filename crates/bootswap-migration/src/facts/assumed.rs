//! Facts of a device of which nothing is known but what the migration says.

use bootswap_engine::{CONTAINER_ALIGN_BYTES, ContainerHeader};
use bootswap_plan::previous_firmware;
use esp_idf_format::image::{FlashSize, ImageInfo};
use esp_idf_format::partition::{Partition, PartitionTable, TABLE_ADDR};

use super::error::FactsError;
use super::found::{FoundFacts, find_app};
use super::warning::table_warnings;
use crate::owned::{OwnedFacts, OwnedMigration};

/// Bytes that the migrator's image is assumed to take where there is none to look at: what the one
/// with Wi-Fi and HTTP may take at most.
pub const ASSUMED_IMAGE_LEN_BYTES: u32 = 640 * 1024;

/// Flash size that is assumed where neither a dump nor the migration says one.
pub const ASSUMED_FLASH_SIZE: FlashSize = FlashSize::Mb4;

/// Facts about a device of which nothing is known but what the migration says: its table, its flash
/// size, and where the migrator runs (factory app or first app unless it says so).
///
/// # Errors
///
/// A [`FactsError`] where the migration names no table, or one without the app.
pub fn assumed(migration: &OwnedMigration) -> Result<FoundFacts, FactsError> {
    let table = named_table(migration)?;
    let running = match &migration.running {
        Some(label) => find_app(&table, label)?,
        None => table
            .factory()
            .or_else(|| table.iter().find(Partition::is_app))
            .ok_or(FactsError::NoAppPartition)?,
    };
    let len_bytes = ASSUMED_IMAGE_LEN_BYTES.saturating_add(container_len_bytes(migration));
    Ok(assumed_in(migration, &table, &running, len_bytes))
}

/// As [`assumed`], with the migrator's image, whose file has `len_bytes`: from the
/// partition that the migration names, or else from each that it could run from.
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
    let table_addr = migration.table_addr.unwrap_or(TABLE_ADDR);
    let facts = OwnedFacts {
        chip: migration.chip,
        table_addr,
        other_table_addr: None,
        flash_len_bytes: migration.flash_len_bytes.unwrap_or(ASSUMED_FLASH_SIZE.bytes()),
        running: running.region,
        running_len_bytes: len_bytes.min(running.region.len_bytes()),
        previous: previous_firmware(&partitions, running.region),
        partitions,
        bootloader_flash_len_bytes: None,
        bootloader_flash_mode: None,
        secure_boot: false,
        flash_encryption: false,
        staging_memory_len_bytes: 0,
    };
    let warnings = table_warnings(table_addr, table).collect();
    FoundFacts { facts, running: running.label, image: None, warnings }
}

/// Bytes that the migration's embedded artifacts add to the migrator's image, as far as they are at
/// hand.
fn container_len_bytes(migration: &OwnedMigration) -> u32 {
    let embedded = || migration.artifacts.iter().filter(|artifact| artifact.url.is_none());
    let count = embedded().count();
    if count == 0 {
        return 0;
    }
    let align = CONTAINER_ALIGN_BYTES as usize;
    let lens = embedded().filter_map(|artifact| artifact.bytes.as_ref().map(Vec::len));
    let bytes =
        lens.chain([ContainerHeader::directory_len(count)]).map(|len| len.next_multiple_of(align));
    u32::try_from(bytes.sum::<usize>()).unwrap_or(u32::MAX)
}
