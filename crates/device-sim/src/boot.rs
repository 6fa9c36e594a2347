//! How a boot ends.

use core::fmt;

use nor_sim::Trip;

use crate::{BootFailure, RunningApp, TargetApp};

/// What was running.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BootStage {
    /// The mask ROM, which writes nothing.
    Rom,
    /// The ESP-IDF bootloader.
    EspIdf,
    /// An app.
    App,
    /// The loader of a carrier or first stage.
    Loader,
    /// MCUboot.
    Mcuboot,
    /// The target application.
    Target,
}

impl fmt::Display for BootStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rom => "the ROM",
            Self::EspIdf => "the ESP-IDF bootloader",
            Self::App => "the app",
            Self::Loader => "the loader",
            Self::Mcuboot => "MCUboot",
            Self::Target => "the target application",
        })
    }
}

/// Why a device resets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResetCause {
    /// The app, the loader or the target application asked for it.
    Software,
    /// The app or the target application crashed.
    Crash {
        /// Its message.
        why: String,
    },
    /// The app changed the flash that it runs from.
    CodeErased(Trip),
    /// The RTC watchdog, which the loader had started.
    Watchdog,
    /// The end of deep sleep.
    Wake,
}

impl fmt::Display for ResetCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Software => f.write_str("software reset"),
            Self::Crash { why } => write!(f, "panic: {why}"),
            Self::CodeErased(trip) => {
                write!(f, "panic: cache error, the app's own code is gone: {trip}")
            }
            Self::Watchdog => f.write_str("RTC watchdog"),
            Self::Wake => f.write_str("deep sleep"),
        }
    }
}

/// How one boot ends.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BootOutcome {
    /// MCUboot has started the target application.
    TargetRunning(TargetApp),
    /// An app of the old system runs and goes on running.
    OldFirmwareRunning(Box<RunningApp>),
    /// The device resets.
    Reset(ResetCause),
    /// Power was lost.
    PowerLost(BootStage),
    /// Nothing runs.
    Failed(BootFailure),
}
