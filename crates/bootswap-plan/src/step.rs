//! A plan and its steps.

use core::fmt;

use flash_region::{FlashAddr, Region, SECTOR_BYTES};
use heapless::Vec;

/// Largest number of steps in a plan.
pub const MAX_STEPS: usize = 40;
/// Largest number of regions that one artifact can be split into.
pub const MAX_ROUTES: usize = 2;

/// Index of an artifact in the migration, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ArtifactIndex(pub u8);

/// How a migration is done on one device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// Every artifact is written to the destination that the migration names for it.
    #[default]
    AsNamed,
    /// The application is written to the secondary slot and MCUboot swaps it in: the primary slot
    /// keeps its contents until the new bootloader runs.
    SecondaryAndSwap,
    /// The application is written straight to the primary slot: nothing is left for MCUboot to
    /// move.
    StraightToPrimary,
    /// The migrator first moves to a partition that nothing else needs, and continues from there.
    Relocate,
}

impl Strategy {
    /// Name for `--json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsNamed => "as-named",
            Self::SecondaryAndSwap => "secondary-and-swap",
            Self::StraightToPrimary => "straight-to-primary",
            Self::Relocate => "relocate",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsNamed => "every artifact straight to its final region",
            Self::SecondaryAndSwap => "application to the secondary slot, MCUboot swaps it in",
            Self::StraightToPrimary => {
                "application straight to the primary slot, because the secondary is not free or \
                MCUboot would not install it from there"
            }
            Self::Relocate => {
                "the migrator moves first, because it runs where the target must be written or \
                where MCUboot would misread it"
            }
        })
    }
}

/// Ordered steps for one device. The last ones are the commit and the reset; or, if the migrator
/// must move first, the move and a reset, after which it plans again from its new partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// How the migration is done.
    pub strategy: Strategy,
    /// The steps, in order.
    pub steps: Vec<Step, MAX_STEPS>,
    /// A sector for checkpoints, if one is free. Checkpoints save time; correctness never depends
    /// on them.
    pub journal: Option<Region>,
}

/// One step. Each has a postcondition that can be checked in flash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Makes sure that the old bootloader starts this app again at every reset: otadata selects it,
    /// and not on trial.
    ///
    /// Postcondition: the bootloader would choose the app, and rollback would not undo that.
    Select {
        /// The otadata partition.
        otadata: Region,
        /// The app to start.
        app: App,
    },
    /// Copies the running migrator, with everything appended to it, to another partition.
    ///
    /// Postcondition: the copy equals the original.
    CopySelf {
        /// The running image, in whole sectors.
        from: Region,
        /// Where it is copied to.
        to: Place,
    },
    /// Resets the chip into the copy of the migrator, which plans again.
    ResetIntoCopy,
    /// Fetches an artifact, each part to its region, and verifies the whole.
    ///
    /// Postcondition: the regions contain the artifact, according to its digest.
    Fetch {
        /// What is fetched.
        artifact: ArtifactIndex,
        /// Where its bytes are written, in the order of the file and without gaps.
        routes: Vec<Route, MAX_ROUTES>,
    },
    /// Copies a staged artifact to its final region, which is not critical for booting.
    ///
    /// Postcondition: the destination equals the staged bytes.
    Copy {
        /// What is copied.
        artifact: ArtifactIndex,
        /// Where it is staged.
        from: Region,
        /// Its final region.
        to: Place,
    },
    /// Erases a region if it is not blank.
    ///
    /// Postcondition: the region is blank.
    Clean {
        /// What must be blank.
        region: Region,
        /// Whole sectors that may be erased for it.
        erasable: Region,
        /// Why.
        purpose: Purpose,
    },
    /// Erases the end of the scratch area if it reads as a good trailer magic.
    ///
    /// Postcondition: the area does not end in a good magic.
    CleanScratch {
        /// The scratch area.
        scratch: Region,
        /// Its last sector, or nothing if the running image is there and must not be erased.
        erasable: Region,
    },
    /// Erases the first sector of the primary slot if it begins like an MCUboot image: MCUboot
    /// would use the lengths in it for swapping the application out.
    ///
    /// Postcondition: the slot does not begin with MCUboot's magic.
    CleanHeader {
        /// The primary slot.
        slot: Region,
        /// Its first sector, or nothing if the running image is there and must not be erased.
        erasable: Region,
    },
    /// Completes MCUboot's trailer of a slot: magic, and `image_ok` set.
    ///
    /// Postcondition: the trailer reads as that of a confirmed image.
    Confirm {
        /// The slot.
        slot: Region,
    },
    /// Verifies once more, right before the commit, that an artifact is in place and follows all
    /// rules.
    Verify {
        /// What is verified.
        artifact: ArtifactIndex,
        /// Where its bytes are, in the order of the file.
        routes: Vec<Route, MAX_ROUTES>,
    },
    /// Overwrites what the ROM boots from. The point of no return.
    ///
    /// Postcondition: the destination holds the staged bytes.
    Commit {
        /// What is written.
        artifact: ArtifactIndex,
        /// Where it is staged.
        from: Target,
        /// Its final region.
        to: Place,
        /// How blank parts of it are handled.
        merge: Merge,
        /// An unused sector before the destination: if it is blank, it may be erased together with
        /// the destination, so that one block erase can replace many sector erases.
        unused: Option<Region>,
    },
    /// Makes otadata select the carrier, for good: the old bootloader starts it from the next reset
    /// on. The point of no return.
    ///
    /// Postcondition: the bootloader would choose the carrier, and rollback would not undo that.
    Host {
        /// The carrier.
        artifact: ArtifactIndex,
        /// The otadata partition.
        otadata: Region,
        /// The slot that the carrier is in.
        app: App,
    },
    /// Resets the chip into the new bootloader.
    Reset,
}

