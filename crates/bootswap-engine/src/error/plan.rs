//! What can be wrong with a plan, or with a step of it.

use core::fmt;

use flash_region::Region;

/// Why a plan cannot be carried out. The planner makes no such plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PlanError {
    /// The journal is not one free sector.
    Journal {
        /// Its sector in the plan.
        sector: Region,
    },
    /// A step is wrong.
    Step {
        /// Index of the step, from 0.
        index: usize,
        /// What is wrong.
        fault: StepFault,
    },
}

/// What is wrong with a step of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum StepFault {
    /// It comes after the commit, and is not a commit or a reset.
    AfterCommit,
    /// The migration does not have its artifact.
    UnknownArtifact,
    /// No step before it fetches its artifact.
    NotFetched,
    /// No step verifies its artifact.
    NotVerified,
    /// The regions of its artifact leave out bytes of the file, or do not begin at a sector of it.
    Gap,
    /// It stages more in memory than there is room for.
    Memory,
    /// A region does not consist of whole sectors.
    PartialSector,
    /// It may erase the journal.
    OverJournal,
    /// It may erase what the device boots from.
    OverBoot,
    /// A commit to a region that does not consist of whole sectors, or where the running code is.
    CommitPlace,
    /// There is no MCUboot trailer at the end of its slot or scratch area.
    NoTrailer,
    /// There are more commits than fit in one window.
    TooManyCommits,
    /// It writes or erases beyond the range of flash addresses.
    OutOfReach,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal { sector } => write!(f, "the journal at {sector} is not a free sector"),
            // The console counts from 1.
            Self::Step { index, fault } => write!(f, "step {}: {fault}", index.saturating_add(1)),
        }
    }
}

impl core::error::Error for PlanError {}

impl fmt::Display for StepFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AfterCommit => "it comes after the commit",
            Self::UnknownArtifact => "there is no such artifact",
            Self::NotFetched => "its artifact is not fetched",
            Self::NotVerified => "its artifact is never verified",
            Self::Gap => "the regions of its artifact have gaps",
            Self::Memory => "too little memory to stage in",
            Self::PartialSector => "a region does not consist of whole sectors",
            Self::OverJournal => "the journal is in its way",
            Self::OverBoot => "the device boots from its region",
            Self::CommitPlace => "it cannot commit there",
            Self::NoTrailer => "no trailer fits its slot",
            Self::TooManyCommits => "too many commits",
            Self::OutOfReach => "its region is outside of the flash or above 16 MB",
        })
    }
}

impl core::error::Error for StepFault {}
