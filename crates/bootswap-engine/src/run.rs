//! Carries out a plan, step by step.

use bootswap_plan::{App, Step};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::Region;

use crate::attempts::{self, Begun};
use crate::job::Job;
use crate::journal::Journal;
use crate::medium::Medium;
use crate::source::Source;
use crate::work::{Buffers, Work};
use crate::{
    Event, Failure, Platform, apart, confirm, copies, fetch, select, starts, trailers, verify,
    window,
};

/// What the chip boots after the reset that must follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// The migration is done: the new bootloader.
    NewBootloader,
    /// The migrator has moved: the old bootloader, which starts the copy, which plans again.
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

impl<'a, F: NorFlash, S: Source, P: Platform> Engine<'a, F, S, P> {
    /// An engine with this flash, source and platform. `memory` is for staging, with as many bytes
    /// as the facts say; empty if there is none.
    pub fn new(
        flash: &'a mut F,
        source: &'a mut S,
        platform: &'a mut P,
        buffers: &'a mut Buffers,
        memory: &'a mut [u8],
    ) -> Self {
        Self { flash, source, platform, buffers, memory }
    }

    /// Carries out the plan, from wherever an earlier run stopped: [`begin`](crate::begin) and
    /// [`go_on`](Self::go_on).
    ///
    /// # Power-fail safety
    ///
    /// Power may be lost at any flash operation. Before the commit, the device boots this migrator
    /// again, which runs this again and continues; during the commit, the device no longer boots,
    /// or with [`Step::Host`] boots either; after it, MCUboot has everything that it needs.
    ///
    /// # Errors
    ///
    /// A [`Failure`]. Unless it is [`Failure::Commit`], the device still boots what it booted
    /// before, and may be reset to try again. After [`Failure::Commit`], running the engine again
    /// without a reset continues the repair.
    pub async fn run<'j>(&mut self, job: &Job<'j>) -> Result<Done, Failure<F::Error, &'j str>> {
        let mut begun = attempts::begin(self.flash, self.platform, job).await?;
        self.go_on(job, &mut begun).await
    }

    /// Carries out the plan in an attempt that has begun.
    ///
    /// # Power-fail safety
    ///
    /// That of [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), without [`Failure::GivenUp`].
    pub async fn go_on<'j>(
        &mut self,
        job: &Job<'j>,
        begun: &mut Begun,
    ) -> Result<Done, Failure<F::Error, &'j str>> {
        let Begun { journal } = begun;
        let ended = self.carry_out(job, journal).await;
        if let Err(failure) = &ended {
            attempts::end(&mut Medium::new(&mut *self.flash), journal, failure).await;
        }
        ended.map_err(|failure| failure.named(job.migration.artifacts))
    }

    async fn carry_out(
        &mut self,
        job: &Job<'_>,
        journal: &mut Journal,
    ) -> Result<Done, Failure<F::Error>> {
        let checked = job.check(self.memory.len())?;
        let mut medium = Medium::new(&mut *self.flash);
        let mut work = Work {
            medium: &mut medium,
            platform: &mut *self.platform,
            journal,
            memory: &mut *self.memory,
            sector: &mut self.buffers.sector,
        };
        let key = job.key().ok_or(Failure::Key)?;

        let item = |placed| checked.item(placed, key.as_ref());

        for (index, step) in checked.steps().iter().enumerate() {
            work.announce(index, checked.steps(), checked.name(step));
            let at = checked.at(index);
            let is_last = step.is_commit() || matches!(step, Step::Reset);
            if is_last && !checked.is_after_commit(index) {
                apart!(starts::target_starts(&mut work, &checked))?;
            }
            match step {
                Step::Select { otadata, app } => {
                    apart!(select::select(work.medium, *otadata, *app))?;
                }
                Step::CopySelf { from, to } => copies::copy_self(&mut work, *from, to).await?,
                Step::Fetch { artifact, routes } => {
                    let fetched = item(at.placed(*artifact, routes)?);
                    let end = at.end_elsewhere(*artifact)?.map(item);
                    let (source, container) = (&mut *self.source, job.container);
                    apart!(fetch::fetch(&mut work, source, container, &fetched, end.as_ref()))?;
                }
                Step::Copy { artifact, from, to } => {
                    let end = item(at.end(*artifact)?);
                    apart!(copies::copy(&mut work, &end, *from, to))?;
                }
                Step::Clean { region, erasable, purpose } => {
                    let own = at.own_trailer(*region, *purpose);
                    apart!(trailers::clean_but_own(&mut work, *region, *erasable, own.as_ref()))?;
                }
                Step::CleanScratch { scratch, erasable } => {
                    let trailer = at.scratch_trailer(*scratch)?;
                    apart!(trailers::clean_scratch(&mut work, &trailer, *erasable))?;
                }
                Step::CleanHeader { slot, erasable } => {
                    apart!(trailers::clean_header(&mut work, *slot, *erasable))?;
                }
                Step::Confirm { slot } => {
                    let (end, trailer) = (at.in_slot(*slot)?, at.trailer(*slot)?);
                    apart!(confirm::confirm(&mut work, &end, &trailer))?;
                }
                Step::Verify { artifact, routes } => {
                    let end = item(at.placed(*artifact, routes)?);
                    apart!(verify::verify(&mut work, &end))?;
                }
                // While the bootloader is being written, nothing must happen in between, so all
                // commits are one.
                Step::Commit { .. } if checked.is_last_commit(index) => {
                    apart!(window::commit_all(&mut work, &checked))?;
                }
                Step::Host { otadata, app, .. } => {
                    apart!(host(&mut work, *otadata, *app))?;
                }
                Step::Commit { .. } | Step::Reset | Step::ResetIntoCopy => {}
            }
        }
        if checked.steps().last() == Some(&Step::ResetIntoCopy) {
            work.platform.event(&Event::Moving);
            return Ok(Done::Copy);
        }
        work.platform.event(&Event::Resetting);
        Ok(Done::NewBootloader)
    }
}

/// Makes otadata select the carrier, as [`select`](select::select) does it for any app: in state
/// `valid`. ESP-IDF's own update would write `new`, which a bootloader with rollback starts once
/// only, since nothing in a carrier confirms itself.
///
/// # Power-fail safety
///
/// Entries have a checksum, and the sector that is written is not that of the entry in force. A cut
/// leaves the migrator selected, which comes here again, or the carrier. A state of which only some
/// bits are written reads as `invalid`, and then as the migrator, or as one that is started.
async fn host<F: NorFlash, P: Platform>(
    work: &mut Work<'_, '_, F, P>,
    otadata: Region,
    app: App,
) -> Result<(), Failure<F::Error>> {
    select::select(work.medium, otadata, app).await?;
    work.platform.event(&Event::Selected);
    Ok(())
}
