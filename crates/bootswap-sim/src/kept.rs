//! What a migration must not change.

use bootswap_migration::OwnedMigration;
use bootswap_plan::Role;
use esp_idf_format::partition::PartitionTable;
use flash_region::{Region, SECTOR_BYTES};

use crate::Scenario;

/// What has to stay as it is until the reset into the new bootloader: everything of the owner's
/// that no artifact is meant for.
#[must_use]
pub fn kept(migration: &OwnedMigration, scenario: &Scenario) -> Vec<(String, Region)> {
    let bytes = scenario.flash.bytes(scenario.table());
    let partitions: Vec<_> =
        PartitionTable::parse_as_bootloader(&bytes).map(|t| t.iter().collect()).unwrap_or_default();
    let sector = Region::clamped(scenario.table_addr, SECTOR_BYTES);
    let mut kept = vec![("partition table".to_owned(), sector)];
    // The migrator that comes by OTA is on trial, and says in otadata that it stays.
    let by_ota = scenario.running.ota_index().is_some();
    let owned = partitions.iter().filter(|p| !p.is_app() && (!by_ota || !p.is_otadata()));
    kept.extend(owned.map(|p| (p.label.to_string(), p.region)));
    let image = scenario.flash.bytes(scenario.running.region);
    if let Ok(info) = esp_idf_format::image::verify(&image) {
        let code = scenario.running.region.prefix(info.total_len_bytes);
        kept.push(("the running migrator".to_owned(), code));
    }
    kept.retain(|(_, region)| {
        let meant = |dest: Option<Region>| dest.is_some_and(|dest| dest.overlaps(*region));
        !migration
            .artifacts
            .iter()
            .any(|artifact| artifact.role == Role::Other && meant(artifact.dest))
    });
    kept
}
