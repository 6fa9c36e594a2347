//! Carries out a plan, step by step.

use bootswap_plan::{
    Artifact, ArtifactIndex, DeviceFacts, Merge, Migration, Place, Plan, Purpose, Route, Step,
    Target,
};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{Region, SECTOR_BYTES};
use heapless::Vec;
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::Magic;
use sha2::{Digest, Sha256};

use crate::block::{Bytes, Wanted};
use crate::commit::{Commit, commit};
use crate::journal::{Entry, Journal};
use crate::medium::{Medium, SECTOR};
use crate::places::{self, slot_place};
use crate::scan::{Rules, Scan};
use crate::source::Source;
use crate::verify::Known;
use crate::{Event, Failure, ImageFault, Platform, copy, fetch, select, trailers, verify};

/// Attempts without progress after which the engine gives up.
const MAX_ATTEMPTS: u32 = 8;
/// Wait before the second attempt without progress in milliseconds; it doubles each time.
const FIRST_BACKOFF_MS: u32 = 1000;
/// Most places in which artifacts end: a critical and a harmless one for each of eight.
const MAX_PLACES: usize = 16;
/// Most artifacts that one commit writes.
const MAX_COMMITS: usize = 8;

/// Memory that the engine works in, besides its own stack: static on a chip.
#[derive(Debug)]
pub struct Buffers {
    sector: [u8; SECTOR],
}

impl Buffers {
    /// Buffers for one engine.
    #[must_use]
    pub const fn new() -> Self {
        Self { sector: [0; SECTOR] }
    }

    /// Lends the memory to somebody else while no engine runs.
    pub const fn sector(&mut self) -> &mut [u8; SECTOR] {
        &mut self.sector
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// What the owner wants.
    pub migration: &'a Migration<'a>,
    /// What is true of the device.
    pub facts: &'a DeviceFacts<'a>,
    /// The steps, from [`bootswap_plan::plan`] over these two.
    pub plan: &'a Plan,
    /// Where the container of embedded artifacts lies, if there is one.
    pub container: Option<Region>,
}

/// What the reset that the chip is to make now leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// The migration is done: the new bootloader.
    NewBootloader,
    /// The migrator has moved: the old bootloader, which starts the copy, which plans anew.
    Copy,
}

/// Executes plans on one device.
#[derive(Debug)]
pub struct Engine<'a, F, S, P> {
    flash: &'a mut F,
    source: &'a mut S,
    platform: &'a mut P,
    buffers: &'a mut Buffers,
    memory: &'a mut [u8],
}

/// What the steps work with, lent for one run.
pub(crate) struct Work<'w, 'f, F, S, P> {
    pub medium: &'w mut Medium<'f, F>,
    pub source: &'w mut S,
    pub platform: &'w mut P,
    pub journal: &'w mut Journal,
    pub memory: &'w mut [u8],
    pub sector: &'w mut [u8; SECTOR],
    pub container: Option<Region>,
}

impl<'a, F: NorFlash, S: Source, P: Platform> Engine<'a, F, S, P> {
    /// An engine over this flash, source and platform. `memory` is what the plan may stage in, as
    /// many bytes as the facts say; empty where it may not.
    pub fn new(
        flash: &'a mut F,
        source: &'a mut S,
        platform: &'a mut P,
        buffers: &'a mut Buffers,
        memory: &'a mut [u8],
    ) -> Self {
        Self { flash, source, platform, buffers, memory }
    }

