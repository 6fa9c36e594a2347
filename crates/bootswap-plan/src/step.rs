//! A plan and its steps.

use core::fmt;

use flash_region::{FlashAddr, Region};
use heapless::Vec;

/// Most steps that a plan can have.
pub const MAX_STEPS: usize = 40;
/// Most places among which one artifact can be divided.
pub const MAX_ROUTES: usize = 2;

/// Which artifact of the migration, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ArtifactIndex(pub u8);

/// How a migration is done on one device.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Strategy {
    /// Every artifact goes to the place that the migration names for it.
    #[default]
    AsNamed,
    /// The application goes to the secondary slot and MCUboot swaps it in: the primary slot keeps
    /// what it holds until the new bootloader runs.
    SecondaryAndSwap,
    /// The application goes straight to the primary slot: nothing is left for MCUboot to move.
    StraightToPrimary,
    /// The migrator moves to a partition where nothing else has to go, and goes on from there.
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
            Self::AsNamed => "every artifact straight to its place",
            Self::SecondaryAndSwap => "application to the secondary slot, MCUboot swaps it in",
            Self::StraightToPrimary => {
                "application straight to the primary slot, because the secondary is not free or \
                 MCUboot would not take it from there"
            }
            Self::Relocate => {
                "the migrator moves first, because it runs where the target has to go or MCUboot \
                 would stumble over it"
            }
        })
    }
}

/// Ordered steps for one device. The last ones are the commit and the reset; or, where the migrator
/// has to move first, the move and a reset, after which it plans again from its new place.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// How the migration is done.
    pub strategy: Strategy,
    /// What to do, in this order.
    pub steps: Vec<Step, MAX_STEPS>,
    /// A sector for checkpoints, where one is free. Checkpoints save time; correctness never
    /// depends on them.
    pub journal: Option<Region>,
}

/// One thing to do. Each has a postcondition that can be checked in flash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Makes sure that the old bootloader starts this app again at every reset: otadata selects it,
    /// and not on trial.
    ///
    /// Postcondition: the bootloader would choose the app, and rollback would not undo that.
    Select {
        /// The otadata partition.
        otadata: Region,
        /// What is to be started.
        app: App,
    },
    /// Copies the running migrator, with all that is appended to it, to another partition.
    ///
    /// Postcondition: the copy equals the original.
    CopySelf {
        /// The running image, in whole sectors.
        from: Region,
        /// Where it goes.
        to: Place,
    },
    /// Resets the chip into the copy of the migrator, which plans anew.
    ResetIntoCopy,
    /// Fetches an artifact, each part to its place, and verifies the whole.
    ///
    /// Postcondition: the places hold the artifact, by its digest.
    Fetch {
        /// What is fetched.
        artifact: ArtifactIndex,
        /// Where its bytes go, in the order of the file and without gap.
        routes: Vec<Route, MAX_ROUTES>,
    },
    /// Copies a staged artifact to its destination, which is not critical for booting.
    ///
    /// Postcondition: the destination equals the staged bytes.
    Copy {
        /// What is copied.
        artifact: ArtifactIndex,
        /// Where it waits.
        from: Region,
        /// Where it ends.
        to: Place,
    },
    /// Erases a region where it is not blank.
    ///
    /// Postcondition: the region is blank.
    Clean {
        /// What is to be blank.
        region: Region,
        /// Whole sectors that may be erased for it.
        erasable: Region,
        /// Why.
        purpose: Purpose,
    },
    /// Erases the end of the scratch area where it reads as a good trailer magic.
    ///
    /// Postcondition: the area does not end in a good magic.
    CleanScratch {
        /// The scratch area.
        scratch: Region,
        /// Its last sector, or nothing where the running image lies there and must not be erased.
        erasable: Region,
    },
    /// Erases the first sector of the primary slot where it begins like an MCUboot image:
    /// MCUboot would take the lengths in it for those of the application to be swapped out.
    ///
    /// Postcondition: the slot does not begin with MCUboot's magic.
    CleanHeader {
        /// The primary slot.
        slot: Region,
        /// Its first sector, or nothing where the running image lies there and must not be erased.
        erasable: Region,
    },
    /// Completes MCUboot's trailer of a slot: magic, and `image_ok` set.
    ///
    /// Postcondition: the trailer reads as that of a confirmed image.
    Confirm {
        /// The slot.
        slot: Region,
    },
    /// Verifies once more, right before the commit, that an artifact is in place and keeps all
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
        /// Where it waits.
        from: Target,
        /// Where it goes.
        to: Place,
        /// What happens to gaps in it.
        merge: Merge,
        /// A sector before the destination that is not used: if it is blank, it may be erased along
        /// with the destination, so that one block erase is enough for many sectors.
        unused: Option<Region>,
    },
    /// Resets the chip into the new bootloader.
    Reset,
}

