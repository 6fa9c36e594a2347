//! Whether a chip can do an operation.

use flash_region::{FlashAddr, PAGE_BYTES};

use crate::{NorError, Op};

impl Op {
    /// Whether a chip of `capacity_bytes` can do it.
    ///
    /// # Errors
    ///
    /// [`NorError::OutOfBounds`], [`NorError::Misaligned`] for an erase that does not start at its
    /// unit, [`NorError::PageCrossed`] for a program that crosses the end of its page.
    pub fn check(self, capacity_bytes: u32) -> Result<(), NorError> {
        match self {
            Self::Program { addr, len_bytes } => {
                check_bounds(addr, len_bytes, capacity_bytes)?;
                if (addr.get() % PAGE_BYTES).saturating_add(len_bytes) > PAGE_BYTES {
                    return Err(NorError::PageCrossed { addr, len_bytes });
                }
            }
            Self::Erase { unit, addr } => {
                if !addr.is_aligned(unit.len_bytes()) {
                    return Err(NorError::Misaligned { addr, unit_bytes: unit.len_bytes() });
                }
                check_bounds(addr, unit.len_bytes(), capacity_bytes)?;
            }
        }
        Ok(())
    }
}

/// Whether `len_bytes` from `addr` lie inside a chip of `capacity_bytes`.
pub(crate) fn check_bounds(
    addr: FlashAddr,
    len_bytes: u32,
    capacity_bytes: u32,
) -> Result<(), NorError> {
    match addr.checked_add(len_bytes) {
        Some(end) if end.get() <= capacity_bytes => Ok(()),
        _ => Err(NorError::OutOfBounds { addr, len_bytes, capacity_bytes }),
    }
}
