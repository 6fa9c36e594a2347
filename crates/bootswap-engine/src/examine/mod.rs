//! What a device would refuse about files: the engine's own checks, without a device.
//!
//! The desk uses this before a migrator is sent out, so that desk and device judge with the same
//! code.

use core::convert::Infallible;
use core::mem::discriminant;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use bootswap_plan::{ArtifactIndex, DeviceFacts, MAX_ARTIFACTS, Migration, Role, Step};
use flash_region::{ERASED, SECTOR_BYTES, is_blank};
use heapless::Vec;
use mcuboot_format::ImageHeader;
use mcuboot_format::espressif;
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
/// `tell` gets every [`Failure`] that there is, and first the one that every device would end with.
/// The device's checks of the plan are included. A plan that moves the migrator does not use the
/// files yet.
pub fn examine<'j>(
    job: &Job<'j>,
    files: &[Option<&[u8]>],
    tell: &mut dyn FnMut(Failure<Infallible, &'j str>),
) {
    let artifacts = job.migration.artifacts;
    let tell: Tell<'_> = &mut |failure| tell(failure.named(artifacts));
    if let Err(failure) = files_of(job, files, tell) {
        tell(failure);
    }
}

/// The same without a plan: for devices of which nothing is known, and where the planner refuses
/// the migration. `facts` describes the device, or one that has everything that the migration
/// needs.
pub fn examine_files<'j>(
    migration: &Migration<'j>,
    facts: &DeviceFacts<'_>,
    files: &[Option<&[u8]>],
    tell: &mut dyn FnMut(Failure<Infallible, &'j str>),
) {
    let artifacts = migration.artifacts;
    let tell: Tell<'_> = &mut |failure| tell(failure.named(artifacts));
    let Some(key) = key_of(migration) else { return tell(Failure::Key) };
    let mut files = AtHand(files);
    let mut brought: Vec<Brought<'_>, MAX_ARTIFACTS> = Vec::new();
    for (index, artifact) in (0..).map(ArtifactIndex).zip(artifacts) {
        // From the primary slot, an image starts without a trailer, so this requires the least.
        let map = migration.mcuboot.filter(|_| artifact.role == Role::Application);
        let slot = map.and_then(|map| match artifact.dest {
            Some(dest) => (dest == map.primary || dest == map.secondary).then_some(dest),
            None => Some(map.primary),
        });
        let rules = Rules::new(migration, facts, artifact, slot, u32::MAX, key.as_ref());
        let placed = Placed { index, artifact, routes: &[] };
        if let Some(file) = files.look(placed, rules, tell) {
            // No device accepts more.
            let _ = brought.push(file);
        }
    }
    if let Err(failure) = at_once(starts(&mut files, &brought, facts.chip)) {
        tell(failure);
    }
}

/// Takes what is wrong with a file, or with all of them.
type Tell<'t> = &'t mut dyn FnMut(Failure<Infallible>);

fn files_of(
    job: &Job<'_>,
    files: &[Option<&[u8]>],
    tell: Tell<'_>,
) -> Result<(), Failure<Infallible>> {
    let memory_len_bytes = job.facts.staging_memory_len_bytes as usize;
    let checked = job.check(memory_len_bytes)?;
    let key = key_of(job.migration).ok_or(Failure::Key)?;
    let mut files = AtHand(files);
    let mut brought: Vec<Brought<'_>, MAX_ARTIFACTS> = Vec::new();
    for (index, step) in checked.steps().iter().enumerate() {
        let Step::Verify { artifact, routes } = step else { continue };
        let placed = checked.at(index).placed(*artifact, routes)?;
        let rules = checked.item(placed, key.as_ref()).rules;
        if let Some(file) = files.look(placed, rules, tell) {
            // The check has counted them.
            let _ = brought.push(file);
        }
    }
    if let Err(failure) = at_once(starts(&mut files, &brought, checked.chip())) {
        tell(failure);
    }
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

    /// Checks a file by its rules, and tells what is wrong with it; `None` if it is not known, or
    /// no application that a bootloader could start.
    fn look<'j>(
        &self,
        placed: Placed<'j>,
        rules: Rules<'_>,
        tell: Tell<'_>,
    ) -> Option<Brought<'j>> {
        let file = self.get(placed.index)?;
        let brought = Brought::new(placed, &rules, len_bytes(file));
        let Err(found) = scan(file, rules) else { return Some(brought) };
        tell(placed.failure(found));
        // A device ends with the first; whoever mends the file wants to know of the others. What is
        // no image at all has none.
        let app = brought.app_at().and_then(|at| file.get(at as usize..));
        let Some(app) = app.filter(|app| ImageHeader::parse(app).is_ok()) else {
            return rules.slot.is_none().then_some(brought);
        };
        let load = espressif::check(rules.facts.chip, app).map(|_| ()).map_err(ImageFault::Load);
        let trailer = check_trailers(file, &rules);
        let starts = load.is_ok();
        let others = [load, trailer].into_iter().filter_map(Result::err);
        others
            .filter(|fault| discriminant(fault) != discriminant(&found))
            .for_each(|fault| tell(placed.failure(fault)));
        starts.then_some(brought)
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
    check_trailers(file, &rules)
}

/// The trailers that a file brings along.
fn check_trailers(file: &[u8], rules: &Rules<'_>) -> Result<(), ImageFault> {
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
