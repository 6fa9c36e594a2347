//! Carries out a plan, step by step.

use bootswap_plan::{
    ArtifactIndex, DeviceFacts, Migration, Place, Plan, Purpose, Route, Step, Target,
};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::Region;
use mcuboot_format::key::PublicKey;
use sha2::{Digest, Sha256};

use crate::commit::{Commit, commit};
use crate::journal::{Entry, Journal};
use crate::medium::{Medium, SECTOR};
use crate::scan::Rules;
use crate::source::Source;
use crate::{Event, Failure, ImageFault, Platform, fetch, select, trailers, verify, writer};

/// Attempts without progress after which the engine gives up.
const MAX_ATTEMPTS: u32 = 8;

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
    /// and may be reset to try again.
    pub async fn run(&mut self, job: &Job<'_>) -> Result<Done, Failure<F::Error>> {
        let mut medium = Medium::new(&mut *self.flash);
        let mut journal = Journal::load(&mut medium, job.plan.journal, tag(job)).await?;
        let attempt = journal.attempts().saturating_add(1);
        if attempt > MAX_ATTEMPTS {
            return Err(Failure::GivenUp { attempts: attempt - 1 });
        }
        self.platform.event(&Event::Started { steps: job.plan.steps.len(), attempt });
        journal.note(&mut medium, Entry::Attempt(attempt)).await;
        let mut work = Work {
            medium: &mut medium,
            source: &mut *self.source,
            platform: &mut *self.platform,
            journal: &mut journal,
            memory: &mut *self.memory,
            sector: &mut self.buffers.sector,
            container: job.container,
        };
        let key = work.key(job)?;
        for (index, step) in (0u8..).zip(&job.plan.steps) {
            let name = step.artifact().and_then(|a| job.migration.artifacts.get(usize::from(a.0)));
            work.platform.event(&Event::Step {
                number: usize::from(index) + 1,
                of: job.plan.steps.len(),
                step,
                artifact: name.map(|artifact| artifact.name),
            });
            work.step(job, index, step, key.as_ref()).await?;
        }
        if job.plan.steps.last() == Some(&Step::ResetIntoCopy) {
            work.platform.event(&Event::Moving);
            return Ok(Done::Copy);
        }
        work.platform.event(&Event::Resetting);
        Ok(Done::NewBootloader)
    }
}

impl<F: NorFlash, S: Source, P: Platform> Work<'_, '_, F, S, P> {
    async fn step(
        &mut self,
        job: &Job<'_>,
        index: u8,
        step: &Step,
        key: Option<&PublicKey>,
    ) -> Result<(), Failure<F::Error>> {
        let map = job.migration.mcuboot.as_ref();
        match step {
            Step::Fetch { artifact, routes } => {
                let rules = rules(job, *artifact, routes, key)?;
                fetch::fetch(self, index, *artifact, routes, rules).await
            }
            Step::Copy { artifact, from, to } => {
                let rules = rules_of(job, *artifact, to.slot, from.len_bytes(), key)?;
                self.copy(*from, to, &rules).await
            }
            Step::Clean { region, erasable, purpose } => {
                let layout = map.and_then(|map| map.trailer_ending(region.end()));
                if let (Purpose::OwnTrailer, Some(layout)) = (purpose, layout)
                    && trailers::is_confirmed(self.medium, &layout).await?
                {
                    return Ok(());
                }
                trailers::clean(self.medium, self.platform, *region, *erasable).await
            }
            Step::CleanScratch { scratch, erasable } => {
                let map = map.ok_or(Failure::Plan("a scratch area without a map"))?;
                let config = map.trailer_config();
                trailers::clean_scratch(self.medium, self.platform, *scratch, *erasable, config).await
            }
            Step::CleanHeader { slot, erasable } => {
                trailers::clean_header(self.medium, self.platform, *slot, *erasable).await
            }
            Step::Confirm { slot } => {
                let layout = map.and_then(|map| map.trailer(*slot));
                let layout = layout.ok_or(Failure::Plan("a slot without a trailer"))?;
                trailers::confirm(self.medium, &layout).await
            }
            Step::Verify { artifact, routes } => {
                let rules = rules(job, *artifact, routes, key)?;
                self.verify(*artifact, routes, &rules).await
            }
            Step::Commit { from, to, merge, unused, .. } => {
                let step = Commit { from: *from, to: *to, merge: *merge, unused: *unused };
                if crate::commit::holds(self.medium, self.memory, &step).await? {
                    self.platform.event(&Event::Holds);
                    return Ok(());
                }
                commit(self.medium, self.platform, self.memory, &step).await
            }
            Step::Select { otadata, app } => select::select(self.medium, *otadata, *app).await,
            Step::CopySelf { from, to } => self.copy_self(*from, to).await,
            Step::Reset | Step::ResetIntoCopy => Ok(()),
        }
    }

