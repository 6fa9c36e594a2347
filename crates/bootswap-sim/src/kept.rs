//! What a migration must not change.

use bootswap_migration::{OwnedMigration, OwnedStaging};
use bootswap_plan::CommitWay;
use esp_idf_format::partition::{Partition, PartitionTable};
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::Scenario;

/// The name of the partition table in reports.
const TABLE: &str = "partition table";

/// What must stay unchanged until the reset into the new bootloader: all of the owner's data that
/// the migration does not name in `[allow]`.
#[must_use]
pub fn kept(migration: &OwnedMigration, scenario: &Scenario) -> Vec<(String, Region)> {
    let bytes = scenario.flash.bytes(scenario.table());
    let partitions: Vec<_> =
        PartitionTable::parse_as_bootloader(&bytes).map(|t| t.iter().collect()).unwrap_or_default();
    let sector = Region::clamped(scenario.table_addr, SECTOR_BYTES);
    let mut kept = vec![(TABLE.to_owned(), sector)];
    let is_hosted = migration.commit == CommitWay::Hosted;
    if is_hosted {
        let area = Region::new(migration.chip.bootloader_addr(), scenario.table_addr);
        kept.push(("the old bootloader".to_owned(), area.unwrap_or_default()));
    }
    // A migrator that was installed by OTA is on trial, and marks itself valid in otadata. One that
    // leaves it to the firmware before to start selects that firmware there when it is done.
    // A carrier is selected there.
    let goes_back = migration.with(|lent| lent.goes_back());
    let selects = scenario.running.ota_index().is_some() || goes_back || is_hosted;
    // If the table lists the bootloader that is replaced, or itself, that is not data.
    let boot = Region::clamped(FlashAddr::ZERO, sector.end().get());
    let lists_boot = |p: &Partition| p.is_boot_area() && boot.contains_region(p.region);
    let owned = partitions
        .iter()
        .filter(|p| !p.is_app() && !lists_boot(p) && (!selects || !p.is_otadata()));
    kept.extend(owned.map(|p| (p.label.to_string(), p.region)));
    let image = scenario.flash.bytes(scenario.running.region);
    if let Ok(info) = esp_idf_format::image::verify(&image) {
        let code = scenario.running.region.prefix(info.total_len_bytes);
        kept.push(("the running migrator".to_owned(), code));
    }
    // Writing to it is not permission: the owner must name it, by its label or, for the table, by
    // the name in the book.
    let given_up = |label: &str| {
        let label = if label == TABLE { "partition-table" } else { label };
        migration.allow_overwrite.iter().any(|named| named == label)
    };
    // The same holds for a partition that is named for staging.
    let waits_in = |label: &str| migration.staging == OwnedStaging::Label(label.to_owned());
    kept.retain(|(label, _)| !given_up(label) && !waits_in(label));
    kept
}
