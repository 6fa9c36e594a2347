//! What a device boots if power is lost during a step.
//!
//! ```text
//!   select   copy-self  select copy  reset     |  fetch ... verify     commit     reset
//!   migrator or  |      migrator     |  copy   |       migrator        nothing    new bootloader
//!   previous     '--------- or copy -'         |                       host: migrator
//!                                              |                       or new bootloader
//! ```

use core::fmt;

use esp_idf_format::partition::Label;
use flash_region::Region;

use crate::facts::DeviceFacts;
use crate::step::{Plan, Step, Strategy};

/// What the device boots if power is lost during a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WayBack {
    /// The migrator, which continues where it was.
    Migrator {
        /// Partition that it runs from.
        label: Label,
    },
    /// The migrator; or the previous firmware, as long as the old bootloader has the migrator on
    /// trial.
    MigratorOrPrevious {
        /// Partition that the migrator runs from.
        label: Label,
    },
    /// The migrator or its copy, whichever otadata selects by then. Either continues.
    MigratorOrCopy {
        /// Partition that the migrator runs from.
        label: Label,
        /// Partition that the copy is in.
        copy: Label,
    },
    /// The migrator's copy, which continues.
    Copy {
        /// Partition that the copy is in.
        label: Label,
    },
    /// Nothing: this is the commit window.
    None,
    /// The migrator, which continues; or, as soon as otadata selects it, the carrier with the new
    /// bootloader.
    MigratorOrCarrier {
        /// Partition that the migrator runs from.
        label: Label,
        /// What the new bootloader finds.
        strategy: Strategy,
    },
    /// The new bootloader, which has everything that it needs.
    NewBootloader {
        /// What it finds.
        strategy: Strategy,
    },
}

impl WayBack {
    /// The code, as `--json` prints it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Migrator { .. } => "migrator",
            Self::MigratorOrPrevious { .. } => "migrator-or-previous",
            Self::MigratorOrCopy { .. } => "migrator-or-copy",
            Self::Copy { .. } => "copy",
            Self::None => "none",
            Self::MigratorOrCarrier { .. } => "migrator-or-new-bootloader",
            Self::NewBootloader { .. } => "new-bootloader",
        }
    }
}

impl fmt::Display for WayBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migrator { label } => write!(f, "boots this migrator again, from {label}"),
            Self::MigratorOrPrevious { label } => write!(
                f,
                "boots this migrator again, from {label}, or the previous firmware while the \
                migrator is on trial"
            ),
            Self::MigratorOrCopy { label, copy } => {
                write!(f, "boots this migrator again, from {label} or as the copy in {copy}")
            }
            Self::Copy { label } => write!(f, "boots the migrator's copy, from {label}"),
            Self::None => f.write_str("none: this is the commit window"),
            Self::MigratorOrCarrier { label, strategy } => {
                let strategy = *strategy;
                write!(
                    f,
                    "boots this migrator again, from {label}, or already the carrier: {}",
                    Self::NewBootloader { strategy }
                )
            }
            Self::NewBootloader { strategy: Strategy::SecondaryAndSwap } => {
                f.write_str("MCUboot boots and swaps the application in")
            }
            Self::NewBootloader { strategy: Strategy::StraightToPrimary } => {
                f.write_str("MCUboot boots and starts the application")
            }
            Self::NewBootloader { strategy: Strategy::AsNamed | Strategy::Relocate } => {
                f.write_str("the new bootloader boots")
            }
        }
    }
}

impl Plan {
    /// The way back during each of the steps, in their order, on the device of `facts`.
    pub fn ways_back(&self, facts: &DeviceFacts<'_>) -> impl Iterator<Item = WayBack> {
        let label = label_of(facts, facts.running);
        let copied = self.steps.iter().enumerate().find_map(|(index, step)| match step {
            Step::CopySelf { to, .. } => Some((index, label_of(facts, to.region))),
            _ => None,
        });
        let first = self.steps.iter().position(Step::is_commit);
        let commits = first.zip(self.steps.iter().rposition(Step::is_commit));
        let strategy = self.strategy;
        self.steps.iter().enumerate().map(move |(index, step)| match (step, commits, copied) {
            (Step::Host { .. }, ..) => WayBack::MigratorOrCarrier { label, strategy },
            (_, Some((first, last)), _) if (first..=last).contains(&index) => WayBack::None,
            (_, Some((_, last)), _) if index > last => WayBack::NewBootloader { strategy },
            (Step::Select { .. }, _, Some((at, copy))) if index > at => {
                WayBack::MigratorOrCopy { label, copy }
            }
            (Step::Select { .. }, ..) => WayBack::MigratorOrPrevious { label },
            (Step::ResetIntoCopy, _, Some((_, label))) => WayBack::Copy { label },
            _ => WayBack::Migrator { label },
        })
    }
}

/// The label of the app partition that starts where `region` does; empty if there is none.
fn label_of(facts: &DeviceFacts<'_>, region: Region) -> Label {
    let mut apps = facts.partitions.iter().filter(|p| p.is_app());
    apps.find(|p| p.region.start() == region.start()).map(|p| p.label).unwrap_or_default()
}

#[cfg(test)]
mod tests;