    /// Parses the bootloader's key once for all steps.
    fn key(&self, job: &Job<'_>) -> Result<Option<PublicKey>, Failure<F::Error>> {
        let Some(der) = job.migration.mcuboot.as_ref().and_then(|map| map.key_der) else {
            return Ok(None);
        };
        let artifact = ArtifactIndex(0);
        PublicKey::from_der(der)
            .map(Some)
            .map_err(|_| Failure::Image { artifact, fault: ImageFault::Key })
    }

    /// Copies the running image, sector by sector; what is there already is not written again.
    async fn copy_self(&mut self, from: Region, to: &Place) -> Result<(), Failure<F::Error>> {
        for part in from.chunks(flash_region::SECTOR_BYTES) {
            let offset = part.start().bytes_since(from.start());
            let Some(bytes) = self.sector.get_mut(..part.len_bytes() as usize) else { continue };
            self.medium.read(part.start(), bytes).await?;
            let (addr, horizon) = (to.start().saturating_add(offset), to.region.end());
            let bounds =
                crate::erase::Bounds { erasable: to.erasable, reserved: to.reserved, horizon };
            writer::put_sector(self.medium, addr, bytes, bounds).await?;
            self.platform.alive();
        }
        Ok(())
    }

    /// Copies what was staged to where it ends.
    async fn copy(
        &mut self,
        from: Region,
        to: &Place,
        rules: &Rules<'_>,
    ) -> Result<(), Failure<F::Error>> {
        let image_end = self.image_end(from, rules).await?;
        for part in from.chunks(flash_region::SECTOR_BYTES) {
            let offset = part.start().bytes_since(from.start());
            let Some(bytes) = self.sector.get_mut(..part.len_bytes() as usize) else { continue };
            if rules.is_padding(offset, part.len_bytes(), image_end) {
                continue;
            }
            self.medium.read(part.start(), bytes).await?;
            let addr = to.start().saturating_add(offset);
            let horizon = match image_end {
                Some(end) if end > offset => to.start().saturating_add(end),
                _ => to.region.end(),
            };
            let bounds =
                crate::erase::Bounds { erasable: to.erasable, reserved: to.reserved, horizon };
            writer::put_sector(self.medium, addr, bytes, bounds).await?;
            self.platform.alive();
        }
        Ok(())
    }

    /// Where the MCUboot image that was staged ends, if it is one.
    async fn image_end(
        &mut self,
        from: Region,
        rules: &Rules<'_>,
    ) -> Result<Option<u32>, Failure<F::Error>> {
        let mut scan = crate::scan::Scan::new(*rules);
        for part in from.chunks(flash_region::SECTOR_BYTES) {
            if scan.image_end().is_some() || rules.slot.is_none() {
                break;
            }
            let Some(bytes) = self.sector.get_mut(..part.len_bytes() as usize) else { break };
            self.medium.read(part.start(), bytes).await?;
            if scan.push(bytes).is_err() {
                return Ok(None);
            }
        }
        Ok(scan.image_end())
    }

    async fn verify(
        &mut self,
        artifact: ArtifactIndex,
        routes: &[Route],
        rules: &Rules<'_>,
    ) -> Result<(), Failure<F::Error>> {
        let fault = |fault| Failure::Image { artifact, fault };
        let verdict = verify::in_place(self, routes, rules).await?.map_err(fault)?;
        if let Some(slot) = slot_of(routes) {
            verify::trailer(self.medium, slot, rules).await?.map_err(fault)?;
        }
        verify::report(self.platform, rules, &verdict);
        Ok(())
    }
}

/// The MCUboot slot that the routes fill, or stage for.
fn slot_of(routes: &[Route]) -> Option<Region> {
    routes.iter().find_map(|route| match route.to {
        Target::Flash(place) => place.slot,
        Target::Memory { .. } => None,
    })
}

/// The rules for an artifact on its way along `routes`.
fn rules<'a, E>(
    job: &Job<'a>,
    artifact: ArtifactIndex,
    routes: &[Route],
    key: Option<&'a PublicKey>,
) -> Result<Rules<'a>, Failure<E>> {
    let room_bytes =
        routes.iter().map(|route| route.file_offset.saturating_add(route.to.len_bytes())).max();
    rules_of(job, artifact, slot_of(routes), room_bytes.unwrap_or(0), key)
}

fn rules_of<'a, E>(
    job: &Job<'a>,
    artifact: ArtifactIndex,
    slot: Option<Region>,
    room_bytes: u32,
    key: Option<&'a PublicKey>,
) -> Result<Rules<'a>, Failure<E>> {
    let named = job.migration.artifacts.get(usize::from(artifact.0));
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
