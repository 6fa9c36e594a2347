//! What the migrator does, from start to reset.

use bootswap_config::ConfigError;
use bootswap_engine::{Buffers, Engine, Failure, Job, Source};
use bootswap_plan::{DeviceFacts, Migration, Reasons, plan};
use embedded_storage_async::nor_flash::NorFlash;

use crate::platform::Talking;
use crate::{Board, CommitWindow, Found, Log, News, back};

/// Wait before the reset after a failed attempt, so that the console can be read, in milliseconds.
const FAILED_WAIT_MS: u32 = 1000;
/// Wait before the supply is asked again whether a commit may be, in milliseconds.
const VETO_WAIT_MS: u32 = 60_000;
/// Wait between attempts to repair a bootloader that did not verify, in milliseconds.
const REPAIR_WAIT_MS: u32 = 10_000;
/// Wait before a new series of attempts where there is no firmware to go back to, in milliseconds.
const NO_WAY_BACK_WAIT_MS: u32 = 60 * 60 * 1000;
/// How often the device is looked at before it counts as unreadable.
const LOOKS: u32 = 3;

/// What the chip is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Next {
    /// Reset.
    Reset,
    /// Stay on: nothing but a person can help.
    Stay,
}

/// The migrator on its device.
#[derive(Debug)]
pub struct Migrator<'a, F, B> {
    /// The flash.
    pub flash: &'a mut F,
    /// The chip and its board.
    pub board: &'a mut B,
    /// The console.
    pub log: Log<'a>,
    /// Whether the commit window may be open, for others to see.
    pub window: &'a CommitWindow,
    /// Memory for the engine.
    pub buffers: &'a mut Buffers,
}

impl<F: NorFlash, B: Board> Migrator<'_, F, B> {
    /// Finds out about the device, plans, and carries out the plan. `memory` is what may be staged in.
    ///
    /// # Power-fail safety
    ///
    /// That of [`Engine::run`]: whatever happens before the commit, the next start does the same again
    /// from where this one got to.
    pub async fn migrate<S: Source>(
        mut self,
        migration: &Migration<'_>,
        source: &mut S,
        memory: &mut [u8],
    ) -> Next {
        let Some(found) = self.look().await else { return self.rest().await };
        let facts = found.lend(u32::try_from(memory.len()).unwrap_or(u32::MAX));
        let plan = match plan(migration, &facts) {
            Ok(plan) => plan,
            Err(reasons) => return self.refuse(&facts, &reasons).await,
        };
        self.board.hears(News::Planned(&plan));
        let job = Job { migration, facts: &facts, plan: &plan, container: found.container() };
        self.carry_out(&job, source, memory).await
    }

    /// Says why there is nothing to do, and goes back to where the migrator came from.
    ///
    /// # Power-fail safety
    ///
    /// Nothing is written but otadata, of which one sector always counts.
    pub async fn without_config(mut self, error: &ConfigError) -> Next {
        self.log.error(format_args!("{error}"));
        let Some(found) = self.look().await else { return Next::Stay };
        self.go_back(&found.lend(0)).await.unwrap_or(Next::Stay)
    }

    async fn look(&mut self) -> Option<Found> {
        let identity = self.board.identity();
        for _ in 0..LOOKS {
            match Found::on(self.flash, identity, self.buffers.sector()).await {
                Ok(found) => {
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
                    return Some(found);
                }
                Err(error) => self.log.error(format_args!("{error}")),
            }
            self.board.delay_ms(FAILED_WAIT_MS).await;
        }
        None
    }

    async fn refuse(&mut self, facts: &DeviceFacts<'_>, reasons: &Reasons) -> Next {
        for reason in reasons.iter() {
            self.log.error(format_args!("refused ({}): {reason}", reason.code()));
        }
        self.board.hears(News::Refused(reasons));
        self.go_back(facts).await.unwrap_or(Next::Stay)
    }

    /// Runs the engine until there is a reason to reset.
    async fn carry_out<S: Source>(
        &mut self,
        job: &Job<'_>,
        source: &mut S,
        memory: &mut [u8],
    ) -> Next {
        loop {
            let mut platform = Talking::new(self.board, self.log, self.window);
            let mut engine = Engine::new(self.flash, source, &mut platform, self.buffers, memory);
            let Err(failure) = engine.run(job).await else {
                return Next::Reset;
            };
            self.log.error(format_args!("{failure}"));
            self.board.hears(News::Failed(&failure));
            let is_given_up = matches!(failure, Failure::GivenUp { .. });
            if self.window.is_open() {
                // What boots the device is half written: only writing on can help, a reset cannot.
                self.board.delay_ms(REPAIR_WAIT_MS).await;
                if is_given_up {
                    self.forget_attempts(job, source).await;
                }
            } else if is_given_up {
                return self.give_up(job, source).await;
            } else {
                // A weak supply is no failed attempt, so nobody counts how often it is asked for.
                let is_veto = matches!(failure, Failure::Veto(_));
                let wait_ms = if is_veto { VETO_WAIT_MS } else { FAILED_WAIT_MS };
                self.board.delay_ms(wait_ms).await;
                return Next::Reset;
            }
        }
    }

    /// After too many attempts: back, or a long rest and a new start.
    ///
    /// # Power-fail safety
    ///
    /// The attempts are forgotten before otadata changes, so that a migrator that is delivered once more
    /// has all of them again. Power lost between the two starts a new series a little early.
    async fn give_up<S: Source>(&mut self, job: &Job<'_>, source: &mut S) -> Next {
        self.forget_attempts(job, source).await;
        if let Some(next) = self.go_back(job.facts).await {
            return next;
        }
        self.rest().await
    }

    /// Where nothing else can be done: a long rest, and everything again.
    async fn rest(&mut self) -> Next {
        self.log.warn(format_args!(
            "the next series of attempts begins in {} minutes",
            NO_WAY_BACK_WAIT_MS / 60_000
        ));
        self.board.delay_ms(NO_WAY_BACK_WAIT_MS).await;
        Next::Reset
    }

    async fn forget_attempts<S: Source>(&mut self, job: &Job<'_>, source: &mut S) {
        let mut platform = Talking::new(self.board, self.log, self.window);
        Engine::new(self.flash, source, &mut platform, self.buffers, &mut [])
            .forget_attempts(job)
            .await;
    }

    /// Lets the bootloader start the previous firmware; `None` where there is none.
    async fn go_back(&mut self, facts: &DeviceFacts<'_>) -> Option<Next> {
        let way = back::find(self.flash, self.board, facts, self.buffers.sector()).await;
        let Some(way) = way else {
            self.log.warn(format_args!("there is no firmware to go back to"));
            return None;
        };
        match back::take(self.flash, &way).await {
            Ok(()) => {
                self.log.info(format_args!(
                    "going back to the firmware at {}, resetting",
                    way.partition
                ));
                self.board.delay_ms(FAILED_WAIT_MS).await;
                Some(Next::Reset)
            }
            Err(failure) => {
                self.log.error(format_args!("{failure}"));
                None
            }
        }
    }
}