    /// Carries out the plan, from wherever an earlier run left off.
    ///
    /// # Power-fail safety
    ///
    /// Power may go at any flash operation. Before the commit the device boots this migrator again,
    /// which runs this again and goes on; during the commit it is lost; after it MCUboot has all it
    /// needs.
    ///
    /// # Errors
    ///
    /// A [`Failure`]. Unless it is [`Failure::Commit`], the device still boots what it booted before,
    /// and may be reset to try again. After that one, running the engine again without a reset goes on
    /// repairing.
    pub async fn run(&mut self, job: &Job<'_>) -> Result<Done, Failure<F::Error>> {
        if let Some(objection) = places::objection(job, self.memory.len()) {
            return Err(Failure::Plan(objection));
        }
        let mut medium = Medium::new(&mut *self.flash);
        let mut journal = Journal::load(&mut medium, job.plan.journal, tag(job)).await;
        let attempt = journal.attempts().saturating_add(1);
        if attempt > MAX_ATTEMPTS {
            return Err(Failure::GivenUp { attempts: attempt - 1 });
        }
        let steps = &job.plan.steps;
        self.platform.event(&Event::Started { steps: steps.len(), attempt });
        journal.note(&mut medium, Entry::Attempt(attempt)).await;
        if attempt > 1 {
            let wait_ms = FIRST_BACKOFF_MS << (attempt - 2).min(MAX_ATTEMPTS);
            self.platform.event(&Event::Waiting { wait_ms });
            self.platform.delay_ms(wait_ms).await;
        }
        let mut work = Work {
            medium: &mut medium,
            source: &mut *self.source,
            platform: &mut *self.platform,
            journal: &mut journal,
            memory: &mut *self.memory,
            sector: &mut self.buffers.sector,
            container: job.container,
        };
        let key = key(job)?;
        // Once the bootloader is being written nothing may come in between, so all commits are one.
        let is_commit = |step: &&Step| matches!(step, Step::Commit { .. });
        let before = steps.iter().take_while(|step| !is_commit(step)).count();
        let commits = steps.iter().filter(is_commit).count();
        for (index, step) in steps.iter().enumerate() {
            work.announce(job, index, step);
            if index < before {
                work.step(job, step, key.as_ref()).await?;
            } else if index + 1 == before + commits {
                work.commit(job, attempt).await?;
            }
        }
        if steps.last() == Some(&Step::ResetIntoCopy) {
            work.platform.event(&Event::Moving);
            return Ok(Done::Copy);
        }
        work.platform.event(&Event::Resetting);
        Ok(Done::NewBootloader)
    }
}

impl<F: NorFlash, S, P> Engine<'_, F, S, P> {
    /// Forgets earlier attempts, so that the engine starts a new series of them: for devices that have
    /// nowhere to go back to, after a long rest.
    ///
    /// # Power-fail safety
    ///
    /// That of the journal: a torn record is passed over, and the attempts count as they did before.
    pub async fn forget_attempts(&mut self, job: &Job<'_>) {
        let mut medium = Medium::new(&mut *self.flash);
        let mut journal = Journal::load(&mut medium, job.plan.journal, tag(job)).await;
        journal.note(&mut medium, Entry::Attempt(0)).await;
    }

    /// Where artifacts end that have come, or begun to, as far as the journal knows: what lies there is the
    /// target's, and no firmware to go back to.
    pub async fn arrived(&mut self, job: &Job<'_>) -> Vec<Region, MAX_PLACES> {
        let mut medium = Medium::new(&mut *self.flash);
        let journal = Journal::load(&mut medium, job.plan.journal, tag(job)).await;
        let mut regions = Vec::new();
        for step in &job.plan.steps {
            let Step::Verify { artifact, routes } = step else { continue };
            let has_come =
                journal.fetched(artifact.0).is_some() || journal.progress(artifact.0) > 0;
            for route in routes.iter().filter(|_| has_come) {
                if let Target::Flash(place) = route.to {
                    let _ = regions.push(place.region);
                }
            }
        }
        regions
    }
}

impl<F: NorFlash, S: Source, P: Platform> Work<'_, '_, F, S, P> {
    fn announce(&mut self, job: &Job<'_>, index: usize, step: &Step) {
        let artifact = step.artifact().and_then(|artifact| artifact_of(job, artifact));
        self.platform.event(&Event::Step {
            number: index + 1,
            of: job.plan.steps.len(),
            step,
            artifact: artifact.map(|artifact| artifact.name),
        });
    }

