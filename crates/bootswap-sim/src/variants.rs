//! Variants of the example, for tests of plans and of whole migrations.

use bootswap_migration::content::classify;
use bootswap_migration::{OwnedArtifact, OwnedMigration};
use bootswap_plan::Role;
use device_sim::synthetic;
use esp_idf_format::Chip;
use esp_idf_format::partition::TABLE_ADDR;
use flash_region::{ERASED, Region, SECTOR_BYTES};
use mcuboot_format::builder::{Padding, SignOptions, sign};

use crate::example::{APP_LEN_BYTES, ExampleError, example};

/// Start of the application in [`merged`]: the example's primary slot.
const PRIMARY: u32 = 0x1_0000;

/// Signs an application of about `len_bytes` for the migration's map, with that padding, and
/// replaces the migration's application by it.
///
/// # Errors
///
/// [`ExampleError`] if the migration has no map or no application, or this one does not fit.
pub fn resign(
    migration: &mut OwnedMigration,
    len_bytes: u32,
    padding: Padding,
) -> Result<(), ExampleError> {
    let broken = |why: String| ExampleError { what: "application", why };
    let map = migration.mcuboot.as_ref().ok_or_else(|| broken("there is no map".to_owned()))?;
    let options = SignOptions {
        padding,
        security_counter: Some(0),
        trailer: map.lend().trailer_config(),
        ..SignOptions::espressif(map.primary.len_bytes(), map.swap)
    };
    let payload = synthetic::target_payload(migration.chip, len_bytes, 1);
    let bytes = sign(&payload, &options).map_err(|error| broken(error.to_string()))?;
    let content = classify(&bytes, Role::Application, Some(map))
        .map_err(|error| broken(error.to_string()))?;
    let app = migration.artifacts.iter_mut().find(|a| a.role == Role::Application);
    let app = app.ok_or_else(|| broken("there is none to be replaced".to_owned()))?;
    (app.bytes, app.content) = (Some(bytes), Some(content));
    Ok(())
}

/// The example as one image from the bootloader to the end of the application, with gaps of 0xFF
/// between them.
///
/// # Errors
///
/// [`ExampleError`] if it cannot be made.
pub fn merged(chip: Chip) -> Result<OwnedMigration, ExampleError> {
    let mut migration = example(chip)?;
    resign(&mut migration, APP_LEN_BYTES, Padding::None)?;
    let file = |role| {
        migration.artifact(role).and_then(|artifact| artifact.bytes.clone()).unwrap_or_default()
    };
    let start = chip.bootloader_addr();
    let table = migration.partition_table.clone().unwrap_or_default();
    let mut bytes = file(Role::Bootloader);
    for (at, part) in [(TABLE_ADDR.get(), table), (PRIMARY, file(Role::Application))] {
        bytes.resize((at - start.get()) as usize, ERASED);
        bytes.extend(part);
    }
    let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let dest = Region::clamped(start, len_bytes.next_multiple_of(SECTOR_BYTES));
    migration.running = Some("ota_1".to_owned());
    migration.allow_overwrite = vec!["partition-table".to_owned()];
    migration.artifacts = vec![OwnedArtifact {
        name: "merged".to_owned(),
        role: Role::Other,
        url: Some("http://lab/merged.bin".to_owned()),
        bytes: Some(bytes),
        dest: Some(dest),
        region_len_bytes: None,
        content: None,
        confirm: false,
    }];
    Ok(migration)
}
