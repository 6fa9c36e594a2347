//! What follows an image in its slot.

use alloc::vec::Vec;

use flash_region::{ERASED, FlashAddr, Region, SECTOR_BYTES};

use super::SignError;
use crate::bytes::put;
use crate::trailer::{FLAG_SET, Magic, TrailerConfig, TrailerLayout, TrailerState};
use crate::{SlotLimits, SwapKind};

/// How an image is filled up to the length of its slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Padding {
    /// Not at all: MCUboot ignores the image until a trailer is written.
    #[default]
    None,
    /// With a trailer that makes MCUboot try the image once (`--pad`).
    Pending,
    /// With a trailer that makes MCUboot keep the image (`--confirm`). For a bootloader that
    /// overwrites it is the same as [`Pending`](Self::Pending), and imgtool writes the same bytes.
    Confirmed,
}

/// Fills an image that is not padded yet up to the length of its slot.
///
/// # Errors
/// [`SignError::TooLong`] where the image leaves no room for the trailer, also if `padding` is
/// none, and [`SignError::Trailer`].
pub fn pad(
    image: &mut Vec<u8>,
    slot_len_bytes: u32,
    config: TrailerConfig,
    padding: Padding,
) -> Result<(), SignError> {
    let layout = layout(slot_len_bytes, config)?;
    let max_len_bytes = SlotLimits::new(&layout, &layout, SECTOR_BYTES).max_image_len_bytes;
    let len_bytes = checked_len(image.len())?;
    if len_bytes > max_len_bytes {
        return Err(SignError::TooLong { len_bytes: image.len(), max_len_bytes });
    }
    let state = match padding {
        Padding::None => return Ok(()),
        Padding::Confirmed if config.swap != SwapKind::Overwrite => TrailerState::CONFIRMED,
        Padding::Pending | Padding::Confirmed => TrailerState::PENDING,
    };
    let len = image.len();
    image.resize(len + (slot_len_bytes - len_bytes) as usize, ERASED);
    // The padding has room for the trailer, because the image ends before it.
    let tail = image.get_mut(len..).unwrap_or_default();
    Ok(state.emit(&layout, tail)?)
}

/// Confirms an image that is padded: sets image ok in the trailer at its end.
///
/// # Errors
/// [`SignError::NotPadded`] where the image does not end in a good magic for `config`, and
/// [`SignError::Trailer`].
pub fn confirm(slot: &mut [u8], config: TrailerConfig) -> Result<(), SignError> {
    let layout = layout(checked_len(slot.len())?, config)?;
    let magic = TrailerState::parse(&layout, slot)?.magic;
    if magic != Magic::Good {
        return Err(SignError::NotPadded { magic });
    }
    let offset = layout.image_ok().bytes_since(layout.slot().start());
    put(slot, offset as usize, &[FLAG_SET]).ok_or(SignError::NotPadded { magic })
}

fn layout(slot_len_bytes: u32, config: TrailerConfig) -> Result<TrailerLayout, SignError> {
    let slot = Region::clamped(FlashAddr::ZERO, slot_len_bytes);
    Ok(TrailerLayout::new(slot, config)?)
}

pub(super) fn checked_len(len: usize) -> Result<u32, SignError> {
    let max_len_bytes = u32::MAX;
    u32::try_from(len).map_err(|_| SignError::TooLong { len_bytes: len, max_len_bytes })
}
