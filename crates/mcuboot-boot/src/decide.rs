//! What MCUboot concludes from the trailers alone.
//!
//! There are two tables. In each, the first row that fits decides:
//!
//! ```text
//! swap type        primary                         secondary
//!                  magic  image_ok  copy_done      magic  image_ok  copy_done
//! revert, offset   any    any       any            good   unset     set
//! test             any    any       any            good   unset     any
//! perm             any    any       any            good   set       any
//! revert           good   unset     set            any    any       any
//! none             otherwise
//!
//! status source    primary                         scratch
//! none             good             set            not good
//! primary          good             unset          not good
//! scratch          any              any            good
//! primary          unset            unset          any
//! none             otherwise
//! ```
//!
//! The second table is that of swap using scratch. Because of its fourth row, stale bytes matter in
//! the status area of a primary that never held an MCUboot image: an erased trailer does not mean
//! "no swap".
//!
//! From boot/bootutil/src/bootutil_public.c (`boot_swap_tables`), swap_scratch.c
//! (`boot_status_tables`), swap_move.c and swap_offset.c (`swap_status_source`); docs/design.md,
//! "New swaps" and "Reset recovery".

use core::fmt;

use mcuboot_format::SwapKind;
use mcuboot_format::trailer::{Flag, Magic, SwapType, TrailerState};

/// The swap that the trailers of the two slots ask for, without a look at the images
/// (`boot_swap_type_multi`, boot/bootutil/src/bootutil_public.c).
///
/// A bootloader that only overwrites uses the same table.
#[must_use]
pub fn swap_type(swap: SwapKind, primary: &TrailerState, secondary: &TrailerState) -> SwapType {
    if secondary.magic == Magic::Good {
        match (secondary.image_ok, secondary.copy_done) {
            (Flag::Unset, Flag::Set) if swap == SwapKind::Offset => return SwapType::Revert,
            (Flag::Unset, _) => return SwapType::Test,
            (Flag::Set, _) => return SwapType::Permanent,
            (Flag::Bad, _) => {}
        }
    }
    match primary {
        TrailerState {
            magic: Magic::Good, image_ok: Flag::Unset, copy_done: Flag::Set, ..
        } => SwapType::Revert,
        _ => SwapType::None,
    }
}

/// Which trailer holds the progress of a swap, if one may be under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StatusSource {
    /// No swap is under way.
    None,
    /// The scratch area's.
    Scratch,
    /// The primary slot's.
    Primary,
}

impl fmt::Display for StatusSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Scratch => "scratch",
            Self::Primary => "primary slot",
        })
    }
}

/// Where swap using scratch looks for an interrupted swap.
#[must_use]
pub(crate) fn status_source_scratch(
    primary: &TrailerState,
    scratch: &TrailerState,
) -> StatusSource {
    match (scratch.magic, primary.magic, primary.copy_done) {
        (Magic::Good, _, _) => StatusSource::Scratch,
        (_, Magic::Good, Flag::Unset) | (_, Magic::Unset, Flag::Unset) => StatusSource::Primary,
        _ => StatusSource::None,
    }
}

/// Where swap using move and swap using offset look for an interrupted swap.
#[must_use]
pub(crate) fn status_source_in_place(
    primary: &TrailerState,
    secondary: &TrailerState,
) -> StatusSource {
    match (primary.magic, primary.copy_done, secondary.magic) {
        (Magic::Good, Flag::Unset, Magic::Bad | Magic::Unset) => StatusSource::Primary,
        _ => StatusSource::None,
    }
}
