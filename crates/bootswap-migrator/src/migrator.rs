//! What the migrator does, from start to reset.

use bootswap_config::ConfigError;
use bootswap_engine::{
    Begun, Buffers, Done, Engine, Failure, Job, Source, apart, arrived, begin, forget_attempts,
};
use bootswap_plan::{DeviceFacts, Migration, Plan, Reason, Reasons, goes_back, plan, successor};
use embedded_storage_async::nor_flash::NorFlash;
use esp_idf_format::partition::TABLE_ADDR;
use flash_region::{FlashAddr, Region};
use mcuboot_format::ImageRank;

use crate::platform::Talking;
use crate::{CommitWindow, Hardware, LiveFacts, Log, News, back, primary};

/// Wait before the reset after a failed attempt, so that the console can be read, in milliseconds.
const FAILED_WAIT_MS: u32 = 1000;
/// Wait before the supply is checked again for a commit, in milliseconds.
const VETO_WAIT_MS: u32 = 60_000;
/// Wait between attempts to repair a bootloader that did not verify, in milliseconds.
const REPAIR_WAIT_MS: u32 = 10_000;
/// Wait before a new series of attempts if there is no firmware to go back to, in milliseconds.
const NO_WAY_BACK_WAIT_MS: u32 = 60 * 60 * 1000;
/// How often the facts are read before the device counts as unreadable.
const LOOKS: u32 = 3;
/// How often a firmware to go back to is looked for if there is nothing to migrate, before that
/// wait.
const RETREATS: u32 = 3;

/// The migrator on its device.
#[derive(Debug)]
pub struct Migrator<'a, F, B> {
    /// The flash.
    pub flash: &'a mut F,
    /// The chip and its board.
    pub board: &'a mut B,
    /// The console.
    pub log: Log<'a>,
    /// Whether the commit window may be open, for code outside of the migrator.
    pub window: &'a CommitWindow,
    /// Memory for the engine.
    pub buffers: &'a mut Buffers,
}

/// Memory for the device's facts and for the plan: 8 KiB on a chip.
///
/// It is not part of a future, because a future stores what it is given once for itself and once
/// more in each future that it awaits.
#[derive(Debug, Default)]
pub struct Room {
    found: Option<LiveFacts>,
    plan: Plan,
}

/// A migration that can begin: facts, plan, and a counted attempt.
#[derive(Debug)]
pub struct Ready<'r> {
    found: &'r LiveFacts,
    /// What MCUboot will compare with in its primary slot.
    primary: Option<ImageRank>,
    plan: &'r Plan,
    begun: Begun,
}

impl<'r> Ready<'r> {
    /// The facts that were read on the device.
    #[must_use]
    pub const fn found(&self) -> &'r LiveFacts {
        self.found
    }
}

