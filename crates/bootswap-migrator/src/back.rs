//! The way back to the previous firmware, or on to another one.
//!
//! # Power-fail safety
//!
//! The previous firmware is read and verified first, then otadata is changed as the engine changes
//! it: in one sector while the other is still valid. Whichever app the bootloader starts after a
//! cut is complete.

use bootswap_engine::{Failure, select_app};
use bootswap_plan::{App, DeviceFacts, ways_to_go_back};
use carrier_format::PROJECT;
use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::app_desc::{APP_DESC_LEN_BYTES, APP_DESC_OFFSET_BYTES};
use esp_idf_format::image::ImageVerifier;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};

use crate::Hardware;

/// Bytes of image header, first segment's header and app description (`esp_app_desc_t`).
const HEAD_LEN_BYTES: u32 = APP_DESC_OFFSET_BYTES + APP_DESC_LEN_BYTES as u32;

/// A firmware that the device can go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    otadata: Region,
    app: App,
    /// Its partition.
    pub(crate) partition: Region,
}

/// Looks for a firmware to go to: the one in `first`, else the previous one according to the table,
/// else any other app that verifies. None of them is in a region that `is_lost`.
pub(crate) async fn find<F: NorFlash, B: Hardware>(
    flash: &mut F,
    board: &mut B,
    facts: &DeviceFacts<'_>,
    first: Option<Region>,
    is_lost: &dyn Fn(Region) -> bool,
    buffer: &mut [u8; SECTOR_BYTES as usize],
) -> Option<Way> {
    let otadata = facts.otadata()?;
    for (partition, app) in ways_to_go_back(facts, first) {
        // A migrator that has moved left one of itself behind.
        if is_same_app(flash, facts.running, partition).await {
            continue;
        }
        let image = image(flash, board, facts, partition, buffer).await;
        if image.is_some_and(|image| !is_lost(image)) {
            return Some(Way { otadata, app, partition });
        }
    }
    None
}

/// Makes the bootloader start it at the next reset.
pub(crate) async fn take<F: NorFlash>(
    flash: &mut F,
    way: &Way,
) -> Result<(), Failure<F::Error, &'static str>> {
    select_app(flash, way.otadata, way.app).await
}

/// Whether two partitions begin with the same app, judging by its description with its SHA-256.
async fn is_same_app<F: NorFlash>(flash: &mut F, first: Region, second: Region) -> bool {
    const PART: usize = 64;
    let parts = Region::clamped(FlashAddr::ZERO, HEAD_LEN_BYTES).chunks(PART as u32);
    for offset in parts.map(|part| part.start().get()) {
        let (mut a, mut b) = ([0; PART], [0; PART]);
        for (partition, bytes) in [(first, &mut a), (second, &mut b)] {
            let addr = partition.start().saturating_add(offset);
            if flash.read(addr.get(), bytes).await.is_err() {
                return false;
            }
        }
        if a != b {
            return false;
        }
    }
    true
}

/// The app image in `partition`, if it is a firmware that the bootloader would start.
async fn image<F: NorFlash, B: Hardware>(
    flash: &mut F,
    board: &mut B,
    facts: &DeviceFacts<'_>,
    partition: Region,
    buffer: &mut [u8; SECTOR_BYTES as usize],
) -> Option<Region> {
    let mut verifier = ImageVerifier::with_max_len(partition.len_bytes());
    for part in partition.chunks(SECTOR_BYTES) {
        let bytes = buffer.get_mut(..part.len_bytes() as usize)?;
        flash.read(part.start().get(), bytes).await.ok()?;
        verifier.push(bytes).ok()?;
        board.feed();
        if verifier.is_complete() {
            let is_ours = verifier.header().is_some_and(|h| h.chip() == Some(facts.chip));
            let info = verifier.finish().ok()?;
            // A carrier starts the target, which may not be there yet.
            let is_carrier = info
                .app_desc
                .is_some_and(|desc| desc.project_name.text_bytes() == PROJECT.as_bytes());
            return (is_ours && !is_carrier).then(|| partition.prefix(info.total_len_bytes));
        }
    }
    None
}