    async fn step(
        &mut self,
        job: &Job<'_>,
        step: &Step,
        key: Option<&PublicKey>,
    ) -> Result<(), Failure<F::Error>> {
        let map = job.migration.mcuboot.as_ref();
        match step {
            Step::Select { otadata, app } => select::select(self.medium, *otadata, *app).await,
            Step::CopySelf { from, to } => self.copy_self(*from, to).await,
            Step::Fetch { artifact, routes } => {
                let waits = job.plan.steps.iter().any(
                    |step| matches!(step, Step::Copy { artifact: copied, .. } if copied == artifact),
                );
                let end = match end_of(job, *artifact).filter(|_| waits) {
                    Some(end) => Some((end, rules(job, *artifact, end, key)?)),
                    None => None,
                };
                let rules = rules(job, *artifact, routes, key)?;
                fetch::fetch(self, *artifact, routes, rules, end).await
            }
            Step::Copy { artifact, from, to } => self.copy(job, *artifact, *from, to, key).await,
            Step::Clean { region, erasable, purpose } => {
                let layout = map.and_then(|map| map.trailer_ending(region.end()));
                if let (Purpose::OwnTrailer, Some(layout)) = (purpose, layout)
                    && trailers::is_untouched(self.medium, &layout).await?
                {
                    return Ok(());
                }
                trailers::clean(self.medium, self.platform, *region, *erasable).await
            }
            Step::CleanScratch { scratch, erasable } => {
                let map = map.ok_or(Failure::Plan("a scratch area without a map"))?;
                let config = map.trailer_config();
                trailers::clean_scratch(self.medium, self.platform, *scratch, *erasable, config)
                    .await
            }
            Step::CleanHeader { slot, erasable } => {
                trailers::clean_header(self.medium, self.platform, *slot, *erasable).await
            }
            Step::Confirm { slot } => self.confirm(job, *slot, key).await,
            Step::Verify { artifact, routes } => {
                let rules = rules(job, *artifact, routes, key)?;
                self.verify(*artifact, routes, &rules).await
            }
            Step::Commit { .. } | Step::Reset | Step::ResetIntoCopy => Ok(()),
        }
    }
}

impl<F, S, P> Work<'_, '_, F, S, P> {
    /// What an artifact is known by: its length from the migration, or from when it was fetched.
    pub(crate) fn known(&self, artifact: ArtifactIndex, rules: &Rules<'_>) -> Option<Known> {
        let fetched = self.journal.fetched(artifact.0);
        let len_bytes = rules.artifact.len_bytes.or(fetched.map(|fetched| fetched.len_bytes))?;
        Some(Known { len_bytes, digest: fetched.map(|fetched| fetched.digest) })
    }
}

impl<F: NorFlash, S: Source, P: Platform> Work<'_, '_, F, S, P> {
    /// Copies the running image; what is there already is not written again.
    async fn copy_self(&mut self, from: Region, to: &Place) -> Result<(), Failure<F::Error>> {
        let wanted = Wanted {
            from: Bytes::Flash(from.start()),
            to: to.region.prefix(from.len_bytes()),
            ..wanted_in(to)
        };
        copy::copy(self.medium, self.platform, self.sector, &wanted).await.map(drop)
    }

    /// Copies what was staged to where it ends, unless it is there.
    async fn copy(
        &mut self,
        job: &Job<'_>,
        artifact: ArtifactIndex,
        from: Region,
        to: &Place,
        key: Option<&PublicKey>,
    ) -> Result<(), Failure<F::Error>> {
        let end = end_of(job, artifact).ok_or(Failure::Plan("a copy that nobody verifies"))?;
        let rules = rules(job, artifact, end, key)?;
        let known =
            self.known(artifact, &rules).ok_or(Failure::Plan("an artifact of unknown length"))?;
        if fetch::holds(self, artifact, end, &rules).await? {
            self.platform.event(&Event::Holds);
        } else {
            // Of a file whose first part waits for the commit, the rest is copied.
            let skipped = end.iter().find(|route| route.to == Target::Flash(*to));
            let file_offset = skipped.map_or(0, |route| route.file_offset);
            let len_bytes = known.len_bytes.saturating_sub(file_offset).min(from.len_bytes());
            let region = to.region.prefix(len_bytes);
            let gap = self.padding(from, region, &rules).await?;
            let wanted =
                Wanted { from: Bytes::Flash(from.start()), to: region, gap, ..wanted_in(to) };
            if copy::copy(self.medium, self.platform, self.sector, &wanted).await? {
                self.journal.note(self.medium, Entry::Attempt(0)).await;
            }
        }
        trailers::finish_slot(self.medium, self.sector, to, &rules, known.len_bytes).await
    }

