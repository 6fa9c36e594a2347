//! The engine's console messages.

use core::convert::Infallible;
use core::fmt;

use bootswap_plan::{Artifact, MaskedUrl, Origin, Step};
use flash_region::{Hex, Region};

use crate::{ImageFault, SourceError};

/// Something that happened. `Display` gives the line for the console; simulator and firmware print
/// the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The engine starts.
    Started {
        /// Steps of the plan.
        steps: usize,
        /// Attempts since there was progress, this one included.
        attempt: u32,
    },
    /// Earlier attempts failed, so this one starts after a while.
    Waiting {
        /// Milliseconds until then.
        wait_ms: u32,
    },
    /// A step begins.
    Step {
        /// Its number, from 1.
        number: usize,
        /// Steps of the plan.
        of: usize,
        /// The step.
        step: &'a Step,
        /// Name of its artifact, if it has one.
        artifact: Option<&'a str>,
    },
    /// The step's postcondition holds already.
    Holds,
    /// A transfer begins.
    Fetching {
        /// Artifact.
        name: &'a str,
        /// Address; `None` for an embedded artifact.
        url: Option<&'a str>,
        /// First byte that is asked for.
        offset: u32,
    },
    /// This many bytes of the artifact are in place.
    Progress {
        /// Artifact.
        name: &'a str,
        /// Bytes in place.
        done_bytes: u32,
        /// Bytes of the whole, if known.
        total_bytes: Option<u32>,
    },
    /// The rest of an artifact is known without fetching it.
    Predicted {
        /// Artifact.
        name: &'a str,
        /// Bytes that need not be fetched.
        len_bytes: u32,
    },
    /// The transfer broke; it is resumed after a wait.
    Retry {
        /// Artifact.
        name: &'a str,
        /// Why.
        cause: &'a SourceError<Infallible>,
        /// Milliseconds until then.
        wait_ms: u32,
    },
    /// What was fetched is not what it should be; it is fetched again from the start, or this ends
    /// the attempt.
    Refused {
        /// Artifact.
        name: &'a str,
        /// Why.
        fault: &'a ImageFault,
        /// What the owner can do about it, if this ends the attempt.
        advice: Option<Advice>,
    },
    /// An artifact in flash was verified by its digest and by the rules of its format.
    Verified {
        /// Artifact.
        name: &'a str,
        /// Its length in bytes.
        len_bytes: u32,
        /// SHA-256 of its bytes.
        sha256: &'a [u8; 32],
    },
    /// A region is being erased because its contents would stop MCUboot.
    Cleaning {
        /// Where.
        region: Region,
    },
    /// The commit begins: from now until [`Event::Committed`], a loss of power leaves a device that
    /// does not boot.
    Committing {
        /// What is overwritten.
        region: Region,
        /// Sectors that differ.
        sectors: u32,
    },
    /// Some of the commit did not read back; it is written again.
    Repairing {
        /// Which attempt this is, from 1.
        round: u32,
    },
    /// The commit is complete and read back.
    Committed,
    /// Otadata selects the carrier, which was the commit.
    Selected,
    /// The migrator has moved; the chip resets into the copy.
    Moving,
    /// The migration is done; the chip resets into the new bootloader.
    Resetting,
}

/// What an owner can do about a file that devices refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advice {
    /// The file that was packed is not the one that is served.
    Serve,
    /// It was not known which file would be served.
    Build,
    /// The file is embedded in the migrator.
    Pack,
}

impl Advice {
    /// The advice about an artifact.
    #[must_use]
    pub const fn about(artifact: &Artifact<'_>) -> Self {
        match (artifact.origin, artifact.sha256) {
            (Origin::Embedded, _) => Self::Pack,
            (Origin::Url(_), Some(_)) => Self::Serve,
            (Origin::Url(_), None) => Self::Build,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Serve => "put the file that was packed back on the server, or pack again",
            Self::Build => "serve a file for these devices, and name it as `file` in the migration",
            Self::Pack => "pack the migrator again",
        })
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { steps, attempt: 1 } => write!(f, "migration of {steps} steps"),
            Self::Started { steps, attempt } => {
                write!(f, "migration of {steps} steps, attempt {attempt}")
            }
            Self::Waiting { wait_ms } => write!(f, "waiting {wait_ms} ms before trying again"),
            Self::Step { number, of, step, artifact } => {
                write!(f, "[{number}/{of}] {}", step.describe(artifact.unwrap_or("")))
            }
            Self::Holds => f.write_str("      holds already"),
            Self::Fetching { name, url: Some(url), offset } => {
                write!(f, "      fetching {name} from {}", MaskedUrl(url))?;
                match offset {
                    0 => Ok(()),
                    offset => write!(f, ", from byte {offset} on"),
                }
            }
            Self::Fetching { name, url: None, .. } => {
                write!(f, "      unpacking {name} from the migrator's image")
            }
            Self::Progress { name, done_bytes, total_bytes: Some(total) } => {
                write!(f, "      {name}: {done_bytes} of {total} bytes in place")
            }
            Self::Progress { name, done_bytes, total_bytes: None } => {
                write!(f, "      {name}: {done_bytes} bytes in place")
            }
            Self::Predicted { name, len_bytes } => {
                write!(
                    f,
                    "      {name}: the last {len_bytes} bytes are padding and trailer, known by \
                     the digest"
                )
            }
            Self::Retry { name, cause, wait_ms } => {
                write!(f, "      {name}: {cause}; trying again in {wait_ms} ms")
            }
            Self::Refused { name, fault, advice } => match advice {
                None => write!(f, "      {name}: {fault}; starting it again"),
                Some(advice) => write!(f, "      {name}: {fault}; {advice}"),
            },
            Self::Verified { name, len_bytes, sha256 } => {
                let begin = Hex(sha256.first_chunk::<8>().unwrap_or(&[0; 8]));
                write!(f, "      {name}: {len_bytes} bytes verified, sha256 {begin}")
            }
            Self::Cleaning { region } => write!(f, "      erasing stale bytes at {region}"),
            Self::Committing { region, sectors } => {
                write!(
                    f,
                    "      commit window open: {sectors} sectors at {region}, power must stay on"
                )
            }
            Self::Repairing { round } => {
                write!(f, "      read back failed, writing again ({round})")
            }
            Self::Committed => f.write_str("      commit window closed: read back and equal"),
            Self::Selected => {
                f.write_str("      the old bootloader starts the carrier from the next reset on")
            }
            Self::Moving => f.write_str("moved, resetting into the copy"),
            Self::Resetting => f.write_str("done, resetting into the new bootloader"),
        }
    }
}