/// An app, as otadata selects it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum App {
    /// The factory app, which is started if otadata selects nothing.
    Factory,
    /// The app in an OTA slot.
    Ota {
        /// Number of the slot, from 0.
        index: u8,
        /// Number of slots.
        count: u8,
    },
}

/// A run of an artifact's bytes and the region that they are written to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// First byte of the run within the file.
    pub file_offset: u32,
    /// Where the run is written. It is at most as long as the region; the last one can be shorter.
    pub to: Target,
}

/// A place in flash or in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Flash.
    Flash(Place),
    /// Memory reserved for staging, from its first byte; at most this many bytes.
    Memory {
        /// Reserved bytes.
        len_bytes: u32,
    },
}

impl Target {
    /// Most bytes that fit.
    #[must_use]
    pub const fn len_bytes(&self) -> u32 {
        match self {
            Self::Flash(place) => place.region.len_bytes(),
            Self::Memory { len_bytes } => *len_bytes,
        }
    }
}

/// A region in flash: the bytes that may be programmed, and the sectors around them that may be
/// erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Bytes that may be programmed; starts at a sector.
    pub region: Region,
    /// Whole sectors that may be erased, because nothing in them must be kept. Contains
    /// [`Place::region`].
    pub erasable: Region,
    /// The MCUboot slot that the place is, if any. MCUboot ignores what is between the image's TLVs
    /// and the trailer, so old data may remain there.
    pub slot: Option<Region>,
    /// Whole sectors inside of it that are used for something else and must not be changed.
    pub reserved: Option<Region>,
    /// Purpose of the bytes.
    pub purpose: Purpose,
}

/// Why a region is written or erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// An artifact is staged there.
    Staging,
    /// An artifact's final region.
    Destination,
    /// A copy of the migrator.
    Relocation,
    /// MCUboot's trailer area of the slot whose application has no trailer in its file. A confirmed
    /// trailer, which the migrator writes there later, counts as clean.
    OwnTrailer,
    /// MCUboot's trailer area of the primary slot, where MCUboot would misread stale bytes as a
    /// swap in progress.
    PrimaryTrailer,
    /// MCUboot's trailer area of the secondary slot, for the same reason.
    SecondaryTrailer,
}

/// What a commit does in the blank parts of an artifact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merge {
    /// Every byte of the artifact is written.
    Exact,
    /// Sectors in which the artifact contains only 0xFF are not changed: the gaps of a merged
    /// image, under which NVS and other data are kept.
    KeepUnderBlank,
}

impl Step {
    /// The artifact of the step, if it has one.
    #[must_use]
    pub const fn artifact(&self) -> Option<ArtifactIndex> {
        match self {
            Self::Fetch { artifact, .. }
            | Self::Copy { artifact, .. }
            | Self::Verify { artifact, .. }
            | Self::Commit { artifact, .. }
            | Self::Host { artifact, .. } => Some(*artifact),
            Self::Select { .. }
            | Self::CopySelf { .. }
            | Self::ResetIntoCopy
            | Self::Clean { .. }
            | Self::CleanScratch { .. }
            | Self::CleanHeader { .. }
            | Self::Confirm { .. }
            | Self::Reset => None,
        }
    }

    /// Whether it is the point of no return, or a part of it.
    #[must_use]
    pub const fn is_commit(&self) -> bool {
        matches!(self, Self::Commit { .. } | Self::Host { .. })
    }

    /// The step in words, for console and command line; `artifact` is the name of its artifact.
    #[must_use]
    pub const fn describe<'a>(&'a self, artifact: &'a str) -> StepText<'a> {
        StepText { step: self, artifact }
    }
}

