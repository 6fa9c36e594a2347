//! Whether the target starts: the checks that need more than one file.
//!
//! They are made for files in flash before the commit ([`target_starts`]), and for files at the
//! desk before anything is sent out (`examine`): [`Files`] reads the bytes.

use bootswap_plan::{ArtifactIndex, DeviceFacts, MAX_ARTIFACTS, Migration, Step, Target};
use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::Chip;
use esp_idf_format::otadata::ENTRY_LEN_BYTES;
use esp_idf_format::partition::TABLE_LEN_BYTES;
use flash_region::SECTOR_BYTES;
use heapless::Vec;
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif::{
    LoadFault, LoadHeader, LoaderReader, calls_functions, is_function,
};

use crate::chain::{BootHead, Chain, HEAD_LEN_BYTES, OtaEntries, read_table, table_at};
use crate::check::Checked;
use crate::item::Placed;
use crate::medium::len_bytes;
use crate::routes::place_of;
use crate::scan::Rules;
use crate::work::Work;
use crate::{Failure, ImageFault, Platform};

/// A verified file of the migration, and what in it is booted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brought<'j> {
    placed: Placed<'j>,
    len_bytes: u32,
    /// Offset of the application for MCUboot in it.
    app_at: Option<u32>,
    /// Offset in it of the bootloader that the ROM starts.
    boots_at: Option<u32>,
}

/// Reads the bytes of the files.
pub(crate) trait Files {
    /// The error of reading flash.
    type Error;

    /// Reads bytes of a file; they must not cross from one region to another.
    async fn read(
        &mut self,
        file: &Placed<'_>,
        offset: u32,
        out: &mut [u8],
    ) -> Result<(), Failure<Self::Error>>;

    /// Called while work is being done.
    fn alive(&mut self) {}
}

impl<'j> Brought<'j> {
    /// A file of this length with these rules.
    pub(crate) fn new(placed: Placed<'j>, rules: &Rules<'_>, len_bytes: u32) -> Self {
        let within = |at: &u32| *at < len_bytes;
        let app_at = if rules.slot.is_some() { Some(0) } else { rules.app.map(|app| app.at) };
        let (app_at, boots_at) = (app_at.filter(within), rules.boots_at.filter(within));
        Self { placed, len_bytes, app_at, boots_at }
    }

    /// Where in it the application for MCUboot begins.
    pub(crate) const fn app_at(&self) -> Option<u32> {
        self.app_at
    }
}

/// Checks that the target starts, with the files in their regions.
///
/// Everything was verified before.
pub(crate) async fn target_starts<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    checked: &Checked<'_>,
) -> Result<(), Failure<F::Error>> {
    let mut brought: Vec<Brought<'_>, MAX_ARTIFACTS> = Vec::new();
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Verify { artifact, routes } = step else { continue };
        let placed = checked.at(index).placed(*artifact, routes)?;
        let len_bytes = work.fetched(&placed)?.len_bytes;
        let rules = checked.item(placed, None).rules;
        // The check has counted them.
        let _ = brought.push(Brought::new(placed, &rules, len_bytes));
    }
    starts(work, &brought, checked.chip()).await?;
    boots(work, &brought, checked.job().migration, checked.job().facts).await
}

