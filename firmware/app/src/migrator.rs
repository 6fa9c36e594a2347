//! What the migrator does, from start to reset.

use core::fmt;

use bootswap_engine::{Buffers, Engine, Failure, Job, Source};
use bootswap_plan::{DeviceFacts, Migration, Reasons, plan};
use embedded_storage_async::nor_flash::NorFlash;

use crate::platform::Talking;
use crate::{Board, Found, Log, back, commit};

/// Wait before the reset after a failed attempt, so that the console can be read, in milliseconds.
const FAILED_WAIT_MS: u32 = 1000;
/// Wait between attempts to repair a bootloader that did not verify, in milliseconds.
const REPAIR_WAIT_MS: u32 = 10_000;
/// Wait before a new series of attempts where there is no firmware to go back to, in milliseconds.
const NO_WAY_BACK_WAIT_MS: u32 = 60 * 60 * 1000;

/// What the chip is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Next {
    /// Reset.
    Reset,
    /// Stay on, and tell whoever comes to look.
    Stay,
}

/// The migrator, put together.
#[derive(Debug)]
pub struct Migrator<'a, F, S, B> {
    /// The flash.
    pub flash: &'a mut F,
    /// Where artifacts come from.
    pub source: &'a mut S,
    /// The chip and its board.
    pub board: &'a mut B,
    /// The console.
    pub log: Log<'a>,
    /// What the owner wants.
    pub migration: &'a Migration<'a>,
    /// Memory for the engine.
    pub buffers: &'a mut Buffers,
    /// Memory that the plan may stage in.
    pub memory: &'a mut [u8],
}

impl<F: NorFlash, S: Source, B: Board> Migrator<'_, F, S, B> {
    /// Finds out about the device, plans, and carries out the plan.
    ///
    /// # Power-fail safety
    ///
    /// That of [`Engine::run`]: whatever happens before the commit, the next start does the same again
    /// from where this one got to.
    pub async fn run(mut self) -> Next {
        let identity = self.board.identity();
        let found = match Found::on(self.flash, identity, self.buffers.sector()).await {
            Ok(found) => found,
            Err(error) => {
                self.log.error(format_args!("{error}"));
                return Next::Stay;
            }
        };
        let memory_len_bytes = u32::try_from(self.memory.len()).unwrap_or(u32::MAX);
        let facts = found.lend(memory_len_bytes);
        self.introduce(&found, &facts);
        let plan = match plan(self.migration, &facts) {
            Ok(plan) => plan,
            Err(reasons) => return self.refuse(&facts, &reasons).await,
        };
        let job = Job {
            migration: self.migration,
            facts: &facts,
            plan: &plan,
            container: found.container(),
        };
        self.carry_out(&job).await
    }

    fn introduce(&self, found: &Found, facts: &DeviceFacts<'_>) {
        let flash_mb = facts.flash_len_bytes >> 20;
        match found.running() {
            Some(p) => self.log.info(format_args!(
                "migrator on {}, {flash_mb} MB of flash, running from {} at {}",
                facts.chip, p.label, p.region
            )),
            None => {
                self.log.info(format_args!("migrator on {}, {flash_mb} MB of flash", facts.chip))
            }
        }
    }

    async fn refuse(&mut self, facts: &DeviceFacts<'_>, reasons: &Reasons) -> Next {
        for reason in reasons.iter() {
            self.log.error(format_args!("refused ({}): {reason}", reason.code()));
        }
        self.go_back(facts).await.unwrap_or(Next::Stay)
    }

    /// Runs the engine until there is a reason to reset or to stay.
    async fn carry_out(&mut self, job: &Job<'_>) -> Next {
        loop {
            let mut platform = Talking::new(self.board, self.log);
            let mut engine =
                Engine::new(self.flash, self.source, &mut platform, self.buffers, self.memory);
            let Err(failure) = engine.run(job).await else {
                return Next::Reset;
            };
            self.log.error(format_args!("{failure}"));
            let is_given_up = matches!(failure, Failure::GivenUp { .. });
            if commit::is_open() {
                // What boots the device is half written: only writing on can help, a reset cannot.
                self.board.delay_ms(REPAIR_WAIT_MS).await;
                if is_given_up {
                    self.forget_attempts(job).await;
                }
            } else if is_given_up {
                return self.give_up(job).await;
            } else {
                self.board.delay_ms(FAILED_WAIT_MS).await;
                return Next::Reset;
            }
        }
    }

    async fn forget_attempts(&mut self, job: &Job<'_>) {
        let mut platform = Talking::new(self.board, self.log);
        Engine::new(self.flash, self.source, &mut platform, self.buffers, self.memory)
            .forget_attempts(job)
            .await;
    }

    /// After too many attempts: back, or a long rest and a new start.
    async fn give_up(&mut self, job: &Job<'_>) -> Next {
        if let Some(next) = self.go_back(job.facts).await {
            return next;
        }
        self.log.warn(format_args!(
            "there is no firmware to go back to; a new series of attempts begins in {} minutes",
            NO_WAY_BACK_WAIT_MS / 60_000
        ));
        self.board.delay_ms(NO_WAY_BACK_WAIT_MS).await;
        self.forget_attempts(job).await;
        Next::Reset
    }

    /// Lets the bootloader start the previous firmware; `None` where there is none.
    async fn go_back(&mut self, facts: &DeviceFacts<'_>) -> Option<Next> {
        let way = back::find(self.flash, self.board, facts, self.buffers.sector()).await?;
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

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "resetting",
            Self::Stay => "staying on",
        })
    }
}
