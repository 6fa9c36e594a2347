//! Whether there is something to go back to when the migration is done.

use bootswap_plan::{DeviceFacts, goes_back, ways_to_go_back};
use flash_region::Region;

use super::stage::PlanStage;
use crate::facts::bytes;
use crate::owned::OwnedMigration;

/// Whether the migration leaves it to the firmware before to start, and the dump has none that the
/// steps leave alone. What a device asks of its flash before it begins.
pub(super) fn goes_back_to_nothing(
    migration: &OwnedMigration,
    facts: &DeviceFacts<'_>,
    stages: &[PlanStage<'_>],
    dump: &[u8],
) -> bool {
    let running = bytes(dump, facts.running.prefix(facts.running_len_bytes));
    let starts = |partition: Region| {
        let held = bytes(dump, partition);
        let Ok(info) = esp_idf_format::image::verify(held) else { return false };
        let image = partition.prefix(info.total_len_bytes);
        let is_lost = |stage: &PlanStage<'_>| stage.plan.writes().any(|w| w.overlaps(image));
        info.header.chip() == Some(facts.chip)
            && !bytes(dump, image).starts_with(running)
            && !stages.iter().any(is_lost)
    };
    migration.with(|lent| goes_back(lent, facts))
        && !ways_to_go_back(facts, None).any(|(partition, _)| starts(partition))
}
