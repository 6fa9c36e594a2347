//! What of a flash can be reached at all.

use core::fmt;

use crate::{FlashAddr, Region};

/// Bytes that commands with addresses of 24 bits reach: those that the ROMs' functions send. A
/// larger flash takes the rest of the address for nothing, so that an erase at 0x1000000 hits the
/// bootloader (W25Q256JV datasheet, "3-Byte Address Mode").
pub const REACHABLE_BYTES: u32 = 16 * 1024 * 1024;

/// Why a flash driver must not do what it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AccessError {
    /// Address or length is not a multiple of the operation's unit.
    Alignment,
    /// It goes beyond the end of the flash.
    OutOfBounds,
    /// It goes beyond [`REACHABLE_BYTES`], though not beyond the end of the flash.
    OutOfReach,
}

/// Checks what a driver is asked for: `len` bytes from `at`, in units of `unit_bytes` (not 0), in a
/// flash of `flash_len_bytes`. Returns the region.
///
/// # Errors
///
/// An [`AccessError`]. Nothing of it may be done then.
pub fn check_access(
    at: FlashAddr,
    len: usize,
    unit_bytes: u32,
    flash_len_bytes: u32,
) -> Result<Region, AccessError> {
    let len_bytes = u32::try_from(len).map_err(|_| AccessError::OutOfBounds)?;
    let region = Region::from_len(at, len_bytes).ok_or(AccessError::OutOfBounds)?;
    if !region.is_aligned(unit_bytes) {
        return Err(AccessError::Alignment);
    }
    if region.end().get() > flash_len_bytes {
        return Err(AccessError::OutOfBounds);
    }
    if region.end().get() > REACHABLE_BYTES {
        return Err(AccessError::OutOfReach);
    }
    Ok(region)
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alignment => "not aligned",
            Self::OutOfBounds => "outside of the flash",
            Self::OutOfReach => "above 16 MB, where addresses of 24 bits do not reach",
        })
    }
}

impl core::error::Error for AccessError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_where_addresses_wrap() {
        let check = |at, len| check_access(FlashAddr(at), len, 0x1000, 32 << 20).map(drop);
        assert_eq!(check(0xff_f000, 0x1000), Ok(()));
        // One sector further, and across the limit: the command would hit the bootloader.
        assert_eq!(check(0x100_0000, 0x1000), Err(AccessError::OutOfReach));
        assert_eq!(check(0xff_f000, 0x2000), Err(AccessError::OutOfReach));
        assert_eq!(check(0x1ff_f000, 0x1000), Err(AccessError::OutOfReach));
        assert_eq!(check(0x200_0000, 0x1000), Err(AccessError::OutOfBounds));
    }

    #[test]
    fn the_flash_has_an_end_and_operations_a_unit() {
        let check = |at, len| check_access(FlashAddr(at), len, 4, 4 << 20).map(Region::len_bytes);
        assert_eq!(check(0x3f_fffc, 4), Ok(4));
        assert_eq!(check(0x40_0000, 0), Ok(0));
        assert_eq!(check(0x3f_fffc, 8), Err(AccessError::OutOfBounds));
        assert_eq!(check(2, 4), Err(AccessError::Alignment));
        assert_eq!(check(0, 5), Err(AccessError::Alignment));
        assert_eq!(check(u32::MAX - 3, 8), Err(AccessError::OutOfBounds));
        assert_eq!(check(0, usize::MAX), Err(AccessError::OutOfBounds));
    }
}
