//! Makes the old bootloader start the migrator again, whatever happens next.
//!
//! ```text
//!   otadata   | entry 0 ........ | entry 1 ........ |     one sector each
//!   before      seq 3, pending     seq 2, valid           in force: 0, on trial
//!   after       seq 3, pending     seq 5, valid           in force: 1, for good
//! ```
//!
//! A migrator that was installed by OTA may be on trial: unless it is marked valid, a bootloader
//! with rollback goes back to the old firmware at the next reset, in the middle of the migration. A
//! new entry is written over the unused one, instead of changing the one in use, so there is a good
//! entry at every moment.
//!
//! # Power-fail safety
//!
//! A cut leaves the entry in use unchanged and the other one blank, torn (its checksum is wrong
//! then) or good. In each case a complete app is started, and the next run does this step again.

use bootswap_plan::App;
use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::otadata::{ENTRY_LEN_BYTES, OtaData, OtaState, sector};
use flash_region::{PAGE_BYTES, Region};

use crate::erase::Bounds;
use crate::medium::Medium;
use crate::{Failure, writer};

/// Makes otadata select `app`, not on trial; does nothing if it does already.
///
/// The engine calls this if the plan says so. Callers outside of the engine use it to go back to
/// the old firmware.
///
/// # Power-fail safety
///
/// A cut leaves either the app selected that was selected before, or this one.
///
/// # Errors
///
/// [`Failure::Flash`] and [`Failure::Stuck`] if the flash fails, [`Failure::Otadata`] if otadata
/// cannot select the app, [`Failure::Unclean`] if the entry cannot be written.
pub async fn select_app<F: NorFlash>(
    flash: &mut F,
    otadata: Region,
    app: App,
) -> Result<(), Failure<F::Error, &'static str>> {
    // No failure here is about an artifact.
    select(&mut Medium::new(flash), otadata, app).await.map_err(|failure| failure.named(&[]))
}

/// Makes otadata select `app`, not on trial; does nothing if it does already.
pub(crate) async fn select<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    otadata: Region,
    app: App,
) -> Result<(), Failure<F::Error>> {
    match app {
        App::Factory => select_factory(medium, otadata).await,
        App::Ota { index, count } => select_slot(medium, otadata, index, count).await,
    }
}

async fn select_slot<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    otadata: Region,
    index: u8,
    count: u8,
) -> Result<(), Failure<F::Error>> {
    let data = read(medium, otadata).await?;
    if selects(&data, index, count) {
        return Ok(());
    }
    let next = data.entry_for(index, count);
    let (entry_index, mut entry) = next.map_err(|_| Failure::Otadata { region: otadata })?;
    entry.state = OtaState::Valid;
    let place = sector(otadata, entry_index);
    let bounds = Bounds { erasable: place, reserved: None, horizon: place.end(), combine: false };
    writer::put_sector(medium, place.start(), &entry.to_bytes(), bounds).await?;
    let holds = selects(&read(medium, otadata).await?, index, count);
    if holds { Ok(()) } else { Err(Failure::Unclean { region: otadata }) }
}

/// Whether the bootloader would start this slot, and rollback would not undo that.
fn selects(data: &OtaData, index: u8, count: u8) -> bool {
    let selected = data.select(count).filter(|selection| selection.ota_index == index);
    let state = selected.and_then(|selection| data.entries.get(selection.entry_index)?.ok());
    state.is_some_and(|entry| matches!(entry.state, OtaState::Valid | OtaState::Undefined))
}

/// Without a good entry, the bootloader starts the factory app. The entry in use is erased last, so
/// that until then the running app is started again.
async fn select_factory<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    otadata: Region,
) -> Result<(), Failure<F::Error>> {
    // Which entry is in use does not depend on the number of slots.
    let in_force = read(medium, otadata).await?.select(1).map(|selection| selection.entry_index);
    let last = in_force.unwrap_or(1);
    for entry_index in [usize::from(last == 0), usize::from(last != 0)] {
        let place = sector(otadata, entry_index);
        if !medium.is_blank(place.prefix(PAGE_BYTES)).await? {
            medium.erase(place).await?;
        }
    }
    match read(medium, otadata).await?.select(1) {
        None => Ok(()),
        Some(_) => Err(Failure::Unclean { region: otadata }),
    }
}

async fn read<F: NorFlash>(
    medium: &mut Medium<'_, F>,
    otadata: Region,
) -> Result<OtaData, Failure<F::Error>> {
    let (mut first, mut second) = ([0; ENTRY_LEN_BYTES], [0; ENTRY_LEN_BYTES]);
    medium.read(sector(otadata, 0).start(), &mut first).await?;
    medium.read(sector(otadata, 1).start(), &mut second).await?;
    Ok(OtaData::parse(&first, &second))
}

#[cfg(test)]
mod tests;