/// An app, as otadata names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum App {
    /// The factory app, which is started where otadata names nothing.
    Factory,
    /// The app in an OTA slot.
    Ota {
        /// Which slot, from 0.
        index: u8,
        /// How many there are.
        count: u8,
    },
}

/// A run of an artifact's bytes and the place where they go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// First byte of the run within the file.
    pub file_offset: u32,
    /// Where it goes. The run is at most as long as the place; the last one can be shorter.
    pub to: Target,
}

/// A place in flash or in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// Flash.
    Flash(Place),
    /// Memory set aside for staging, from its first byte; at most this many bytes.
    Memory {
        /// Bytes set aside.
        len_bytes: u32,
    },
}

impl Target {
    /// Most bytes that the place takes.
    #[must_use]
    pub const fn len_bytes(&self) -> u32 {
        match self {
            Self::Flash(place) => place.region.len_bytes(),
            Self::Memory { len_bytes } => *len_bytes,
        }
    }
}

/// A place in flash: the bytes that may be programmed, and around them what may be erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Bytes that may be programmed; starts at a sector.
    pub region: Region,
    /// Whole sectors that may be erased, because nothing in them is to be kept. Contains
    /// [`Place::region`].
    pub erasable: Region,
    /// MCUboot slot that the place is, if so. What lies between the image's TLVs and the trailer
    /// means nothing to MCUboot, so old data may stay there.
    pub slot: Option<Region>,
    /// Whole sectors inside that are in use for something else and must not be touched.
    pub reserved: Option<Region>,
    /// What the bytes are there for.
    pub purpose: Purpose,
}

/// Why a region is written or erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// An artifact waits there.
    Staging,
    /// An artifact ends there.
    Destination,
    /// A copy of the migrator ends there.
    Relocation,
    /// MCUboot's trailer area of the slot that the application goes to without a trailer of its
    /// own. A confirmed trailer, which the migrator writes there later, counts as clean.
    OwnTrailer,
    /// MCUboot's trailer area of the primary slot, where stale bytes would be taken for a swap
    /// under way.
    PrimaryTrailer,
    /// MCUboot's trailer area of the secondary slot, likewise.
    SecondaryTrailer,
}

/// What a commit does where the artifact is blank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merge {
    /// Every byte of the artifact counts.
    Exact,
    /// Sectors in which the artifact has nothing but 0xFF are not changed: the gaps of a merged
    /// image, in which NVS and other data are kept.
    KeepUnderBlank,
}

impl Step {
    /// The artifact that the step is about, if it is about one.
    #[must_use]
    pub const fn artifact(&self) -> Option<ArtifactIndex> {
        match self {
            Self::Fetch { artifact, .. }
            | Self::Copy { artifact, .. }
            | Self::Verify { artifact, .. }
            | Self::Commit { artifact, .. } => Some(*artifact),
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
            Step::ResetIntoCopy => f.write_str("reset into the copy, which goes on from there"),
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
    /// A place that may be erased as a whole and is not a slot.
    #[must_use]
    pub const fn plain(region: Region, erasable: Region, purpose: Purpose) -> Self {
        Self { region, erasable, slot: None, reserved: None, purpose }
    }

    /// Where the place begins.
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
