//! What a device would refuse about files: the engine's own checks, without a device.
//!
//! The desk uses this before a migrator is sent out, so that desk and device judge with the same
//! code.

use core::convert::Infallible;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use bootswap_plan::{ArtifactIndex, DeviceFacts, MAX_ARTIFACTS, Migration, Role, Step};
use flash_region::{ERASED, SECTOR_BYTES, is_blank};
use heapless::Vec;
use mcuboot_format::trailer::{Flag, Magic, TrailerState};

use crate::confirm::takes_flag;
use crate::item::Placed;
use crate::job::{Job, key_of};
use crate::medium::{PAGE, len_bytes};
use crate::scan::{Rules, Scan, SlotRules};
use crate::starts::{Brought, Files, boots, starts};
use crate::{Failure, ImageFault};

/// Finds what a device with this job would refuse about these files, which are those of the
/// artifacts in order; `None` for a file that is not known.
///
/// The device's checks of the plan are included. A plan that moves the migrator does not use the
/// files yet.
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

/// The same for devices of which nothing is known, and so without a plan: `facts` describes a
/// device that has everything that the migration needs.
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
    let named = |failure: Failure<Infallible>| failure.named(migration.artifacts);
    let mut files = AtHand(files);
    let mut brought: Vec<Brought<'_>, MAX_ARTIFACTS> = Vec::new();
    for (index, artifact) in (0..).map(ArtifactIndex).zip(migration.artifacts) {
        // From the primary slot, an image starts without a trailer, so this requires the least.
        let map = migration.mcuboot.filter(|_| artifact.role == Role::Application);
        let slot = map.and_then(|map| match artifact.dest {
            Some(dest) => (dest == map.primary || dest == map.secondary).then_some(dest),
            None => Some(map.primary),
        });
        let rules = Rules::new(migration, facts, artifact, slot, u32::MAX, key.as_ref());
        let placed = Placed { index, artifact, routes: &[] };
        if let Some(file) = files.look(placed, rules).map_err(named)? {
            // No device accepts more.
            let _ = brought.push(file);
        }
    }
    at_once(starts(&mut files, &brought, facts.chip)).map_err(named)
}

fn files_of(job: &Job<'_>, files: &[Option<&[u8]>]) -> Result<(), Failure<Infallible>> {
    let memory_len_bytes = job.facts.staging_memory_len_bytes as usize;
    let checked = job.check(memory_len_bytes)?;
    let key = key_of(job.migration).ok_or(Failure::Key)?;
    let mut files = AtHand(files);
    let mut brought: Vec<Brought<'_>, MAX_ARTIFACTS> = Vec::new();
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Verify { artifact, routes } = step else { continue };
        let placed = checked.at(index).placed(*artifact, routes)?;
        if let Some(file) = files.look(placed, checked.item(placed, key.as_ref()).rules)? {
            // The check has counted them.
            let _ = brought.push(file);
        }
    }
    at_once(starts(&mut files, &brought, checked.chip()))?;
    // If one of the files is missing, nothing can be said about all of them together.
    if brought.len() < job.migration.artifacts.len() {
        return Ok(());
    }
    at_once(boots(&mut files, &brought, job.migration, job.facts))
}

/// The known files, each with the index of its artifact.
struct AtHand<'f>(&'f [Option<&'f [u8]>]);

impl<'f> AtHand<'f> {
    fn get(&self, ArtifactIndex(index): ArtifactIndex) -> Option<&'f [u8]> {
        self.0.get(usize::from(index)).copied().flatten()
    }

    /// Checks a file by its rules; `None` if it is not known.
    fn look<'j>(
        &self,
        placed: Placed<'j>,
        rules: Rules<'_>,
    ) -> Result<Option<Brought<'j>>, Failure<Infallible>> {
        let Some(file) = self.get(placed.index) else { return Ok(None) };
        scan(file, rules).map_err(|fault| placed.failure(fault))?;
        Ok(Some(Brought::new(placed, &rules, len_bytes(file))))
    }
}

impl Files for AtHand<'_> {
    type Error = Infallible;

    /// What a file does not cover is blank.
    async fn read(
        &mut self,
        file: &Placed<'_>,
        offset: u32,
        out: &mut [u8],
    ) -> Result<(), Failure<Infallible>> {
        let bytes = self.get(file.index).and_then(|file| file.get(offset as usize..));
        let bytes = bytes.unwrap_or_default().iter().copied();
        out.iter_mut().zip(bytes.chain(core::iter::repeat(ERASED))).for_each(|(to, b)| *to = b);
        Ok(())
    }
}

/// The result of a future that never waits: everything that it reads is in memory.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(said) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return said;
        }
    }
}

/// Passes a file through its scan as if it were fetched.
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

/// Whether the slot will have a trailer that MCUboot accepts as this migration requires, after the
/// file was written and the migrator has added its part. `verify` checks the same in flash.
fn brings_its_trailer(file: &[u8], slot: &SlotRules<'_>, confirm: bool) -> bool {
    let layout = slot.trailer;
    let from = |start: usize| file.get(start..).unwrap_or_default();
    let status = layout.status().len_bytes() as usize;
    let in_status = from(layout.offset_bytes() as usize);
    if !is_blank(in_status.get(..status).unwrap_or(in_status)) {
        return false;
    }
    // The fields of the largest trailer need 192 bytes; what the file does not cover is blank.
    let mut tail = [ERASED; PAGE];
    let start = (layout.slot().len_bytes() as usize).saturating_sub(PAGE);
    tail.iter_mut().zip(from(start)).for_each(|(to, from)| *to = *from);
    let Ok(mut state) = TrailerState::parse(&layout, &tail) else { return false };
    if confirm {
        let at = layout.image_ok().get() as usize;
        if from(at).first_chunk().is_some_and(|flag| !takes_flag(flag)) {
            return false;
        }
        // A magic inside of the file is part of it, so none is added there.
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
