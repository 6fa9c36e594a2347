//! The target application: what MCUboot starts, and what it does then.

use core::fmt;

use flash_region::Region;
use mcuboot_boot::RunningImage;
use mcuboot_format::espressif::LoadHeader;

/// The target application, started by MCUboot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetApp {
    /// Its image.
    pub image: RunningImage,
    /// Its load header, where the bootloader wants one.
    pub load_header: Option<LoadHeader>,
    /// Whether it is on trial.
    pub start: TargetStart,
}

impl fmt::Display for TargetApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.image, self.start)
    }
}

/// What a loader knows of a start of the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetStart {
    /// Nobody counts: there is no loader, or no trial, or no way back.
    Uncounted,
    /// The target is on trial, and this start was counted.
    Counted {
        /// Which start it is, from 1.
        number: u32,
        /// How many there are.
        of: u32,
    },
    /// It was on trial and has confirmed itself.
    Confirmed,
}

impl fmt::Display for TargetStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncounted => Ok(()),
            Self::Counted { number, of } => write!(f, ", start {number} of {of}"),
            Self::Confirmed => f.write_str(", confirmed"),
        }
    }
}

/// What a target application does at one of its starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TargetAct {
    /// It keeps running, and confirms nothing.
    Stay,
    /// It confirms itself in MCUboot's trailer (`boot_set_confirmed`), and keeps running.
    Confirm,
    /// It resets the chip.
    Reset,
    /// It goes to deep sleep and wakes, which is a reset.
    Sleep,
    /// It hangs.
    Hang {
        /// Whether it stopped the RTC watchdog before, as most systems do at their start. Then it
        /// hangs until its power is switched off.
        stopped_watchdog: bool,
    },
    /// It erases those sectors, wherever they are, fills them with noise, and crashes.
    Overwrite(Region),
}

/// A target application over its starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetLife {
    pub(crate) acts: Vec<TargetAct>,
    pub(crate) starts: u32,
}

impl TargetLife {
    /// What it does at its next start; after the last act, that act again.
    pub(crate) fn next_act(&mut self) -> TargetAct {
        let act = self.acts.get(self.starts as usize).or(self.acts.last());
        self.starts = self.starts.saturating_add(1);
        act.copied().unwrap_or(TargetAct::Stay)
    }
}
