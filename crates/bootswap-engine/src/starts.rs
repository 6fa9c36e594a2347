//! Whether the application starts under the bootloader that comes with it: the one question that
//! needs both files.

use bootswap_plan::{Step, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::SECTOR_BYTES;
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif::{LoadHeader, LoaderReader};

use crate::check::Checked;
use crate::item::Placed;
use crate::medium::len_bytes;
use crate::routes::place_of;
use crate::work::Work;
use crate::{Failure, ImageFault, Platform};

/// Checks the application in its slot against the bootloader where that waits for the commit.
///
/// Both were verified before. Where one of them does not come with the migration there is nothing
/// to compare.
pub(crate) async fn starts<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    checked: &Checked<'_>,
) -> Result<(), Failure<F::Error>> {
    let chip = checked.chip();
    let (mut app, mut bootloader) = (None, None);
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Verify { artifact, routes } = step else { continue };
        let placed = checked.at(index).placed(*artifact, routes)?;
        let rules = checked.item(placed, None).rules;
        let len_bytes = work.fetched(&placed)?.len_bytes;
        let within = |at: &u32| *at < len_bytes;
        let app_at = if rules.slot.is_some() { Some(0) } else { rules.app.map(|app| app.at) };
        if let Some(at) = app_at.filter(within) {
            app = Some((placed, at));
        }
        if let Some(at) = rules.boots_at.filter(within) {
            bootloader = Some((placed, at, len_bytes));
        }
    }
    let (Some((app, app_at)), Some((bootloader, mut offset, end))) = (app, bootloader) else {
        return Ok(());
    };
    let fault = |fault| app.failure(ImageFault::Load(fault));
    let mut header = [0; ImageHeader::LEN_BYTES];
    read(work, &app, app_at, &mut header).await?;
    let image = ImageHeader::parse(&header).map_err(|error| fault(error.into()))?;
    let mut load = [0; LoadHeader::LEN_BYTES];
    let load_at = app_at.saturating_add(u32::from(image.hdr_size));
    read(work, &app, load_at, &mut load).await?;
    let load = LoadHeader::parse(&load).map_err(fault)?;

    let mut reader = LoaderReader::new(chip);
    let mut page = [0; crate::medium::PAGE];
    while offset < end {
        let len = len_bytes(&page).min(end - offset) as usize;
        let Some(bytes) = page.get_mut(..len) else { break };
        read(work, &bootloader, offset, bytes).await?;
        reader.push(bytes);
        offset += len_bytes(bytes);
        if offset.is_multiple_of(SECTOR_BYTES) {
            work.platform.alive();
        }
    }
    reader.finish().check(&load).map_err(fault)
}

/// Reads bytes of a file from where they lie; they must not cross from one place to another.
async fn read<F: NorFlash, P>(
    work: &mut Work<'_, '_, F, P>,
    placed: &Placed<'_>,
    offset: u32,
    out: &mut [u8],
) -> Result<(), Failure<F::Error>> {
    match place_of(placed.routes, offset) {
        Some((Target::Flash(_), addr)) => work.medium.read(addr, out).await?,
        Some((Target::Memory { .. }, at)) => {
            let at = at.get() as usize;
            let staged = work.memory.get(at..at.saturating_add(out.len()));
            out.copy_from_slice(staged.ok_or_else(|| placed.failure(placed.too_long()))?);
        }
        None => return Err(placed.failure(placed.too_long())),
    }
    Ok(())
}
