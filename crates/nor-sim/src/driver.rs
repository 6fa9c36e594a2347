//! The traits of embedded-storage over a chip, as a flash driver offers them.

use core::future::pending;

use embedded_storage::nor_flash as blocking;
use embedded_storage::nor_flash::ErrorType;
use embedded_storage_async::nor_flash as asynchronous;
use flash_region::{FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};

use crate::{EraseUnit, NorDevice, NorError};

/// A flash driver over a [`NorDevice`]: the `NorFlash` traits, blocking and asynchronous.
///
/// It does no more than the chips' drivers do: a write is split into pages, and every page is
/// programmed, blank or not; an erase uses the largest aligned units that fit exactly.
///
/// Once power is lost, or the processor has crashed, the asynchronous methods never return, so that
/// no code of the caller runs that could not run on a device; see
/// [`run_until_powered_off`](crate::run_until_powered_off). The blocking methods have to return:
/// they return an error that is [final](NorError::is_final).
///
/// `READ_BYTES` and `WRITE_BYTES` are the alignments of reads and writes.
#[derive(Debug)]
pub struct Driver<D, const READ_BYTES: usize = 1, const WRITE_BYTES: usize = 1> {
    device: D,
    units: &'static [EraseUnit],
}

/// A driver that needs whole 32-bit words, as those of the ESP32 family do.
pub type WordDriver<D> = Driver<D, 4, 4>;

impl<D: NorDevice> Driver<D> {
    /// A driver that reads and writes single bytes.
    pub fn new(device: D) -> Self {
        Self::with_alignment(device)
    }
}

impl<D: NorDevice, const READ_BYTES: usize, const WRITE_BYTES: usize>
    Driver<D, READ_BYTES, WRITE_BYTES>
{
    /// A driver whose alignment its type names, such as `WordDriver::with_alignment(flash)`.
    pub fn with_alignment(device: D) -> Self {
        Self { device, units: &EraseUnit::LARGEST_FIRST }
    }

    /// Restricts the erase units. The largest must come first, and the sector last.
    ///
    /// ESP-IDF, for example, erases in units of 64 KiB and 4 KiB, but not of 32 KiB.
    #[must_use]
    pub fn with_erase_units(mut self, units: &'static [EraseUnit]) -> Self {
        self.units = units;
        self
    }

    /// The chip.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The chip, to be changed.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// The chip, without the driver.
    pub fn into_device(self) -> D {
        self.device
    }

    fn read_bytes(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.check(offset, bytes.len(), READ_BYTES)?;
        self.device.read(FlashAddr(offset), bytes)
    }

    fn write_pages(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        let region = self.check(offset, bytes.len(), WRITE_BYTES)?;
        let mut rest = bytes;
        for page in region.chunks(PAGE_BYTES) {
            let (now, behind) = rest.split_at(rest.len().min(page.len_bytes() as usize));
            self.device.program_page(page.start(), now)?;
            rest = behind;
        }
        Ok(())
    }

    fn erase_units(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        let capacity_bytes = self.device.capacity_bytes();
        let Some(mut rest) = Region::new(FlashAddr(from), FlashAddr(to)) else {
            return Err(NorError::OutOfBounds {
                addr: FlashAddr(from),
                len_bytes: 0,
                capacity_bytes,
            });
        };
        for addr in [rest.start(), rest.end()] {
            if !addr.is_aligned(SECTOR_BYTES) {
                return Err(NorError::Misaligned { addr, unit_bytes: SECTOR_BYTES });
            }
        }
        // If the range does not fit as a whole, no part of it may be erased.
        crate::check::check_bounds(rest.start(), rest.len_bytes(), capacity_bytes)?;
        while !rest.is_empty() {
            let fits = |unit: &EraseUnit| {
                rest.start().is_aligned(unit.len_bytes()) && unit.len_bytes() <= rest.len_bytes()
            };
            let unit = self.units.iter().copied().find(fits).unwrap_or(EraseUnit::Sector4K);
            self.device.erase(unit, rest.start())?;
            rest = rest.from(rest.start().saturating_add(unit.len_bytes()));
        }
        Ok(())
    }

    fn check(&self, offset: u32, len: usize, unit: usize) -> Result<Region, NorError> {
        let addr = FlashAddr(offset);
        let len_bytes = u32::try_from(len).unwrap_or(u32::MAX);
        crate::check::check_bounds(addr, len_bytes, self.device.capacity_bytes())?;
        let unit_bytes = u32::try_from(unit).unwrap_or(u32::MAX).max(1);
        for addr in [addr, addr.saturating_add(len_bytes)] {
            if !addr.is_aligned(unit_bytes) {
                return Err(NorError::Misaligned { addr, unit_bytes });
            }
        }
        Ok(Region::clamped(addr, len_bytes))
    }
}

/// Returns the result, unless no caller could be running any more: then it never returns.
async fn survived(result: Result<(), NorError>) -> Result<(), NorError> {
    match result {
        Err(error) if error.is_final() => pending().await,
        survived => survived,
    }
}

impl<D, const R: usize, const W: usize> ErrorType for Driver<D, R, W> {
    type Error = NorError;
}

impl<D: NorDevice, const R: usize, const W: usize> blocking::ReadNorFlash for Driver<D, R, W> {
    const READ_SIZE: usize = R;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.read_bytes(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.device.capacity_bytes() as usize
    }
}

impl<D: NorDevice, const R: usize, const W: usize> blocking::NorFlash for Driver<D, R, W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.erase_units(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.write_pages(offset, bytes)
    }
}

impl<D: NorDevice, const R: usize, const W: usize> blocking::MultiwriteNorFlash
    for Driver<D, R, W>
{
}

impl<D: NorDevice, const R: usize, const W: usize> asynchronous::ReadNorFlash for Driver<D, R, W> {
    const READ_SIZE: usize = R;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        survived(self.read_bytes(offset, bytes)).await
    }

    fn capacity(&self) -> usize {
        self.device.capacity_bytes() as usize
    }
}

impl<D: NorDevice, const R: usize, const W: usize> asynchronous::NorFlash for Driver<D, R, W> {
    const WRITE_SIZE: usize = W;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        survived(self.erase_units(from, to)).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        survived(self.write_pages(offset, bytes)).await
    }
}

impl<D: NorDevice, const R: usize, const W: usize> asynchronous::MultiwriteNorFlash
    for Driver<D, R, W>
{
}
