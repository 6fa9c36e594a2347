//! What a NOR flash chip can do, as a trait that the model and all its decorators share.

use flash_region::{ERASED, FlashAddr, PAGE_BYTES, Region};

use crate::{EraseUnit, Noise, NorError, torn};

/// A NOR flash chip, at the level of its commands.
///
/// Implemented by [`NorMemory`](crate::NorMemory) and by every decorator around it. A test that
/// observes or changes operations in its own way implements the first four methods and forwards
/// them.
pub trait NorDevice {
    /// Bytes that the chip holds.
    fn capacity_bytes(&self) -> u32;

    /// Reads `out.len()` bytes from `addr`.
    ///
    /// # Errors
    ///
    /// Out of bounds, no power, or a fault of the chip.
    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError>;

    /// Clears, from `addr` on, the bits that are 0 in `bytes`; they stay inside one 256 B page.
    ///
    /// # Errors
    ///
    /// Out of bounds, a crossed page, no power, or a fault of the chip.
    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError>;

    /// Sets all bits of the unit that starts at `addr`.
    ///
    /// # Errors
    ///
    /// Out of bounds, misaligned, no power, or a fault of the chip.
    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError>;

    /// Programs a page as if interrupted: `seed` picks which of the bits to be cleared are cleared.
    ///
    /// # Errors
    ///
    /// As [`program_page`](Self::program_page).
    fn tear_program(&mut self, addr: FlashAddr, bytes: &[u8], seed: u64) -> Result<(), NorError> {
        let mut page = vec![ERASED; bytes.len()];
        self.read(addr, &mut page)?;
        torn::program(&mut page, bytes, &mut Noise::new(seed));
        self.program_page(addr, &page)
    }

    /// Erases a unit as if interrupted: every bit of it stays as it was, or becomes 0 or 1, as
    /// `seed` picks.
    ///
    /// # Errors
    ///
    /// As [`erase`](Self::erase).
    fn tear_erase(&mut self, unit: EraseUnit, addr: FlashAddr, seed: u64) -> Result<(), NorError> {
        let whole = Region::clamped(addr, unit.len_bytes());
        let mut bytes = vec![ERASED; unit.len_bytes() as usize];
        self.read(addr, &mut bytes)?;
        torn::erase(&mut bytes, &mut Noise::new(seed));
        self.erase(unit, addr)?;
        for (page, left) in whole.chunks(PAGE_BYTES).zip(bytes.chunks(PAGE_BYTES as usize)) {
            self.program_page(page.start(), left)?;
        }
        Ok(())
    }
}

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        impl<D: NorDevice + ?Sized> NorDevice for $wrapper {
            fn capacity_bytes(&self) -> u32 {
                D::capacity_bytes(self)
            }
            fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
                D::read(self, addr, out)
            }
            fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
                D::program_page(self, addr, bytes)
            }
            fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
                D::erase(self, unit, addr)
            }
            fn tear_program(
                &mut self,
                addr: FlashAddr,
                bytes: &[u8],
                seed: u64,
            ) -> Result<(), NorError> {
                D::tear_program(self, addr, bytes, seed)
            }
            fn tear_erase(
                &mut self,
                unit: EraseUnit,
                addr: FlashAddr,
                seed: u64,
            ) -> Result<(), NorError> {
                D::tear_erase(self, unit, addr, seed)
            }
        }
    )*};
}

forward!(&mut D, Box<D>);
