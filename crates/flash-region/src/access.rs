//! Which part of a flash chip a driver can access.

use core::fmt;

use crate::{FlashAddr, Region};

/// Bytes that commands with addresses of 24 bits can reach, which are those that the functions in
/// the chips' ROMs send. A larger flash chip receives the address without its upper bits, so that
/// an erase at 0x1000000 erases the sector at 0x0 (W25Q256JV datasheet, "3-Byte Address Mode").
pub const REACHABLE_BYTES: u32 = 16 * 1024 * 1024;

/// Why a flash driver must refuse an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AccessError {
    /// Address or length is not a multiple of the operation's unit.
    Alignment,
    /// The access goes past the end of the flash.
    OutOfBounds,
    /// The access goes past [`REACHABLE_BYTES`], but not past the end of the flash.
    OutOfReach,
}

/// Checks an access of `len` bytes from `at`, in units of `unit_bytes` (not 0), to a flash of
/// `flash_len_bytes`. Returns its region.
///
/// # Errors
///
/// An [`AccessError`]. The driver must then do no part of the access.
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
    fn accesses_where_addresses_wrap_are_refused() {
        let check = |at, len| check_access(FlashAddr(at), len, 0x1000, 32 << 20).map(drop);
        assert_eq!(check(0xff_f000, 0x1000), Ok(()));
        // One sector further, and across the limit: the command would hit the bootloader.
        assert_eq!(check(0x100_0000, 0x1000), Err(AccessError::OutOfReach));
        assert_eq!(check(0xff_f000, 0x2000), Err(AccessError::OutOfReach));
        assert_eq!(check(0x1ff_f000, 0x1000), Err(AccessError::OutOfReach));
        assert_eq!(check(0x200_0000, 0x1000), Err(AccessError::OutOfBounds));
    }

    #[test]
    fn accesses_past_the_end_or_misaligned_are_refused() {
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