/// Checks the application: whether it was linked for its header, and, if the migration contains
/// the bootloader too, whether that one starts it.
pub(crate) async fn starts<R: Files>(
    files: &mut R,
    brought: &[Brought<'_>],
    chip: Chip,
) -> Result<(), Failure<R::Error>> {
    let app = brought.iter().rev().find_map(|file| Some((file, file.app_at?)));
    let Some((Brought { placed: app, len_bytes: app_len_bytes, .. }, app_at)) = app else {
        return Ok(());
    };
    let fault = |fault| app.failure(ImageFault::Load(fault));
    let mut header = [0; ImageHeader::LEN_BYTES];
    files.read(app, app_at, &mut header).await?;
    let image = ImageHeader::parse(&header).map_err(|error| fault(error.into()))?;
    let mut load = [0; LoadHeader::LEN_BYTES];
    let load_at = app_at.saturating_add(u32::from(image.hdr_size));
    files.read(app, load_at, &mut load).await?;
    let load = LoadHeader::parse(&load).map_err(fault)?;
    if calls_functions(chip) {
        for (linked_bytes, at) in load.entries(image.hdr_size) {
            let mut code = [0; 4];
            let at = app_at.saturating_add(at);
            if at.saturating_add(len_bytes(&code)) > *app_len_bytes {
                continue;
            }
            files.read(app, at, &mut code).await?;
            if is_function(code) {
                if linked_bytes == image.hdr_size {
                    break;
                }
                let (signed_bytes, linked_bytes) = (image.hdr_size, linked_bytes.into());
                return Err(fault(LoadFault::HeaderSize { signed_bytes, linked_bytes }));
            }
        }
    }
    let bootloader = brought.iter().rev().find_map(|file| Some((file, file.boots_at?)));
    let Some((bootloader, mut offset)) = bootloader else { return Ok(()) };
    let mut reader = LoaderReader::new(chip);
    let mut page = [0; crate::medium::PAGE];
    while offset < bootloader.len_bytes {
        let len = len_bytes(&page).min(bootloader.len_bytes - offset) as usize;
        let Some(bytes) = page.get_mut(..len) else { break };
        files.read(&bootloader.placed, offset, bytes).await?;
        reader.push(bytes);
        offset += len_bytes(bytes);
        if offset.is_multiple_of(SECTOR_BYTES) {
            files.alive();
        }
    }
    reader.finish().check(&load).map_err(fault)
}

/// Checks that the bootloader, the new one or the remaining one, starts what the migration writes,
/// with all of its files.
pub(crate) async fn boots<R: Files>(
    files: &mut R,
    brought: &[Brought<'_>],
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
) -> Result<(), Failure<R::Error>> {
    let (mut flash_len_bytes, mut is_esp_idf) = (facts.bootloader_flash_len_bytes, false);
    let mut firsts = [0; MAX_ARTIFACTS];
    for (Brought { placed, boots_at, len_bytes, .. }, first) in brought.iter().zip(&mut firsts) {
        files.read(placed, 0, core::slice::from_mut(first)).await?;
        if let Some(at) = *boots_at {
            let mut head = [0; HEAD_LEN_BYTES];
            let len = head.len().min(len_bytes.saturating_sub(at) as usize);
            files.read(placed, at, head.get_mut(..len).unwrap_or_default()).await?;
            let head = BootHead::of(&head);
            flash_len_bytes = head.map(|head| head.flash_len_bytes).or(flash_len_bytes);
            is_esp_idf = head.is_some_and(|head| head.is_esp_idf);
        }
    }
    let flash_len_bytes = flash_len_bytes.unwrap_or(facts.flash().len_bytes());

    let mut buffer = [0; TABLE_LEN_BYTES as usize];
    let mut chain = Chain { migration, facts, table: None, is_esp_idf, otadata: None };
    let table = brought
        .iter()
        .find_map(|file| Some((file, table_at(facts, file.placed.artifact, file.len_bytes)?)));
    if let Some((Brought { placed, len_bytes, .. }, at)) = table {
        let len = (len_bytes - at).min(TABLE_LEN_BYTES) as usize;
        let bytes = buffer.get_mut(..len).unwrap_or_default();
        files.read(placed, at, bytes).await?;
        let found = read_table(bytes, facts.table_addr, flash_len_bytes)
            .map_err(|fault| placed.failure(fault))?;
        chain.table = found.map(|table| (placed.index, table));
    }
    let otadata = brought.iter().find_map(|Brought { placed, len_bytes, .. }| {
        let at = |sector| chain.otadata_at(placed.artifact, *len_bytes, sector);
        Some((placed, at(0)?, at(1)?))
    });
    if let Some((placed, first_at, second_at)) = otadata {
        let mut entries: OtaEntries = [[0; ENTRY_LEN_BYTES]; 2];
        let [first, second] = &mut entries;
        files.read(placed, first_at, first).await?;
        files.read(placed, second_at, second).await?;
        chain.otadata = Some((placed.index, entries));
    }
    let found = |wanted: ArtifactIndex| {
        let mut all = brought.iter().zip(&firsts);
        all.find(|(file, _)| file.placed.index == wanted)
    };
    chain
        .check(&|index| found(index).map(|(_, first)| *first), &|index| {
            found(index).map(|(file, _)| file.len_bytes)
        })
        .map_err(|(artifact, fault)| Failure::Image { artifact, fault })
}

/// The files in their regions.
impl<F: NorFlash, P: Platform> Files for Work<'_, '_, F, P> {
    type Error = F::Error;

    async fn read(
        &mut self,
        file: &Placed<'_>,
        offset: u32,
        out: &mut [u8],
    ) -> Result<(), Failure<F::Error>> {
        match place_of(file.routes, offset) {
            Some((Target::Flash(_), addr)) => self.medium.read(addr, out).await?,
            Some((Target::Memory { .. }, at)) => {
                let at = at.get() as usize;
                let staged = self.memory.get(at..at.saturating_add(out.len()));
                out.copy_from_slice(staged.ok_or_else(|| file.failure(file.too_long()))?);
            }
            None => return Err(file.failure(file.too_long())),
        }
        Ok(())
    }

    fn alive(&mut self) {
        self.platform.alive();
    }
}
