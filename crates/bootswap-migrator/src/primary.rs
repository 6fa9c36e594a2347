//! What MCUboot will find in its primary slot.

use bootswap_plan::{Migration, primary_rank};
use embedded_storage_async::nor_flash::ReadNorFlash;
use mcuboot_format::{ImageHeader, ImageRank};

use crate::twice::Twice;

/// What MCUboot will compare with in its primary slot, as it is now; `None` if the migration has no
/// map, or the slot cannot be read: the planner then makes an assumption.
pub(crate) async fn rank<F: ReadNorFlash>(
    flash: &mut F,
    migration: &Migration<'_>,
) -> Option<ImageRank> {
    let slot = migration.mcuboot.as_ref()?.primary;
    let mut start = [0; ImageHeader::LEN_BYTES];
    Twice(flash).read(slot.start().get(), &mut start).await.ok()?;
    Some(primary_rank(&start))
}
