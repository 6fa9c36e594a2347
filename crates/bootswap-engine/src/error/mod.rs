//! Why a migration ended early.

mod flash;
mod image;
mod plan;

use core::convert::Infallible;
use core::fmt;

use bootswap_plan::{Artifact, ArtifactIndex};
use flash_region::{FlashAddr, Region};

pub use flash::{FlashFailure, FlashOp};
pub use image::ImageFault;
pub use plan::{PlanError, StepFault};

use crate::{SourceError, Veto};

/// Why a migration ended early. The device still boots the migrator, or the old firmware, unless
/// the failure is [`Failure::Commit`].
///
/// `E` is the flash driver's error. `A` says which artifact it is about: its index in steps, or the
/// name that the owner gave it, `&str`, in the result of [`Engine::run`](crate::Engine::run).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure<E, A = ArtifactIndex> {
    /// The flash reports an error, even after retries.
    Flash(FlashFailure<E>),
    /// A sector cannot be written correctly, although the driver reports no error.
    Stuck {
        /// The sector.
        sector: FlashAddr,
    },
    /// An artifact could not be fetched, even after retries.
    Source {
        /// The artifact.
        artifact: A,
        /// The last error.
        cause: SourceError<Infallible>,
    },
    /// An artifact is not what it should be, even after it was fetched again.
    Image {
        /// The artifact.
        artifact: A,
        /// What is wrong.
        fault: ImageFault,
    },
    /// Bytes that must stay would be lost.
    InUse {
        /// Their region.
        region: Region,
    },
    /// A region that must be blank or marked is neither, and must not be erased.
    Unclean {
        /// The region.
        region: Region,
    },
    /// The plan is not for this device, or needs something that the engine was not given.
    Plan(PlanError),
    /// The platform does not allow the commit to start.
    Veto(Veto),
    /// Too many attempts without progress; the device goes back to the old firmware.
    GivenUp {
        /// Attempts without progress.
        attempts: u32,
    },
    /// The new bootloader cannot be written correctly. The device **must not be reset**: it would
    /// not boot.
    Commit {
        /// First address that differs.
        at: FlashAddr,
    },
    /// The public key of the target bootloader cannot be used.
    Key,
    /// Otadata has no entry left for the app that should be started.
    Otadata {
        /// Its region.
        region: Region,
    },
}

impl<E, A> Failure<E, A> {
    /// The failure's number, as in reports from devices. Never reordered.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Flash(_) => 1,
            Self::Stuck { .. } => 2,
            Self::Source { .. } => 3,
            Self::Image { .. } => 4,
            Self::InUse { .. } => 5,
            Self::Unclean { .. } => 6,
            Self::Plan(_) => 7,
            Self::Veto(_) => 8,
            Self::GivenUp { .. } => 9,
            Self::Commit { .. } => 10,
            Self::Key => 11,
            Self::Otadata { .. } => 12,
        }
    }

    /// Whether the device may be reset: always, except after a commit that did not verify.
    #[must_use]
    pub const fn may_reset(&self) -> bool {
        !matches!(self, Self::Commit { .. })
    }

    /// The same failure, with another type for the artifact.
    #[must_use]
    pub fn map_artifact<B>(self, name: impl FnOnce(A) -> B) -> Failure<E, B> {
        match self {
            Self::Flash(failure) => Failure::Flash(failure),
            Self::Stuck { sector } => Failure::Stuck { sector },
            Self::Source { artifact, cause } => Failure::Source { artifact: name(artifact), cause },
            Self::Image { artifact, fault } => Failure::Image { artifact: name(artifact), fault },
            Self::InUse { region } => Failure::InUse { region },
            Self::Unclean { region } => Failure::Unclean { region },
            Self::Plan(error) => Failure::Plan(error),
            Self::Veto(veto) => Failure::Veto(veto),
            Self::GivenUp { attempts } => Failure::GivenUp { attempts },
            Self::Commit { at } => Failure::Commit { at },
            Self::Key => Failure::Key,
            Self::Otadata { region } => Failure::Otadata { region },
        }
    }
}

impl<E> Failure<E> {
    /// The same failure, with the name of the artifact, which is one of these.
    pub(crate) fn named<'j>(self, artifacts: &'j [Artifact<'j>]) -> Failure<E, &'j str> {
        let name = |ArtifactIndex(index)| artifacts.get(usize::from(index)).map(|found| found.name);
        self.map_artifact(|artifact| name(artifact).unwrap_or_default())
    }
}

impl<E, A> From<FlashFailure<E>> for Failure<E, A> {
    fn from(failure: FlashFailure<E>) -> Self {
        Self::Flash(failure)
    }
}

impl<E, A> From<PlanError> for Failure<E, A> {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl<E: fmt::Debug, A: fmt::Display> fmt::Display for Failure<E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(failure) => failure.fmt(f),
            Self::Stuck { sector } => write!(
                f,
                "the sector at {sector} cannot be written correctly; the flash may be worn out"
            ),
            Self::Source { artifact, cause } => {
                write!(f, "{artifact} could not be fetched: ")?;
                fmt::Display::fmt(cause, f)
            }
            Self::Image { artifact, fault } => write!(f, "{artifact} is not usable: {fault}"),
            Self::InUse { region } => write!(f, "{region} is in use and must not be written"),
            Self::Unclean { region } => {
                write!(f, "{region} holds old bytes that would stop MCUboot, and cannot be erased")
            }
            Self::Plan(error) => {
                f.write_str("the plan cannot be carried out: ")?;
                error.fmt(f)
            }
            Self::Veto(veto) => write!(f, "the commit did not start: {veto}"),
            Self::GivenUp { attempts } => {
                write!(f, "given up after {attempts} attempts without progress")
            }
            Self::Commit { at } => write!(
                f,
                "the bootloader cannot be written correctly at {at}; do not reset, the device \
                would not boot"
            ),
            Self::Key => {
                f.write_str("the bootloader's public key is of a kind that this build cannot check")
            }
            Self::Otadata { region } => write!(f, "otadata at {region} cannot select the app"),
        }
    }
}

impl<E: fmt::Debug, A: fmt::Debug + fmt::Display> core::error::Error for Failure<E, A> {}

#[cfg(test)]
mod tests;
