//! The flash as a bootloader sees it, by the flash size in its header.

use flash_region::FlashAddr;
use nor_sim::{EraseUnit, NorDevice, NorError};

/// Flash of which only the first bytes can be used.
///
/// A second-stage bootloader takes the size of the flash from its own header, and the ROM's flash
/// functions that it calls refuse what is past it (`update_flash_config` in
/// `components/bootloader_support` of `espressif/esp-idf`).
pub(crate) struct Limited<'a> {
    pub(crate) inner: &'a mut dyn NorDevice,
    pub(crate) len_bytes: u32,
}

impl Limited<'_> {
    fn check(&self, addr: FlashAddr, len: usize) -> Result<(), NorError> {
        let len_bytes = u32::try_from(len).unwrap_or(u32::MAX);
        let capacity_bytes = self.capacity_bytes();
        match addr.checked_add(len_bytes) {
            Some(end) if end.get() <= capacity_bytes => Ok(()),
            _ => Err(NorError::OutOfBounds { addr, len_bytes, capacity_bytes }),
        }
    }
}

impl NorDevice for Limited<'_> {
    fn capacity_bytes(&self) -> u32 {
        self.len_bytes.min(self.inner.capacity_bytes())
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.check(addr, out.len())?;
        self.inner.read(addr, out)
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        self.check(addr, bytes.len())?;
        self.inner.program_page(addr, bytes)
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        self.check(addr, unit.len_bytes() as usize)?;
        self.inner.erase(unit, addr)
    }
}
