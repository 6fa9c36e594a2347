//! What a boot reports while it runs.

use core::fmt;

use mcuboot_format::trailer::{Flag, Magic, SwapType, TrailerState};
use mcuboot_format::{ImageRank, SwapKind};

use crate::{AreaName, StatusSource, Unbootable};

/// Something that MCUboot logs, or an important thing that it does without logging it.
///
/// It prints as in MCUboot's log, if it is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BootEvent {
    /// A trailer was read to find out whether a swap is under way.
    Trailer {
        /// Whose.
        area: AreaName,
        /// What it says.
        state: TrailerState,
    },
    /// Where the progress of a swap is looked for.
    StatusSource(StatusSource),
    /// The status area has entries after a gap. MCUboot uses those before it.
    InconsistentStatus,
    /// What the trailers ask for.
    SwapType(SwapType),
    /// A swap was interrupted and is continued.
    Resuming(SwapType),
    /// A header that is needed is missing; nothing will be swapped.
    HeadersUnreadable,
    /// The slots have sizes that cannot be swapped; nothing will be swapped.
    SlotsIncompatible,
    /// A slot has more sectors than the bootloader has room for; nothing will be swapped.
    TooManySectors {
        /// How many the slot has.
        sectors: u32,
        /// How many there may be.
        max_sectors: u32,
    },
    /// An image was refused.
    ImageInvalid {
        /// The slot that it is in.
        slot: AreaName,
        /// Why.
        why: Unbootable,
    },
    /// Swap using offset found an image at the start of the secondary, where it must not be.
    WrongUploadAddress,
    /// The secondary's image would be a downgrade, which the bootloader was built to refuse.
    Downgrade {
        /// What the primary has.
        old: ImageRank,
        /// What the secondary has.
        new: ImageRank,
    },
    /// The whole secondary slot was erased, because what was in it was refused.
    SecondaryErased,
    /// The secondary's trailer was erased, because there is no image before it.
    SecondaryTrailerErased,
    /// The primary's trailer was erased, because it asked to revert to an image that is not there.
    StuckRevertCleared,
    /// The slots are being exchanged.
    Swapping(SwapKind),
    /// There is not enough space before the trailer for the larger image and what the swap needs.
    NotEnoughSpace {
        /// What is needed, in bytes.
        needed_bytes: u32,
        /// What there is, in bytes.
        available_bytes: u32,
    },
    /// The secondary is being copied over the primary.
    Overwriting {
        /// How many bytes of it.
        len_bytes: u32,
    },
    /// The primary's image was marked as one to keep, because the one that was to replace it is
    /// invalid.
    KeptPrimary,
}

impl fmt::Display for BootEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trailer { area, state } => {
                let name = match area {
                    AreaName::Primary => "Primary image",
                    AreaName::Secondary => "Secondary image",
                    AreaName::Scratch => "Scratch",
                };
                let magic = match state.magic {
                    Magic::Good => "good",
                    Magic::Bad => "bad",
                    Magic::Unset => "unset",
                };
                let swap_type = state.swap_info.swap_type() as u8;
                let (copy_done, image_ok) = (code(state.copy_done), code(state.image_ok));
                write!(
                    f,
                    "{name}: magic={magic}, swap_type={swap_type:#x}, copy_done={copy_done:#x}, \
                     image_ok={image_ok:#x}"
                )
            }
            Self::StatusSource(source) => write!(f, "Boot source: {source}"),
            Self::InconsistentStatus => f.write_str("Detected inconsistent status!"),
            Self::SwapType(swap_type) => write!(f, "Image index: 0, Swap type: {swap_type}"),
            Self::Resuming(swap_type) => write!(f, "Resuming an interrupted {swap_type} swap"),
            Self::HeadersUnreadable => f.write_str("Failed reading image headers; Image=0"),
            Self::SlotsIncompatible => f.write_str("Cannot upgrade: slots are not compatible"),
            Self::TooManySectors { sectors, max_sectors } => write!(
                f,
                "Cannot upgrade: more sectors than allowed ({sectors}, at most {max_sectors})"
            ),
            Self::ImageInvalid { slot, why } => {
                write!(f, "Image in the {slot} is not valid! ({why})")
            }
            Self::WrongUploadAddress => f.write_str(
                "Secondary header magic detected in first sector, wrong upload address?",
            ),
            Self::Downgrade { old, new } => {
                write!(f, "Image 0 in slot 1 erased due to downgrade prevention: {}", new.version)?;
                counter(f, new)?;
                write!(f, " over {}", old.version)?;
                counter(f, old)
            }
            Self::SecondaryErased => f.write_str("Erased the whole secondary slot"),
            Self::SecondaryTrailerErased => f.write_str("Erased the secondary slot's trailer"),
            Self::StuckRevertCleared => {
                f.write_str("Cleared image 0 primary slot trailer due to stuck revert")
            }
            Self::Swapping(kind) => write!(f, "Starting swap using {kind} algorithm."),
            Self::NotEnoughSpace { needed_bytes, available_bytes } => write!(
                f,
                "Not enough free space to run swap upgrade: required {needed_bytes} bytes but only \
                 {available_bytes} are available"
            ),
            Self::Overwriting { len_bytes } => write!(
                f,
                "Image 0 copying the secondary slot to the primary slot: {len_bytes:#x} bytes"
            ),
            Self::KeptPrimary => {
                f.write_str("Kept the image in the primary slot: its replacement is not valid")
            }
        }
    }
}

/// The security counter, if there is one.
fn counter(f: &mut fmt::Formatter<'_>, rank: &ImageRank) -> fmt::Result {
    match rank.security_counter {
        Some(counter) => write!(f, " with security counter {counter}"),
        None => Ok(()),
    }
}

/// The number of the flag in MCUboot's log (`BOOT_FLAG_*`,
/// boot/bootutil/include/bootutil/bootutil_public.h).
const fn code(flag: Flag) -> u8 {
    match flag {
        Flag::Set => 1,
        Flag::Bad => 2,
        Flag::Unset => 3,
    }
}
