//! What flash must contain at the end, whatever happened before.

use bootswap_migration::OwnedMigration;
use bootswap_plan::Role;
use esp_idf_format::otadata::{self, ENTRY_LEN_BYTES, OtaData, OtaState};
use esp_idf_format::partition::PartitionTable;
use flash_region::Region;
use nor_sim::NorMemory;

use crate::run::Run;
use crate::scenario::hosted_in;
use crate::{Scenario, kept};

/// Parts of flash that are the same after every life that ended well.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    label: String,
    region: Region,
    bytes: Vec<u8>,
    /// Whether it is the owner's data and contained these bytes before, too.
    is_kept: bool,
    /// Number of OTA slots, if the part is otadata: only its selection matters, which can be
    /// written in many ways.
    ota_count: Option<u8>,
}

impl Part {
    fn holds(&self, bytes: &[u8]) -> bool {
        match self.ota_count {
            Some(count) => told(bytes, count) == told(&self.bytes, count),
            None => bytes == self.bytes,
        }
    }
}

/// The slot that otadata selects, and whether it is on trial.
fn told(bytes: &[u8], ota_count: u8) -> Option<(u8, bool)> {
    let whole = Region::clamped(flash_region::FlashAddr::ZERO, u32::try_from(bytes.len()).ok()?);
    let entry = |index| {
        let start = otadata::sector(whole, index).start().get() as usize;
        bytes.get(start..)?.first_chunk::<ENTRY_LEN_BYTES>()
    };
    let data = OtaData::parse(entry(0)?, entry(1)?);
    let selected = data.select(ota_count)?;
    let entry = data.entries.get(selected.entry_index)?.ok()?;
    let is_on_trial = !matches!(entry.state, OtaState::Valid | OtaState::Undefined);
    Some((selected.ota_index, is_on_trial))
}

impl Expected {
    /// What `life`, which was not interrupted, kept of the owner's data, and what it left to boot
    /// from.
    #[must_use]
    pub fn of(files: &OwnedMigration, scenario: &Scenario, life: &Run) -> Self {
        let mut regions = kept(files, scenario);
        regions.retain(|(_, region)| life.before.bytes(*region) == life.after.bytes(*region));
        let area = life.after.bytes(files.chip.bootloader_region());
        if let Ok(bootloader) = esp_idf_format::image::verify(&area) {
            let addr = files.chip.bootloader_addr();
            let region = Region::clamped(addr, bootloader.total_len_bytes);
            regions.push(("the new bootloader".to_owned(), region));
        }
        if let Some(carrier) = life.plan.as_ref().and_then(hosted_in) {
            let file = files.artifact(Role::Bootloader).and_then(|a| a.bytes.as_ref());
            let len_bytes = file.and_then(|bytes| u32::try_from(bytes.len()).ok());
            let carrier = len_bytes.map_or(carrier, |len_bytes| carrier.prefix(len_bytes));
            regions.push(("the carrier".to_owned(), carrier));
            let before = life.before.bytes(scenario.table());
            let table = PartitionTable::parse_as_bootloader(&before).ok();
            let otadata = table.and_then(|table| table.otadata());
            regions.extend(otadata.map(|p| ("what otadata selects".to_owned(), p.region)));
        }
        let table = scenario.table();
        regions.push(("the partition table".to_owned(), table));
        let bytes = life.before.bytes(table);
        let partitions = PartitionTable::parse_as_bootloader(&bytes).ok();
        let parts = regions.into_iter().map(|(label, region)| {
            let bytes = life.after.bytes(region);
            let otadata = partitions.filter(|t| t.otadata().is_some_and(|p| p.region == region));
            let ota_count = otadata.map(|table| table.ota_count());
            Part { label, region, is_kept: life.before.bytes(region) == bytes, bytes, ota_count }
        });
        Self { parts: parts.collect() }
    }

    /// The first part that `memory` does not contain. The target's parts are required only if the
    /// target runs.
    #[must_use]
    pub fn missing_in(&self, memory: &NorMemory, target_runs: bool) -> Option<String> {
        let mut asked = self.parts.iter().filter(|part| part.is_kept || target_runs);
        let missing = asked.find(|part| !part.holds(&memory.bytes(part.region)))?;
        Some(missing.label.clone())
    }
}
