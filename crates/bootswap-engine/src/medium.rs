//! The flash with typed addresses and regions, and errors that name the operation and region.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, PAGE_BYTES, Region, SECTOR_BYTES};

use crate::{FlashFailure, FlashOp};

/// Bytes of a page, as an array length.
pub(crate) const PAGE: usize = PAGE_BYTES as usize;
/// Bytes of a sector, as an array length.
pub(crate) const SECTOR: usize = SECTOR_BYTES as usize;
/// Drivers of these chips read and write multiples of this many bytes.
const WORD_BYTES: u32 = 4;
const WORD: usize = WORD_BYTES as usize;
/// How often a failing read is tried before it counts as an error.
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

    /// Reads into all of `out`, from any address and in any length.
    ///
    /// Drivers need whole words, so unaligned ends are read through a word.
    pub(crate) async fn read(
        &mut self,
        at: FlashAddr,
        out: &mut [u8],
    ) -> Result<(), FlashFailure<F::Error>> {
        let word_at = at.align_down(WORD_BYTES);
        let skip = at.bytes_since(word_at) as usize;
        let head = if skip == 0 { 0 } else { out.len().min(WORD - skip) };
        let (head, rest) = out.split_at_mut(head);
        let (words, tail) = rest.split_at_mut(rest.len() - rest.len() % WORD);
        let words_at = at.saturating_add(len_bytes(head));
        if !head.is_empty() {
            self.read_within_word(word_at, skip, head).await?;
        }
        if !words.is_empty() {
            self.read_words(words_at, words).await?;
        }
        if !tail.is_empty() {
            self.read_within_word(words_at.saturating_add(len_bytes(words)), 0, tail).await?;
        }
        Ok(())
    }

    async fn read_within_word(
        &mut self,
        word_at: FlashAddr,
        skip: usize,
        out: &mut [u8],
    ) -> Result<(), FlashFailure<F::Error>> {
        let mut word = [0; WORD];
        self.read_words(word_at, &mut word).await?;
        out.iter_mut().zip(word.iter().skip(skip)).for_each(|(to, from)| *to = *from);
        Ok(())
    }

    async fn read_words(
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

    /// Programs bytes; bits can only change from one to zero.
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

    /// Whether every byte of the region reads as erased; its ends need no alignment.
    pub(crate) async fn is_blank(
        &mut self,
        region: Region,
    ) -> Result<bool, FlashFailure<F::Error>> {
        let mut page = [0; PAGE];
        for chunk in region.chunks(PAGE_BYTES) {
            let Some(bytes) = page.get_mut(..chunk.len_bytes() as usize) else { break };
            self.read(chunk.start(), bytes).await?;
            if !flash_region::is_blank(bytes) {
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
