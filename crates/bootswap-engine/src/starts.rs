//! Whether the target starts: the questions that need more than one file.

use bootswap_plan::{ArtifactIndex, Step, Target};
use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::image::{EspImageHeader as EspHeader, FlashSize, HEADER_LEN_BYTES};
use esp_idf_format::otadata::ENTRY_LEN_BYTES;
use esp_idf_format::partition::TABLE_LEN_BYTES;
use flash_region::SECTOR_BYTES;
use heapless::Vec;
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif::{LoadHeader, LoaderReader};

use crate::chain::{Chain, OtaEntries, read_table, table_at};
use crate::check::{Checked, MAX_COMMITS as MAX_ARTIFACTS};
use crate::item::Placed;
use crate::job::Job;
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

/// Checks that the bootloader, the new one or the one that stays, starts what the migration brings.
///
/// Everything was verified before.
pub(crate) async fn boots<F: NorFlash, P>(
    work: &mut Work<'_, '_, F, P>,
    checked: &Checked<'_>,
) -> Result<(), Failure<F::Error>> {
    let Job { migration, facts, .. } = *checked.job();
    let mut places: Vec<(Placed<'_>, u32), MAX_ARTIFACTS> = Vec::new();
    let mut flash_len_bytes = facts.bootloader_flash_len_bytes;
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Verify { artifact, routes } = step else { continue };
        let placed = checked.at(index).placed(*artifact, routes)?;
        let len_bytes = work.fetched(&placed)?.len_bytes;
        if let Some(at) = checked.item(placed, None).rules.boots_at.filter(|at| *at < len_bytes) {
            let mut header = [0; HEADER_LEN_BYTES as usize];
            read(work, &placed, at, &mut header).await?;
            let size = EspHeader::parse(&header).ok().and_then(|header| header.flash_size());
            flash_len_bytes = Some(size.unwrap_or(FlashSize::Mb2).bytes());
        }
        // The check has counted them.
        let _ = places.push((placed, len_bytes));
    }
    let flash_len_bytes = flash_len_bytes.unwrap_or(facts.flash().len_bytes());
    let mut firsts = [None; MAX_ARTIFACTS];
    let mut lens = [None; MAX_ARTIFACTS];
    for (placed, len_bytes) in &places {
        let mut first = [0];
        read(work, placed, 0, &mut first).await?;
        let index = usize::from(placed.index.0);
        if let (Some(to), Some(len)) = (firsts.get_mut(index), lens.get_mut(index)) {
            (*to, *len) = (first.first().copied(), Some(*len_bytes));
        }
    }
    let mut buffer = [0; TABLE_LEN_BYTES as usize];
    let mut chain = Chain { migration, facts, table: None, otadata: None };
    let table = places.iter().find_map(|(placed, len_bytes)| {
        Some((placed, *len_bytes, table_at(facts, placed.artifact, *len_bytes)?))
    });
    if let Some((placed, len_bytes, at)) = table {
        let len = (len_bytes - at).min(TABLE_LEN_BYTES) as usize;
        let bytes = buffer.get_mut(..len).unwrap_or_default();
        read(work, placed, at, bytes).await?;
        let found = read_table(bytes, facts.table_addr, flash_len_bytes)
            .map_err(|fault| placed.failure(fault))?;
        chain.table = found.map(|table| (placed.index, table));
    }
    let otadata = places.iter().find_map(|(placed, len_bytes)| {
        let at = |sector| chain.otadata_at(placed.artifact, *len_bytes, sector);
        Some((placed, at(0)?, at(1)?))
    });
    if let Some((placed, first_at, second_at)) = otadata {
        let mut entries: OtaEntries = [[0; ENTRY_LEN_BYTES]; 2];
        let [first, second] = &mut entries;
        read(work, placed, first_at, first).await?;
        read(work, placed, second_at, second).await?;
        chain.otadata = Some((placed.index, entries));
    }
    let of = |index: ArtifactIndex| usize::from(index.0);
    chain
        .check(&|index| firsts.get(of(index)).copied().flatten(), &|index| {
            lens.get(of(index)).copied().flatten()
        })
        .map_err(|(artifact, fault)| Failure::Image { artifact, fault })
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