/// A step in words, from [`Step::describe`].
#[derive(Clone, Copy, Debug)]
pub struct StepText<'a> {
    step: &'a Step,
    artifact: &'a str,
}

impl fmt::Display for StepText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, artifact } = *self;
        match step {
            Step::Select { app: App::Factory, otadata } => {
                write!(f, "let the old bootloader start factory again (otadata {otadata})")
            }
            Step::Select { app: App::Ota { index, .. }, otadata } => {
                write!(f, "let the old bootloader start ota_{index} for good (otadata {otadata})")
            }
            Step::CopySelf { from, to } => {
                write!(f, "copy the migrator itself from {from} to {}", to.region)
            }
            Step::ResetIntoCopy => f.write_str("reset into the copy, which continues from there"),
            Step::Fetch { routes, .. } => {
                write!(f, "fetch {artifact} to ")?;
                list(f, routes)
            }
            Step::Copy { from, to, .. } => {
                write!(f, "copy {artifact} from {from} to {}", to.region)
            }
            Step::Clean { region, purpose, .. } => write!(f, "clean {region}, the {purpose}"),
            Step::CleanScratch { scratch, .. } => {
                write!(f, "clean the end of the scratch area {scratch}")
            }
            Step::CleanHeader { slot, .. } => {
                write!(f, "clean the header of the primary slot {slot}")
            }
            Step::Confirm { slot } => write!(f, "confirm the image in slot {slot}"),
            Step::Verify { routes, .. } => {
                write!(f, "verify {artifact} in ")?;
                list(f, routes)
            }
            Step::Commit { to, .. } => write!(f, "commit {artifact} to {}", to.region),
            Step::Host { app: App::Factory, otadata, .. } => {
                write!(f, "commit: let the old bootloader start {artifact} (otadata {otadata})")
            }
            Step::Host { app: App::Ota { index, .. }, otadata, .. } => write!(
                f,
                "commit: let the old bootloader start {artifact} in ota_{index} (otadata {otadata})"
            ),
            Step::Reset => f.write_str("reset"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, routes: &[Route]) -> fmt::Result {
    for (index, route) in routes.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        match route.to {
            Target::Flash(place) => write!(f, "{} ({})", place.region, place.purpose)?,
            Target::Memory { .. } => f.write_str("memory (staging)")?,
        }
    }
    Ok(())
}

impl Plan {
    /// What the steps may write or erase, but for otadata: what lay there before is lost.
    pub fn writes(&self) -> impl Iterator<Item = Region> + '_ {
        self.steps.iter().flat_map(|step| {
            let routes = match step {
                Step::Fetch { routes, .. } => routes.as_slice(),
                _ => &[],
            };
            let fetched = routes.iter().filter_map(|route| match route.to {
                Target::Flash(place) => Some(place.region),
                Target::Memory { .. } => None,
            });
            let other = match *step {
                Step::CopySelf { to, .. } | Step::Copy { to, .. } | Step::Commit { to, .. } => {
                    Some(to.region)
                }
                Step::Clean { region, .. } => Some(region),
                Step::CleanScratch { scratch, .. } => Some(scratch.suffix(SECTOR_BYTES)),
                Step::CleanHeader { slot, .. } => Some(slot.prefix(SECTOR_BYTES)),
                Step::Confirm { slot } => Some(slot.suffix(SECTOR_BYTES)),
                Step::Select { .. }
                | Step::ResetIntoCopy
                | Step::Fetch { .. }
                | Step::Verify { .. }
                | Step::Host { .. }
                | Step::Reset => None,
            };
            fetched.chain(other)
        })
    }

    /// The region from the first to the last byte that the commit may erase; `None` without commit.
    #[must_use]
    pub fn commit_region(&self) -> Option<Region> {
        let mut places = self.steps.iter().filter_map(|step| match step {
            Step::Commit { to, .. } => Some(to.erasable),
            _ => None,
        });
        let first = places.next()?;
        Some(places.fold(first, |all, next| {
            let start = all.start().min(next.start());
            let end = all.end().max(next.end());
            Region::new(start, end).unwrap_or(all)
        }))
    }
}

impl Place {
    /// A place that is not a slot, of which `erasable` may be erased.
    #[must_use]
    pub const fn plain(region: Region, erasable: Region, purpose: Purpose) -> Self {
        Self { region, erasable, slot: None, reserved: None, purpose }
    }

    /// Start of the place.
    #[must_use]
    pub const fn start(&self) -> FlashAddr {
        self.region.start()
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Staging => "staging",
            Self::Destination => "destination",
            Self::Relocation => "relocation",
            Self::OwnTrailer => "trailer area of the application's slot",
            Self::PrimaryTrailer => "trailer area of the primary slot",
            Self::SecondaryTrailer => "trailer area of the secondary slot",
        })
    }
}
