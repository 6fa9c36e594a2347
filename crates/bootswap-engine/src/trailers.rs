//! Leaves trailers and scratch area in a state that MCUboot takes well.
//!
//! MCUboot believes what it finds at the ends of slots and scratch area. Stale bytes there make it
//! resume a swap that never began, and run off its arrays.
//!
//! # Power-fail safety
//!
//! All of this happens before the commit, in places that the old bootloader never looks at. A cut
//! leaves a sector that is neither what it was nor blank; the next run finds the postcondition
//! unmet and erases it again.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use mcuboot_format::IMAGE_MAGIC;
use mcuboot_format::trailer::{Flag, Magic, TrailerConfig, TrailerLayout, TrailerState, magic_bytes};

use crate::erase::{self, Bounds};
use crate::medium::{Medium, PAGE};
use crate::verify::read_trailer;
use crate::{Event, Failure, Platform};

/// Erases before a sector counts as worn out.
const ATTEMPTS: u32 = 3;

/// Makes `region` blank by erasing whole sectors of `erasable`, only where it is not.
pub(crate) async fn clean<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    region: Region,
    erasable: Region,
) -> Result<(), Failure<F::Error>> {
    for part in region.chunks(SECTOR_BYTES) {
        let sector = Region::clamped(part.start().align_down(SECTOR_BYTES), SECTOR_BYTES);
        let mut attempts = 0;
        while !medium.is_blank(part).await? {
            if !erasable.contains_region(sector) {
                return Err(Failure::Unclean { region: part });
            }
            if attempts == ATTEMPTS {
                return Err(Failure::Stuck { sector: sector.start() });
            }
            platform.event(&Event::Cleaning { region: part });
            let bounds = Bounds { erasable, reserved: None, horizon: region.end() };
            let unit = erase::choose(medium, sector.start(), bounds).await?;
            let erased = medium.erase(if attempts == 0 { unit } else { sector }).await;
            attempts += 1;
            if attempts == ATTEMPTS {
                erased?;
            }
        }
    }
    Ok(())
}

/// Erases the last sector of the scratch area where it ends in a good trailer magic.
pub(crate) async fn clean_scratch<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    scratch: Region,
    erasable: Region,
    config: TrailerConfig,
) -> Result<(), Failure<F::Error>> {
    let Ok(layout) = TrailerLayout::scratch(scratch, config) else {
        return Err(Failure::Plan("no trailer fits the scratch area"));
    };
    if read_trailer(medium, &layout).await?.magic != Magic::Good {
        return Ok(());
    }
    clean(medium, platform, scratch.suffix(SECTOR_BYTES), erasable).await
}

/// Erases the first sector of the primary slot where it begins with MCUboot's magic.
///
/// Whatever image that was, MCUboot would go by its lengths when it swaps the slot's contents out, and
/// stop at every boot where they make no sense.
pub(crate) async fn clean_header<F: NorFlash, P: Platform>(
    medium: &mut Medium<'_, F>,
    platform: &mut P,
    slot: Region,
    erasable: Region,
) -> Result<(), Failure<F::Error>> {
    let mut page = [0; PAGE];
    medium.read(slot.start(), &mut page).await?;
    if !page.starts_with(&IMAGE_MAGIC.to_le_bytes()) {
        return Ok(());
    }
    clean(medium, platform, slot.prefix(SECTOR_BYTES), erasable).await
}

/// Whether the trailer reads as that of a confirmed image of which no swap has begun.
pub(crate) async fn is_confirmed<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    layout: &TrailerLayout,
) -> Result<bool, Failure<F::Error>> {
    let state = read_trailer(medium, layout).await?;
    Ok(state == TrailerState::CONFIRMED && medium.is_blank(layout.status()).await?)
}

/// Completes the trailer of a slot: `image_ok` first, then the magic that makes it count.
pub(crate) async fn confirm<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    layout: &TrailerLayout,
) -> Result<(), Failure<F::Error>> {
    let state = read_trailer(medium, layout).await?;
    if state.image_ok != Flag::Set {
        if state.image_ok != Flag::Unset {
            return Err(Failure::Unclean { region: field(layout.image_ok()) });
        }
        // Drivers want whole words; the bytes behind the flag stay as they are.
        medium.program(layout.image_ok(), &[1, 0xff, 0xff, 0xff]).await?;
    }
    if state.magic != Magic::Good {
        medium.program(layout.magic(), &magic_bytes(layout.config().max_align)).await?;
    }
    let state = read_trailer(medium, layout).await?;
    let done = state.image_ok == Flag::Set && state.magic == Magic::Good;
    if done { Ok(()) } else { Err(Failure::Unclean { region: layout.fields() }) }
}

fn field(addr: FlashAddr) -> Region {
    Region::clamped(addr, 4)
}
