//! How a boot, and how a device's life, ends.

use core::fmt;

use nor_sim::Trip;

use crate::{Failure, RunningApp, Target};

/// Who was running.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// The mask ROM, which writes nothing.
    Rom,
    /// The ESP-IDF bootloader.
    EspIdf,
    /// An app.
    App,
    /// MCUboot.
    Mcuboot,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rom => "the ROM",
            Self::EspIdf => "the ESP-IDF bootloader",
            Self::App => "the app",
            Self::Mcuboot => "MCUboot",
        })
    }
}

/// Why a device resets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The app asked for it.
    Software,
    /// The app crashed of its own.
    Crash {
        /// What it says.
        why: String,
    },
    /// The app changed the flash that it runs from.
    CodeErased(Trip),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Software => f.write_str("software reset"),
            Self::Crash { why } => write!(f, "panic: {why}"),
            Self::CodeErased(trip) => {
                write!(f, "panic: cache error, the app's own code is gone: {trip}")
            }
        }
    }
}

/// How one boot ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BootEnd {
    /// MCUboot has started the target application.
    TargetRunning(Target),
    /// An app of the old system runs and goes on running.
    OldFirmwareRunning(Box<RunningApp>),
    /// The device resets.
    Reset(Cause),
    /// Power went.
    PowerLost(Stage),
    /// Nothing runs.
    Failed(Failure),
}

/// What became of a device.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The target application runs.
    TargetRunning(Target),
    /// An app of the old system runs and goes on running.
    OldFirmwareRunning(Box<RunningApp>),
    /// Nothing runs, and no further boot will change that.
    Bricked(Failure),
    /// As many boots as were allowed have ended in a reset or a loss of power.
    BootLoop,
}

impl Outcome {
    /// Whether something runs, be it old or new.
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

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetRunning(target) => write!(f, "target application running: {target}"),
            Self::OldFirmwareRunning(app) => write!(f, "old firmware running: {app}"),
            Self::Bricked(why) => write!(f, "bricked: {why}"),
            Self::BootLoop => f.write_str("boot loop"),
        }
    }
}

/// A device's life from power on until something stays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// What became of it.
    pub outcome: Outcome,
    /// How often it booted.
    pub boots: u32,
    /// How often it lost power.
    pub power_losses: u32,
    /// How often an app crashed.
    pub crashes: u32,
}