    /// Where in the slot `to` the image waiting in `from` has padding.
    async fn padding(
        &mut self,
        from: Region,
        to: Region,
        rules: &Rules<'_>,
    ) -> Result<Option<Region>, Failure<F::Error>> {
        if rules.slot.is_none() {
            return Ok(None);
        }
        let mut scan = Scan::new(*rules);
        for part in from.chunks(SECTOR_BYTES) {
            let Some(bytes) = self.sector.get_mut(..part.len_bytes() as usize) else { break };
            self.medium.read(part.start(), bytes).await?;
            if scan.push(bytes).is_err() || scan.image_end().is_some() {
                break;
            }
        }
        let padding = scan.image_end().and_then(|end| rules.padding(end));
        Ok(padding.and_then(|(first, last)| {
            let start = to.start().checked_add(first)?;
            Region::new(start, to.start().checked_add(last)?)?.intersection(to)
        }))
    }

    /// Completes the trailer of the image in `slot`.
    async fn confirm(
        &mut self,
        job: &Job<'_>,
        slot: Region,
        key: Option<&PublicKey>,
    ) -> Result<(), Failure<F::Error>> {
        let layout = job.migration.mcuboot.as_ref().and_then(|map| map.trailer(slot));
        let layout = layout.ok_or(Failure::Plan("a slot without a trailer"))?;
        let verified = job.plan.steps.iter().find_map(|step| match step {
            Step::Verify { artifact, routes } => slot_place(routes)
                .filter(|place| place.slot == Some(slot))
                .map(|_| (*artifact, routes)),
            _ => None,
        });
        let (artifact, routes) =
            verified.ok_or(Failure::Plan("a confirmation that nobody verifies"))?;
        let rules = rules(job, artifact, routes, key)?;
        let known =
            self.known(artifact, &rules).ok_or(Failure::Plan("an artifact of unknown length"))?;
        // A magic inside the file is the file's business: writing one would change its digest.
        let inside = slot.start().saturating_add(known.len_bytes) > layout.magic();
        if inside && verify::read_trailer(self.medium, &layout).await?.magic != Magic::Good {
            return Err(Failure::Image { artifact, fault: ImageFault::Trailer });
        }
        trailers::confirm(self.medium, &layout).await
    }

    async fn verify(
        &mut self,
        artifact: ArtifactIndex,
        routes: &[Route],
        rules: &Rules<'_>,
    ) -> Result<(), Failure<F::Error>> {
        let fault = |fault| Failure::Image { artifact, fault };
        let known =
            self.known(artifact, rules).ok_or(Failure::Plan("an artifact of unknown length"))?;
        let verdict = verify::in_place(self, routes, rules, known).await?.map_err(fault)?;
        if let Some(slot) = slot_place(routes).and_then(|place| place.slot) {
            verify::trailer(self.medium, slot, rules).await?.map_err(fault)?;
        }
        verify::report(self.platform, rules, &verdict);
        Ok(())
    }

    /// Writes what the ROM boots from: all commits of the plan in one window.
    async fn commit(&mut self, job: &Job<'_>, attempt: u32) -> Result<(), Failure<F::Error>> {
        let mut commits: Vec<Commit<'_>, MAX_COMMITS> = Vec::new();
        for step in &job.plan.steps {
            let Step::Commit { artifact: index, from, to, merge, unused } = step else { continue };
            let artifact = artifact_of(job, *index).ok_or(Failure::Plan("a commit of nothing"))?;
            let fetched = self.journal.fetched(index.0);
            let len_bytes = artifact.len_bytes.or(fetched.map(|fetched| fetched.len_bytes));
            let len_bytes = len_bytes.ok_or(Failure::Plan("an artifact of unknown length"))?;
            let region = to.region.prefix(len_bytes);
            let wanted = Wanted {
                from: match from {
                    Target::Flash(place) => Bytes::Flash(place.start()),
                    Target::Memory { .. } => {
                        let staged = self.memory.get(..region.len_bytes() as usize);
                        Bytes::Memory(staged.ok_or(Failure::Plan(verify::MEMORY))?)
                    }
                },
                to: region,
                keep_under_blank: *merge == Merge::KeepUnderBlank,
                unused: *unused,
                ..wanted_in(to)
            };
            let digest = fetched.map(|fetched| fetched.digest);
            let rest_len_bytes = len_bytes - region.len_bytes();
            let rest = rest_of(
                end_of(job, *index).unwrap_or_default(),
                region.len_bytes(),
                rest_len_bytes,
            );
            let rest = rest.ok_or(Failure::Plan("an artifact is longer than its places"))?;
            let commit = Commit { artifact, digest, wanted, rest, sectors: 0 };
            commits
                .push(commit)
                .map_err(|_| Failure::Plan("more commits than there is room for"))?;
        }
        let done = commit(self.medium, self.platform, self.sector, &mut commits).await;
        if matches!(done, Err(Failure::Veto(_))) {
            // Waiting for a better moment is no failed attempt.
            self.journal.note(self.medium, Entry::Attempt(attempt - 1)).await;
        }
        done
    }
}