impl<F: NorFlash, B: Hardware> Migrator<'_, F, B> {
    /// Reads the facts, plans, and carries out the plan. `memory` is for staging. When this
    /// returns, the chip must be reset.
    ///
    /// # Power-fail safety
    ///
    /// That of [`Engine::run`]: whatever happens before the commit, the next start does the same
    /// again and continues where this one stopped.
    pub async fn migrate<S: Source>(
        mut self,
        migration: &Migration<'_>,
        source: &mut S,
        memory: &mut [u8],
    ) {
        let mut room = Room::default();
        if let Some(mut ready) = self.prepare(migration, memory.len(), &mut room).await {
            self.go_on(&mut ready, migration, source, memory).await;
        }
    }

    /// Does what needs no network: reads the facts, plans, counts the attempt, and first waits if
    /// earlier attempts failed. `memory_len` bytes are available for staging.
    ///
    /// Call it before anything that can hang or reset the chip, such as the start of a radio: such
    /// a start counts, and after eight of them the device goes back to the previous firmware.
    /// Returns `None` if the chip must be reset.
    ///
    /// # Power-fail safety
    ///
    /// Only the journal is written, and otadata if the device goes back.
    pub async fn prepare<'r>(
        &mut self,
        migration: &Migration<'_>,
        memory_len: usize,
        room: &'r mut Room,
    ) -> Option<Ready<'r>> {
        let Room { found, plan } = room;
        let Some(found) = self.look(migration.table_addr, found).await else {
            self.rest().await;
            return None;
        };
        let primary = primary::rank(self.flash, migration).await;
        let facts = found.lend(memory_len, primary);
        if let Err(reasons) = make(plan, migration, &facts) {
            apart!(self.refuse(&facts, &reasons));
            return None;
        }
        if goes_back(migration, &facts) && apart!(self.leaves_nothing(&facts, plan)) {
            apart!(self.refuse_for(&facts, Reason::NothingToStart { primary: None }));
            return None;
        }
        self.board.hears(News::Planned(plan));
        let job = Job { migration, facts: &facts, plan, container: found.container() };
        let begun = match self.begin(&job).await {
            Ok(begun) => begun,
            Err(failure) => {
                apart!(self.end(&job, &failure));
                return None;
            }
        };
        Some(Ready { found, primary, plan, begun })
    }

    /// Carries out a plan that was [prepared](Self::prepare), with the same memory. When this
    /// returns, the chip must be reset.
    ///
    /// # Power-fail safety
    ///
    /// That of [`Engine::run`].
    pub async fn go_on<S: Source>(
        mut self,
        ready: &mut Ready<'_>,
        migration: &Migration<'_>,
        source: &mut S,
        memory: &mut [u8],
    ) {
        let Ready { found, primary, plan, begun } = ready;
        let facts = found.lend(memory.len(), *primary);
        let job = Job { migration, facts: &facts, plan, container: found.container() };
        self.carry_out(&job, begun, source, memory).await;
    }

    /// Prints why there is nothing to do, and goes back to the previous firmware. When this
    /// returns, the chip must be reset.
    ///
    /// # Power-fail safety
    ///
    /// Only otadata is written, of which one sector is valid at every moment.
    pub async fn without_config(mut self, error: &ConfigError) {
        let tell = |log: Log<'_>| log.error(format_args!("{error}"));
        match self.look(None, &mut None).await {
            Some(found) => self.retreat(&found.lend(0, None), &tell).await,
            None => {
                tell(self.log);
                self.rest().await;
            }
        }
    }

    /// Reads the facts; the partition table is at `table`, if an address is given.
    async fn look<'r>(
        &mut self,
        table: Option<FlashAddr>,
        room: &'r mut Option<LiveFacts>,
    ) -> Option<&'r LiveFacts> {
        let identity = self.board.identity();
        for _ in 0..LOOKS {
            let buffer = self.buffers.sector();
            match apart!(LiveFacts::read(self.flash, identity, table, buffer)) {
                Ok(found) => {
                    let found = room.insert(found);
                    let flash_mb = identity.flash_len_bytes >> 20;
                    match found.running() {
                        Some(p) => self.log.info(format_args!(
                            "migrator on {}, {flash_mb} MB of flash, running from {} at {}",
                            identity.chip, p.label, p.region
                        )),
                        None => self.log.info(format_args!(
                            "migrator on {}, {flash_mb} MB of flash",
                            identity.chip
                        )),
                    }
                    if found.table_addr() != TABLE_ADDR {
                        self.log.info(format_args!("partition table at {}", found.table_addr()));
                    }
                    for objection in found.objections() {
                        self.log.warn(format_args!(
                            "{objection}; the bootloader accepts it, and the partitions concerned \
                            are left alone"
                        ));
                    }
                    return Some(found);
                }
                Err(error) => self.log.error(format_args!("{error}")),
            }
            self.board.delay_ms(FAILED_WAIT_MS).await;
        }
        None
    }

    /// Whether nothing is left to be started when the plan is carried out: it writes over the
    /// firmware before, and there is no other.
    async fn leaves_nothing(&mut self, facts: &DeviceFacts<'_>, plan: &Plan) -> bool {
        let is_lost = |image: Region| plan.writes().any(|region| region.overlaps(image));
        let buffer = self.buffers.sector();
        back::find(self.flash, self.board, facts, None, &is_lost, buffer).await.is_none()
    }

    async fn refuse_for(&mut self, facts: &DeviceFacts<'_>, reason: Reason) {
        let mut reasons = Reasons::new();
        let _ = reasons.push(reason);
        self.refuse(facts, &reasons).await;
    }

    async fn refuse(&mut self, facts: &DeviceFacts<'_>, reasons: &Reasons) {
        self.board.hears(News::Refused(reasons));
        let tell = |log: Log<'_>| {
            for reason in reasons.iter() {
                log.error(format_args!("refused ({}): {reason}", reason.code()));
            }
        };
        self.retreat(facts, &tell).await;
    }

    /// Goes back because there is nothing to migrate, which another attempt would not change;
    /// `tell` prints why.
    ///
    /// Without a plan there is no sector for a journal, so attempts are counted in memory. If there
    /// is nothing to go back to, it ends in a reset after an hour: an error from reading flash may
    /// be gone then, and someone who attaches a console sees what is wrong.
    async fn retreat(&mut self, facts: &DeviceFacts<'_>, tell: &dyn Fn(Log<'_>)) {
        let mut wait_ms = FAILED_WAIT_MS;
        for attempt in 1..=RETREATS {
            tell(self.log);
            if self.go_back(facts, &[]).await {
                return;
            }
            self.log.warn(format_args!(
                "attempt {attempt} of {RETREATS} failed; the device needs another image, by serial"
            ));
            if attempt < RETREATS {
                self.log.info(format_args!("waiting {wait_ms} ms before trying again"));
                self.board.delay_ms(wait_ms).await;
                wait_ms *= 2;
            }
        }
        self.rest().await;
    }

    /// Counts an attempt.
    async fn begin(&mut self, job: &Job<'_>) -> Result<Begun, Failure<F::Error, &'static str>> {
        let mut platform = Talking::new(self.board, self.log, self.window);
        begin(self.flash, &mut platform, job).await
    }

    /// Runs the engine until there is a reason to reset: done, failed, or gone back after too many
    /// attempts.
    async fn carry_out<S: Source>(
        &mut self,
        job: &Job<'_>,
        begun: &mut Begun,
        source: &mut S,
        memory: &mut [u8],
    ) {
        let mut attempt: Result<(), Failure<F::Error, &str>> = Ok(());
        let mut has_committed = false;
        loop {
            let ended = match attempt {
                Ok(()) => {
                    let mut platform = Talking::new(self.board, self.log, self.window);
                    let (flash, buffers) = (&mut *self.flash, &mut *self.buffers);
                    let mut engine = Engine::new(flash, source, &mut platform, buffers, memory);
                    let ended = apart!(engine.go_on(job, begun));
                    has_committed |= platform.has_committed();
                    ended
                }
                Err(failure) => Err(failure),
            };
            let failure = match ended {
                Ok(Done::NewBootloader) if !has_committed => {
                    return apart!(self.hand_over(job));
                }
                Ok(_) => return,
                Err(failure) => failure,
            };
            if !self.window.is_open() {
                return apart!(self.end(job, &failure));
            }
            // The bootloader is half written: only writing on can help, not a reset.
            if matches!(failure, Failure::GivenUp { .. }) {
                forget_attempts(self.flash, job).await;
            }
            self.log.error(format_args!("{failure}"));
            self.board.hears(News::Failed(&failure));
            self.board.delay_ms(REPAIR_WAIT_MS).await;
            attempt = self.begin(job).await.map(|again| *begun = again);
        }
    }

    /// Ends a failed attempt, so that the chip can be reset: to try again, or to go back after too
    /// many attempts.
    ///
    /// # Power-fail safety
    ///
    /// The attempts are forgotten before otadata changes, so that a migrator that is delivered
    /// again has all of its attempts. Power lost between the two starts a new series a little
    /// early.
    async fn end(&mut self, job: &Job<'_>, failure: &Failure<F::Error, &str>) {
        let mut not_in = None;
        if matches!(failure, Failure::GivenUp { .. }) {
            // A part of the target is not a firmware to go back to, although the bootloader would
            // start it.
            not_in = Some(arrived(self.flash, job).await);
            forget_attempts(self.flash, job).await;
        }
        self.log.error(format_args!("{failure}"));
        self.board.hears(News::Failed(failure));
        if let Some(arrived) = not_in {
            if !self.go_back(job.facts, &arrived).await {
                self.rest().await;
            }
            return;
        }
        // A weak supply is not a failed attempt, so the supply is checked again as long as
        // necessary.
        let is_veto = matches!(failure, Failure::Veto(_));
        let wait_ms = if is_veto { VETO_WAIT_MS } else { FAILED_WAIT_MS };
        self.log.info(format_args!("resetting in {wait_ms} ms to try again"));
        self.board.delay_ms(wait_ms).await;
    }

    /// Ends a migration of which everything was in place already when the migrator was started:
    /// what the device boots from has not changed, so a reset would start the migrator again.
    /// Starts the application that the migration wrote, if it is an app in the table, else the
    /// previous firmware.
    ///
    /// # Power-fail safety
    ///
    /// That of going back: one sector of otadata is valid at every moment, and until the other is,
    /// the migrator is started and finds everything in place again.
    async fn hand_over(&mut self, job: &Job<'_>) {
        let facts = job.facts;
        let target = successor(job.migration, facts.partitions).map(|(_, partition)| partition);
        self.log.info(format_args!(
            "everything was in place already, but the bootloader started the migrator"
        ));
        let buffer = self.buffers.sector();
        let way = back::find(self.flash, self.board, facts, target, &|_| false, buffer).await;
        let taken = match way {
            Some(way) => back::take(self.flash, &way).await.map(|()| Some(way.partition)),
            None => Ok(None),
        };
        match taken {
            Ok(Some(partition)) => {
                self.log.info(format_args!("done, resetting into the app at {partition}"));
                self.board.delay_ms(FAILED_WAIT_MS).await;
            }
            Ok(None) => {
                self.log.warn(format_args!("done, but there is no other app to start"));
                self.rest().await;
            }
            Err(failure) => self.log.error(format_args!("{failure}")),
        }
    }

    /// If nothing else can be done: a long wait, and everything again.
    async fn rest(&mut self) {
        self.log.warn(format_args!(
            "the next series of attempts begins in {} minutes",
            NO_WAY_BACK_WAIT_MS / 60_000
        ));
        self.board.delay_ms(NO_WAY_BACK_WAIT_MS).await;
    }

    /// Makes the bootloader start the previous firmware, if there is one; returns whether there is.
    async fn go_back(&mut self, facts: &DeviceFacts<'_>, not_in: &[Region]) -> bool {
        let is_lost = |image: Region| not_in.iter().any(|region| region.overlaps(image));
        let way =
            back::find(self.flash, self.board, facts, None, &is_lost, self.buffers.sector()).await;
        let Some(way) = way else {
            self.log.warn(format_args!("there is no firmware to go back to"));
            return false;
        };
        if let Err(failure) = back::take(self.flash, &way).await {
            self.log.error(format_args!("{failure}"));
            return false;
        }
        self.log.info(format_args!(
            "going back to the firmware at {}, resetting; send out a migrator again when the cause \
             is fixed",
            way.partition
        ));
        self.board.delay_ms(FAILED_WAIT_MS).await;
        true
    }
}

/// Writes the plan to its memory; outside of the future, which would store it twice.
#[allow(clippy::result_large_err, reason = "as the planner has it: no allocator")]
fn make(
    room: &mut Plan,
    migration: &Migration<'_>,
    facts: &DeviceFacts<'_>,
) -> Result<(), Reasons> {
    *room = plan(migration, facts)?;
    Ok(())
}
