//! The flash, in the engine's words: addresses and regions, errors that say where.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};

use crate::{FlashFailure, FlashOp};

/// Bytes of a page, as an array length.
pub(crate) const PAGE: usize = PAGE_BYTES as usize;
/// Bytes of a sector, as an array length.
pub(crate) const SECTOR: usize = SECTOR_BYTES as usize;
/// How often a failing read is tried before it counts.
const READ_ATTEMPTS: u32 = 3;

/// A NOR flash behind the asynchronous traits.
#[derive(Debug)]
pub(crate) struct Medium<'a, F> {
    flash: &'a mut F,
}

impl<'a, F: NorFlash> Medium<'a, F> {
    pub(crate) fn new(flash: &'a mut F) -> Self {
        Self { flash }
    }

    /// Reads into all of `out`.
    pub(crate) async fn read(
        &mut self,
        at: FlashAddr,
        out: &mut [u8],
    ) -> Result<(), FlashFailure<F::Error>> {
        let region = Region::clamped(at, len_bytes(out));
        let mut attempt = 1;
        loop {
            match self.flash.read(at.get(), out).await {
                Ok(()) => return Ok(()),
                Err(_) if attempt < READ_ATTEMPTS => attempt += 1,
                Err(cause) => return Err(FlashFailure { op: FlashOp::Read, region, cause }),
            }
        }
    }

    /// Programs bytes; bits go from one to zero only.
    pub(crate) async fn program(
        &mut self,
        at: FlashAddr,
        bytes: &[u8],
    ) -> Result<(), FlashFailure<F::Error>> {
        let region = Region::clamped(at, len_bytes(bytes));
        let done = self.flash.write(at.get(), bytes).await;
        done.map_err(|cause| FlashFailure { op: FlashOp::Program, region, cause })
    }

    /// Erases whole sectors; the driver uses the largest erase that fits.
    pub(crate) async fn erase(&mut self, region: Region) -> Result<(), FlashFailure<F::Error>> {
        let done = self.flash.erase(region.start().get(), region.end().get()).await;
        done.map_err(|cause| FlashFailure { op: FlashOp::Erase, region, cause })
    }

    /// Whether every byte of the region reads as erased.
    ///
    /// Ends of the region need no alignment; whole words are read around them.
    pub(crate) async fn is_blank(&mut self, region: Region) -> Result<bool, FlashFailure<F::Error>> {
        let mut page = [0; PAGE];
        for chunk in region.chunks(PAGE_BYTES) {
            let start = chunk.start().align_down(PAGE_BYTES);
            self.read(start, &mut page).await?;
            let from = chunk.start().bytes_since(start) as usize;
            let to = chunk.end().bytes_since(start) as usize;
            if !page.get(from..to).is_some_and(flash_region::is_blank) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A slice's length as a number of flash bytes.
pub(crate) fn len_bytes(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