/// Where the bytes of a file behind its first `file_offset` lie, which are so many; empty for none.
fn rest_of(routes: &[Route], file_offset: u32, len_bytes: u32) -> Option<Region> {
    if len_bytes == 0 {
        return Some(Region::default());
    }
    match places::place_of(routes, file_offset)? {
        (Target::Flash(place), addr) => {
            let rest = Region::from_len(addr, len_bytes)?;
            place.region.contains_region(rest).then_some(rest)
        }
        (Target::Memory { .. }, _) => None,
    }
}

/// Nothing wanted yet, within the bounds of a place.
fn wanted_in(place: &Place) -> Wanted<'static> {
    Wanted {
        from: Bytes::Memory(&[]),
        to: place.region,
        erasable: place.erasable,
        reserved: place.reserved,
        gap: None,
        unused: None,
        keep_under_blank: false,
    }
}

/// The places in which an artifact is verified in the end.
fn end_of<'j>(job: &Job<'j>, wanted: ArtifactIndex) -> Option<&'j [Route]> {
    job.plan.steps.iter().find_map(|step| match step {
        Step::Verify { artifact, routes } if *artifact == wanted => Some(routes.as_slice()),
        _ => None,
    })
}

fn artifact_of<'j>(job: &Job<'j>, artifact: ArtifactIndex) -> Option<&'j Artifact<'j>> {
    job.migration.artifacts.get(usize::from(artifact.0))
}

/// Parses the bootloader's key once for all steps.
fn key<E>(job: &Job<'_>) -> Result<Option<PublicKey>, Failure<E>> {
    let Some(der) = job.migration.mcuboot.as_ref().and_then(|map| map.key_der) else {
        return Ok(None);
    };
    let artifact = ArtifactIndex(0);
    match PublicKey::from_known_der(der) {
        Some(key) => Ok(Some(key)),
        None => Err(Failure::Image { artifact, fault: ImageFault::Key }),
    }
}

/// The rules for an artifact on its way along `routes`.
fn rules<'a, E>(
    job: &Job<'a>,
    artifact: ArtifactIndex,
    routes: &[Route],
    key: Option<&'a PublicKey>,
) -> Result<Rules<'a>, Failure<E>> {
    let ends = routes.iter().map(|route| route.file_offset.saturating_add(route.to.len_bytes()));
    let room_bytes = ends.max().unwrap_or(0);
    let slot = slot_place(routes).and_then(|place| place.slot);
    let named = artifact_of(job, artifact);
    let named = named.ok_or(Failure::Plan("an artifact that the migration does not name"))?;
    Ok(Rules::new(job.migration, job.facts, named, slot, room_bytes, key))
}

/// What tells this migration from another one in the journal: a digest over what it fetches and where
/// it puts it, cut to 32 bits. A chance match costs a wasted download, which the digests find out.
fn tag(job: &Job<'_>) -> u32 {
    let mut sha256 = Sha256::new();
    for artifact in job.migration.artifacts {
        sha256.update(artifact.name.as_bytes());
        sha256.update(artifact.sha256.unwrap_or_default());
        sha256.update(artifact.len_bytes.unwrap_or(0).to_le_bytes());
        if let bootswap_plan::Origin::Url(url) = artifact.origin {
            sha256.update(url.as_bytes());
        }
    }
    for step in &job.plan.steps {
        if let Step::Fetch { routes, .. } = step {
            for route in routes {
                sha256.update(route.file_offset.to_le_bytes());
                if let Target::Flash(place) = route.to {
                    sha256.update(place.start().get().to_le_bytes());
                }
            }
        }
    }
    let digest: [u8; 32] = sha256.finalize().into();
    u32::from_le_bytes(crate::scan::head(&digest))
}
