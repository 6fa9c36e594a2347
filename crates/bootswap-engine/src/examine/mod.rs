//! What the device would say of files that are at hand: the engine's own checks, without a device.
//!
//! The desk asks here before a migrator is sent out, so that both judge by the same code.

use core::convert::Infallible;

use bootswap_plan::{ArtifactIndex, DeviceFacts, Migration, Role, Step};
use esp_idf_format::Chip;
use esp_idf_format::image::{EspImageHeader as EspHeader, FlashSize};
use esp_idf_format::partition::TABLE_LEN_BYTES;
use flash_region::{ERASED, SECTOR_BYTES, is_blank};
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif::{LoadHeader, Loader};
use mcuboot_format::trailer::{Flag, Magic, TrailerState};

use crate::chain::{Chain, read_table, table_at};
use crate::confirm::takes_flag;
use crate::job::{Job, key_of};
use crate::medium::PAGE;
use crate::scan::{Rules, Scan, SlotRules};
use crate::{Failure, ImageFault};

/// Says what a device with this job would refuse of these files, which are those of the artifacts
/// in their order; `None` for one that is not at hand.
///
/// What a device checks of the plan is checked too. A plan that moves the migrator does nothing
/// with the files yet.
///
/// # Errors
///
/// The [`Failure`] that every device would end with.
pub fn examine<'j>(
    job: &Job<'j>,
    files: &[Option<&[u8]>],
) -> Result<(), Failure<Infallible, &'j str>> {
    files_of(job, files).map_err(|failure| failure.named(job.migration.artifacts))
}

/// Says the same of files for devices of which nothing is known, and so without a plan: `facts` is
/// of a device that has all that the migration asks for.
///
/// # Errors
///
/// The [`Failure`] that every device would end with.
pub fn examine_files<'j>(
    migration: &Migration<'j>,
    facts: &DeviceFacts<'_>,
    files: &[Option<&[u8]>],
) -> Result<(), Failure<Infallible, &'j str>> {
    let key = key_of(migration).ok_or(Failure::Key)?;
    let mut seen = Seen::default();
    for ((index, artifact), file) in (0..).map(ArtifactIndex).zip(migration.artifacts).zip(files) {
        let Some(file) = *file else { continue };
        // From the primary slot an image starts without a trailer, so that the least is asked for.
        let map = migration.mcuboot.filter(|_| artifact.role == Role::Application);
        let slot = map.and_then(|map| match artifact.dest {
            Some(dest) => (dest == map.primary || dest == map.secondary).then_some(dest),
            None => Some(map.primary),
        });
        let rules = Rules::new(migration, facts, artifact, slot, u32::MAX, key.as_ref());
        let failed = seen.look(index, file, rules);
        failed.map_err(|failure| failure.named(migration.artifacts))?;
    }
    seen.starts(facts.chip).map_err(|failure| failure.named(migration.artifacts))
}

fn files_of(job: &Job<'_>, files: &[Option<&[u8]>]) -> Result<(), Failure<Infallible>> {
    let memory_len_bytes = job.facts.staging_memory_len_bytes as usize;
    let checked = job.check(memory_len_bytes)?;
    let key = key_of(job.migration).ok_or(Failure::Key)?;
    let mut seen = Seen::default();
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Verify { artifact, routes } = step else { continue };
        let placed = checked.at(index).placed(*artifact, routes)?;
        let file = files.get(usize::from(artifact.0)).copied().flatten();
        let Some(file) = file else { continue };
        seen.look(*artifact, file, checked.item(placed, key.as_ref()).rules)?;
    }
    seen.starts(checked.chip())?;
    boots(job.migration, job.facts, files)
}

/// What `boots` asks of the files in flash. Where one of them is not at hand nothing can be said.
fn boots(
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
    files: &[Option<&[u8]>],
) -> Result<(), Failure<Infallible>> {
    let with_file = || {
        let numbered = (0..).map(ArtifactIndex).zip(migration.artifacts);
        numbered
            .zip(files)
            .filter_map(|((index, artifact), file)| Some((index, artifact, (*file)?)))
    };
    if with_file().count() != migration.artifacts.len() {
        return Ok(());
    }
    let failed = |(artifact, fault)| Failure::Image { artifact, fault };
    let len = crate::medium::len_bytes;
    let headers = with_file().filter_map(|(_, artifact, file)| {
        let rules = Rules::new(migration, facts, artifact, None, u32::MAX, None);
        let header = EspHeader::parse(file.get(rules.boots_at? as usize..)?).ok()?;
        Some(header.flash_size().unwrap_or(FlashSize::Mb2).bytes())
    });
    let flash_len_bytes = headers.last().or(facts.bootloader_flash_len_bytes);
    let flash_len_bytes = flash_len_bytes.unwrap_or(facts.flash().len_bytes());
    let mut chain = Chain { migration, facts, table: None, otadata: None };
    let table = with_file().find_map(|(index, artifact, file)| {
        Some((index, file.get(table_at(facts, artifact, len(file))? as usize..)?))
    });
    if let Some((index, bytes)) = table {
        let bytes = bytes.get(..TABLE_LEN_BYTES as usize).unwrap_or(bytes);
        let found = read_table(bytes, facts.table_addr, flash_len_bytes)
            .map_err(|fault| failed((index, fault)))?;
        chain.table = found.map(|table| (index, table));
    }
    chain.otadata = with_file().find_map(|(index, artifact, file)| {
        let entry = |sector| {
            let at = chain.otadata_at(artifact, len(file), sector)?;
            file.get(at as usize..)?.first_chunk().copied()
        };
        Some((index, [entry(0)?, entry(1)?]))
    });
    let file = |wanted: ArtifactIndex| files.get(usize::from(wanted.0)).copied().flatten();
    let first = |index| file(index).and_then(|file| file.first().copied());
    chain.check(&first, &|index| file(index).map(len)).map_err(failed)
}

