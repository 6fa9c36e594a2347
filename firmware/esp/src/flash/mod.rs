//! The flash that the chip itself runs from, through the functions of its ROM.

mod command;

use core::fmt;

use embassy_futures::yield_now;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use esp_hal::peripherals::FLASH;
use esp_storage::{FlashStorage, ll};
use flash_region::{
    AccessError, BLOCK_32K_BYTES, BLOCK_64K_BYTES, FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES,
    check_access, is_blank,
};

/// Bytes of the words in which the ROM reads and programs.
const WORD_BYTES: u32 = 4;

/// The flash.
///
/// # Power-fail safety
///
/// None of its own: a power cut leaves what the flash chip leaves, such as torn pages and
/// half-erased sectors. The engine reads back what it writes, and repairs it after the next start.
#[derive(Debug)]
pub struct Flash {
    len_bytes: u32,
    is_unlocked: bool,
    erases_32k: Erases,
}

/// Whether the flash chip erases blocks of 32 KiB, which not all of them do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Erases {
    Unknown,
    Yes,
    No,
}

/// Why an operation failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FlashError {
    /// The driver must not do that.
    Access(AccessError),
    /// The ROM's function returned this code.
    Rom(i32),
}

/// A page in memory, aligned for the ROM's functions.
#[repr(align(4))]
struct Page([u8; PAGE_BYTES as usize]);

impl Flash {
    /// The flash. Its size is read from its JEDEC identification; on ESP32, where that is not
    /// possible, from the bootloader's header.
    ///
    /// # Safety
    ///
    /// The chip also executes from it: the caller must not write to code or constants that are used
    /// before the next reset.
    pub unsafe fn new(flash: FLASH<'static>) -> Self {
        let len_bytes = u32::try_from(FlashStorage::new(flash).capacity()).unwrap_or(0);
        command::ready();
        Self { len_bytes, is_unlocked: false, erases_32k: Erases::Unknown }
    }

    /// Bytes of the flash.
    pub const fn len_bytes(&self) -> u32 {
        self.len_bytes
    }

    fn check(&self, at: u32, len: usize, unit_bytes: u32) -> Result<u32, FlashError> {
        let region = check_access(FlashAddr(at), len, unit_bytes, self.len_bytes);
        region.map(Region::len_bytes).map_err(FlashError::Access)
    }

    /// Clears the flash chip's own write protection, once.
    fn unlock(&mut self) -> Result<(), FlashError> {
        if !self.is_unlocked {
            // Safety: the function changes the status register and nothing that is mapped; it runs
            // from RAM with interrupts off, so nothing reads the flash meanwhile.
            unsafe { ll::spiflash_unlock() }.map_err(FlashError::Rom)?;
            self.is_unlocked = true;
        }
        Ok(())
    }

    /// Erases the largest unit that begins at `at` and ends at `end` or before; returns its length.
    fn erase_unit(&mut self, at: u32, end: u32) -> Result<u32, FlashError> {
        let fits = |unit_bytes: u32| at.is_multiple_of(unit_bytes) && end - at >= unit_bytes;
        if fits(BLOCK_64K_BYTES) {
            // Safety: within the flash, as was checked; no code in use is there, by the caller's
            // promise to `new`. Erasing runs from RAM with interrupts off.
            unsafe { ll::spiflash_erase_block(at / BLOCK_64K_BYTES) }.map_err(FlashError::Rom)?;
            return Ok(BLOCK_64K_BYTES);
        }
        if fits(BLOCK_32K_BYTES) && self.erase_32k(at)? {
            return Ok(BLOCK_32K_BYTES);
        }
        // Safety: as above.
        unsafe { ll::spiflash_erase_sector(at / SECTOR_BYTES) }.map_err(FlashError::Rom)?;
        Ok(SECTOR_BYTES)
    }

    /// Erases 32 KiB with one command, if the flash chip has it. The first time, they are read to
    /// see whether it has: a chip without the command does nothing.
    fn erase_32k(&mut self, at: u32) -> Result<bool, FlashError> {
        if self.erases_32k == Erases::No {
            return Ok(false);
        }
        command::erase_32k(at);
        if self.erases_32k == Erases::Unknown {
            let is_erased = self.is_erased(at, BLOCK_32K_BYTES)?;
            self.erases_32k = if is_erased { Erases::Yes } else { Erases::No };
        }
        Ok(self.erases_32k == Erases::Yes)
    }

    fn is_erased(&self, at: u32, len_bytes: u32) -> Result<bool, FlashError> {
        let mut page = Page([0; PAGE_BYTES as usize]);
        for at in (at..at + len_bytes).step_by(page.0.len()) {
            // Safety: `Page` is aligned and has this length.
            unsafe { ll::spiflash_read(at, page.0.as_mut_ptr().cast(), PAGE_BYTES) }
                .map_err(FlashError::Rom)?;
            if !is_blank(&page.0) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = WORD_BYTES as usize;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let len_bytes = self.check(offset, bytes.len(), WORD_BYTES)?;
        if bytes.as_ptr().cast::<u32>().is_aligned() {
            // Safety: aligned for words, of this length, and borrowed exclusively.
            let done = unsafe { ll::spiflash_read(offset, bytes.as_mut_ptr().cast(), len_bytes) };
            return done.map_err(FlashError::Rom);
        }
        let mut page = Page([0; PAGE_BYTES as usize]);
        for (at, part) in
            (offset..).step_by(PAGE_BYTES as usize).zip(bytes.chunks_mut(page.0.len()))
        {
            let len_bytes = (part.len() as u32).next_multiple_of(WORD_BYTES);
            // Safety: `Page` is aligned, and a part is never longer than it.
            unsafe { ll::spiflash_read(at, page.0.as_mut_ptr().cast(), len_bytes) }
                .map_err(FlashError::Rom)?;
            part.iter_mut().zip(&page.0).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.len_bytes as usize
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD_BYTES as usize;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let len = to.checked_sub(from).ok_or(FlashError::Access(AccessError::OutOfBounds))?;
        self.check(from, len as usize, SECTOR_BYTES)?;
        self.unlock()?;
        let mut at = from;
        while at < to {
            at += self.erase_unit(at, to)?;
            yield_now().await;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.check(offset, bytes.len(), WORD_BYTES)?;
        self.unlock()?;
        let mut page = Page([0; PAGE_BYTES as usize]);
        for (at, part) in (offset..).step_by(PAGE_BYTES as usize).zip(bytes.chunks(page.0.len())) {
            page.0.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            // Safety: `Page` is aligned and in RAM, where the ROM can read it while the flash is
            // busy; a part is never longer than it. The destination is as for `erase_unit`.
            unsafe { ll::spiflash_write(at, page.0.as_ptr().cast(), part.len() as u32) }
                .map_err(FlashError::Rom)?;
            yield_now().await;
        }
        Ok(())
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Access(AccessError::Alignment) => NorFlashErrorKind::NotAligned,
            Self::Access(AccessError::OutOfBounds | AccessError::OutOfReach) => {
                NorFlashErrorKind::OutOfBounds
            }
            Self::Access(_) | Self::Rom(_) => NorFlashErrorKind::Other,
        }
    }
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(error) => error.fmt(f),
            Self::Rom(code) => write!(f, "the ROM's function returned {code}"),
        }
    }
}

impl core::error::Error for FlashError {}
