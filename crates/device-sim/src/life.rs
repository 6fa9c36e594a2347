//! A life: boot after boot, until something stays running, nothing can, or an observer ends it.
//!
//! ```text
//!   boot ──> target, old firmware ──────────────────────────────────────────> the life is over
//!    ^ │
//!    │ ├──> reset, power lost ──> observer ──> as many boots as allowed? ──> boot loop
//!    │ │                                 │ no
//!    │ └──> failed ──> observer ──> without a write, twice in a row? ──> bricked
//!    └──────────────────────┴────────────┘ no
//! ```

use core::fmt;
use core::ops::ControlFlow;

use nor_sim::NorDevice;

use crate::{
    BootFailure, BootOutcome, Console, Device, ResetCause, RunningApp, Software, TargetApp,
};

/// How a life ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LifeOutcome {
    /// The target application runs.
    TargetRunning(TargetApp),
    /// An app of the old system runs and goes on running.
    OldFirmwareRunning(Box<RunningApp>),
    /// Nothing runs, and no further boot will change that.
    Bricked(BootFailure),
    /// As many boots as were allowed have ended in a reset or a loss of power.
    BootLoop,
    /// The observer ended the life after a boot that ended in a reset or a loss of power. The
    /// device would have booted again.
    Stopped,
}

impl LifeOutcome {
    /// Whether something runs, old or new.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        matches!(self, Self::TargetRunning(_) | Self::OldFirmwareRunning(_))
    }

    /// Whether the target application runs.
    #[must_use]
    pub const fn is_target(&self) -> bool {
        matches!(self, Self::TargetRunning(_))
    }
}

impl fmt::Display for LifeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetRunning(target) => write!(f, "target application running: {target}"),
            Self::OldFirmwareRunning(app) => write!(f, "old firmware running: {app}"),
            Self::Bricked(why) => write!(f, "bricked: {why}"),
            Self::BootLoop => f.write_str("boot loop"),
            Self::Stopped => f.write_str("stopped before its next boot"),
        }
    }
}

/// A device's life, from power on until something stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// How it ended.
    pub outcome: LifeOutcome,
    /// How often the device booted.
    pub boots: u32,
    /// How often it lost power.
    pub power_losses: u32,
    /// How often an app or the target application crashed.
    pub crashes: u32,
    /// How often the target application hung until its power was switched off.
    pub hangs: u32,
}

/// One boot of a life, after it.
#[derive(Clone, Copy, Debug)]
pub struct Boot<'a> {
    /// Which boot of the life, from 1.
    pub number: u32,
    /// How it ended.
    pub outcome: &'a BootOutcome,
    /// Erase and program operations that it made, including the one at which power was lost.
    pub ops: u64,
}

impl<D: NorDevice> Device<D> {
    /// Boots until something stays running, or nothing can, at most `max_boots` times.
    pub fn live<S: Software + ?Sized>(
        &mut self,
        max_boots: u32,
        software: &mut S,
        console: &mut dyn Console,
    ) -> Life {
        self.live_observed(max_boots, software, console, |_, _, _| ControlFlow::Continue(()))
    }

    /// Boots until something stays running, or nothing can, or the observer ends it, at most
    /// `max_boots` times.
    ///
    /// The observer is called after each boot, with the device and with the caller's [`Software`],
    /// so that it can ask the software what it has done. [`ControlFlow::Break`] ends the life: with
    /// what runs, if something does; as [bricked](LifeOutcome::Bricked) if the boot failed;
    /// otherwise as [stopped](LifeOutcome::Stopped).
    ///
    /// A boot that failed without writing is tried once more, because flash may read differently
    /// the next time. A boot that wrote before it failed has changed the flash, and is always tried
    /// again.
    pub fn live_observed<S: Software + ?Sized>(
        &mut self,
        max_boots: u32,
        software: &mut S,
        console: &mut dyn Console,
        mut observer: impl FnMut(&mut Self, &mut S, Boot<'_>) -> ControlFlow<()>,
    ) -> Life {
        let outcome = LifeOutcome::BootLoop;
        let mut life = Life { outcome, boots: 0, power_losses: 0, crashes: 0, hangs: 0 };
        let mut failed_before = false;
        while life.boots < max_boots {
            life.boots += 1;
            let ops_before = self.supply().ops();
            let outcome = self.boot(software, console);
            let ops = self.supply().ops() - ops_before;
            let boot = Boot { number: life.boots, outcome: &outcome, ops };
            let stopped = observer(self, software, boot).is_break();
            let goes_on = if stopped { LifeOutcome::Stopped } else { LifeOutcome::BootLoop };
            let mut is_over = stopped;
            let failed_again = core::mem::take(&mut failed_before);
            life.outcome = match outcome {
                BootOutcome::TargetRunning(target) => {
                    is_over = true;
                    LifeOutcome::TargetRunning(target)
                }
                BootOutcome::OldFirmwareRunning(app) => {
                    is_over = true;
                    LifeOutcome::OldFirmwareRunning(app)
                }
                BootOutcome::Reset(cause) => {
                    let crashed =
                        matches!(cause, ResetCause::Crash { .. } | ResetCause::CodeErased(_));
                    life.crashes += u32::from(crashed);
                    goes_on
                }
                BootOutcome::PowerLost(_) => {
                    life.power_losses += 1;
                    goes_on
                }
                BootOutcome::Failed(why) => {
                    life.hangs += u32::from(why == BootFailure::TargetHangs);
                    failed_before = ops == 0;
                    is_over |= failed_again && failed_before;
                    LifeOutcome::Bricked(why)
                }
            };
            if is_over {
                break;
            }
        }
        life
    }
}