/// The files that have to fit together.
#[derive(Default)]
struct Seen<'f> {
    app: Option<(ArtifactIndex, &'f [u8])>,
    bootloader: Option<&'f [u8]>,
}

impl<'f> Seen<'f> {
    /// Looks at a file by its rules.
    fn look(
        &mut self,
        artifact: ArtifactIndex,
        file: &'f [u8],
        rules: Rules<'_>,
    ) -> Result<(), Failure<Infallible>> {
        scan(file, rules).map_err(|fault| Failure::Image { artifact, fault })?;
        let from = |at: u32| file.get(at as usize..).filter(|rest| !rest.is_empty());
        let app = if rules.slot.is_some() { Some(0) } else { rules.app.map(|app| app.at) };
        if let Some(app) = app.and_then(from) {
            self.app = Some((artifact, app));
        }
        if let Some(bootloader) = rules.boots_at.and_then(from) {
            self.bootloader = Some(bootloader);
        }
        Ok(())
    }

    /// What `starts` asks of the files in flash.
    fn starts(&self, chip: Chip) -> Result<(), Failure<Infallible>> {
        let (Some((artifact, app)), Some(bootloader)) = (self.app, self.bootloader) else {
            return Ok(());
        };
        let start = ImageHeader::parse(app).map_or(0, |image| usize::from(image.hdr_size));
        let load = LoadHeader::parse(app.get(start..).unwrap_or_default());
        let started = load.and_then(|load| Loader::of(chip, bootloader).check(&load));
        started.map_err(|fault| Failure::Image { artifact, fault: ImageFault::Load(fault) })
    }
}

/// Passes a file by its rules as it would come.
fn scan(file: &[u8], rules: Rules<'_>) -> Result<(), ImageFault> {
    if file.len() > rules.room_bytes as usize {
        return Err(ImageFault::TooLong { room_bytes: rules.room_bytes });
    }
    let mut scan = Scan::new(rules);
    file.chunks(SECTOR_BYTES as usize).try_for_each(|sector| scan.push(sector))?;
    scan.finish()?;
    let own = rules.slot.is_none_or(|slot| brings_its_trailer(file, &slot, rules.artifact.confirm));
    let within = rules.app.is_none_or(|app| {
        let image = file.get(app.at as usize..).unwrap_or_default();
        image.is_empty() || brings_its_trailer(image, &app.rules, false)
    });
    if own && within { Ok(()) } else { Err(ImageFault::Trailer) }
}

/// Whether the slot will have a trailer that MCUboot accepts as this migration wants it, once the
/// file is in it and the migrator has added what it adds. What `verify` asks of flash.
fn brings_its_trailer(file: &[u8], slot: &SlotRules<'_>, confirm: bool) -> bool {
    let layout = slot.trailer;
    let from = |start: usize| file.get(start..).unwrap_or_default();
    let status = layout.status().len_bytes() as usize;
    let in_status = from(layout.offset_bytes() as usize);
    if !is_blank(in_status.get(..status).unwrap_or(in_status)) {
        return false;
    }
    // The fields of the largest trailer take 192 bytes; what the file does not reach is blank.
    let mut tail = [ERASED; PAGE];
    let start = (layout.slot().len_bytes() as usize).saturating_sub(PAGE);
    tail.iter_mut().zip(from(start)).for_each(|(to, from)| *to = *from);
    let Ok(mut state) = TrailerState::parse(&layout, &tail) else { return false };
    if confirm {
        let at = layout.image_ok().get() as usize;
        if from(at).first_chunk().is_some_and(|flag| !takes_flag(flag)) {
            return false;
        }
        // A magic inside of the file is part of it, and none is added there.
        let inside = file.len() > layout.magic().get() as usize;
        state.magic = match state.magic {
            Magic::Unset if !inside => Magic::Good,
            found => found,
        };
        if state.image_ok == Flag::Unset {
            state.image_ok = Flag::Set;
        }
    }
    slot.image.accepts(state)
}

#[cfg(test)]
mod tests;
