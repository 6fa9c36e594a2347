//! Takes an artifact's bytes, sector by sector, to where the plan sends them.
//!
//! ```text
//!   source --> | 4 KiB buffer | --> route --> flash: writer       every 8 KiB a checkpoint
//!              '--> Scan            '------> memory
//! ```
//!
//! A sector is written once it is complete and the scan has found nothing against it, so an HTML page
//! or an image for another chip is refused before anything is erased.
//!
//! # Power-fail safety
//!
//! A cut leaves a prefix of the artifact in place, then a sector or block in any mixture, then what was
//! there before. None of it is looked at by a bootloader before the commit. The next run takes up at
//! the last checkpoint, or at the first byte.

use bootswap_plan::{Place, Route, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, FlashAddr, SECTOR_BYTES, is_blank};
use mcuboot_format::trailer::confirmed_trailer;

use crate::erase::Bounds;
use crate::journal::{Entry, Journal};
use crate::medium::{Medium, SECTOR, len_bytes};
use crate::scan::{Rules, Scan};
use crate::{Event, Failure, Flow, Header, ImageFault, Platform, Sink, writer};

/// Bytes in place between two checkpoints.
const CHECKPOINT_BYTES: u32 = 2 * SECTOR_BYTES;
/// Bytes of padding that are made up at a time.
const PADDING: [u8; 256] = [ERASED; 256];

/// Why bytes were not taken.
#[derive(Debug)]
pub(crate) enum Refusal<E> {
    /// They are not what they should be. Another server, or another moment, may have better ones.
    Image(ImageFault),
    /// The device cannot go on.
    Failure(Failure<E>),
}

impl<E> From<ImageFault> for Refusal<E> {
    fn from(fault: ImageFault) -> Self {
        Self::Image(fault)
    }
}

impl<E> From<Failure<E>> for Refusal<E> {
    fn from(failure: Failure<E>) -> Self {
        Self::Failure(failure)
    }
}

/// Takes one artifact.
pub(crate) struct Receiver<'r, 'f, F, P> {
    pub medium: &'r mut Medium<'f, F>,
    pub platform: &'r mut P,
    pub journal: &'r mut Journal,
    pub memory: &'r mut [u8],
    pub sector: &'r mut [u8; SECTOR],
    pub step: u8,
    routes: &'r [Route],
    rules: Rules<'r>,
    scan: Scan<'r>,
    /// Bytes taken, of which the last ones may still wait in the buffer.
    received: u32,
    /// Bytes waiting in the buffer.
    filled: usize,
    /// Length of the file, as the source says.
    total: Option<u32>,
    /// Bytes in place as of the last checkpoint.
    checkpoint: u32,
    /// Whether everything was taken.
    pub complete: bool,
}

impl<'r, 'f, F: NorFlash, P: Platform> Receiver<'r, 'f, F, P> {
    #[expect(clippy::too_many_arguments, reason = "the parts of the engine, lent for one artifact")]
    pub(crate) fn new(
        medium: &'r mut Medium<'f, F>,
        platform: &'r mut P,
        journal: &'r mut Journal,
        memory: &'r mut [u8],
        sector: &'r mut [u8; SECTOR],
        step: u8,
        routes: &'r [Route],
        rules: Rules<'r>,
    ) -> Self {
        let scan = Scan::new(rules);
        Self {
            medium,
            platform,
            journal,
            memory,
            sector,
            step,
            routes,
            rules,
            scan,
            received: 0,
            filled: 0,
            total: None,
            checkpoint: 0,
            complete: false,
        }
    }

    /// Bytes taken so far.
    pub(crate) fn received(&self) -> u32 {
        self.received
    }

    /// Starts again at the first byte.
    pub(crate) fn restart(&mut self) {
        self.scan = Scan::new(self.rules);
        (self.received, self.filled, self.checkpoint) = (0, 0, 0);
        (self.total, self.complete) = (None, false);
    }

    /// Takes up where an earlier run left off, as the journal remembers it.
    pub(crate) async fn resume(&mut self) -> Result<(), Failure<F::Error>> {
        let in_flash = self.routes.iter().all(|route| matches!(route.to, Target::Flash(_)));
        let done = self.journal.progress(self.step) & !(SECTOR_BYTES - 1);
        if !in_flash || done > self.rules.room_bytes {
            return Ok(());
        }
        while self.received < done {
            let offset = self.received;
            let known = if self.rules.is_padding(offset, SECTOR_BYTES, self.scan.image_end()) {
                self.sector.fill(ERASED);
                true
            } else {
                match place_of(self.routes, offset) {
                    Some((Target::Flash(_), addr)) => {
                        self.medium.read(addr, self.sector.as_mut_slice()).await?;
                        true
                    }
                    _ => false,
                }
            };
            if !known || self.scan.push(self.sector.as_slice()).is_err() {
                self.restart();
                return Ok(());
            }
            self.received += SECTOR_BYTES;
        }
        self.checkpoint = self.received;
        Ok(())
    }

    /// Writes what waits in the buffer, at the end of the file or of a sector.
    async fn flush(&mut self) -> Result<(), Failure<F::Error>> {
        let Some(bytes) = self.sector.get(..self.filled).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        let offset = self.received - len_bytes(bytes);
        let image_end = self.scan.image_end();
        let padding = self.rules.is_padding(offset, len_bytes(bytes), image_end) && is_blank(bytes);
        match place_of(self.routes, offset) {
            _ if padding => {}
            Some((Target::Memory { .. }, at)) => {
                let at = at.get() as usize;
                let room = at.checked_add(bytes.len()).and_then(|end| self.memory.get_mut(at..end));
                room.ok_or(Failure::Plan("the memory to stage in is too small"))?.copy_from_slice(bytes);
            }
            Some((Target::Flash(place), addr)) => {
                let horizon = self.horizon(&place, addr);
                let bounds = Bounds { erasable: place.erasable, reserved: place.reserved, horizon };
                writer::put_sector(self.medium, addr, bytes, bounds).await?;
                let done = self.received;
                let due = done - self.checkpoint >= CHECKPOINT_BYTES;
                if due && self.filled == SECTOR {
                    self.checkpoint = done;
                    self.journal.note(self.medium, Entry::Progress { step: self.step, len_bytes: done }).await;
                }
            }
            None => return Err(Failure::Plan("an artifact is longer than its places")),
        }
        self.filled = 0;
        self.platform.alive();
        Ok(())
    }

    /// First address of the place that nothing will be written to from `addr` on, as far as is known.
    fn horizon(&self, place: &Place, addr: FlashAddr) -> FlashAddr {
        let end = match (self.scan.needed_bytes(), self.rules.slot, self.total) {
            (Some(needed), Some(_), _) => Some(needed),
            (_, _, Some(total)) => Some(total),
            (needed, ..) => needed,
        };
        let offset = self.received - u32::try_from(self.filled).unwrap_or(0);
        match end {
            Some(end) if end > offset => addr.saturating_add(end - offset).min(place.region.end()),
            // Behind the image comes the trailer, which ends with the place.
            _ => place.region.end(),
        }
    }

    /// Takes bytes that belong behind those taken so far.
    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), Refusal<F::Error>> {
        let limit = self.rules.artifact.len_bytes.or(self.total).unwrap_or(u32::MAX);
        if self.received.saturating_add(len_bytes(bytes)) > limit.min(self.rules.room_bytes) {
            return Err(self.too_long().into());
        }
        while !bytes.is_empty() {
            let room = self.sector.get_mut(self.filled..).unwrap_or_default();
            let (now, rest) = bytes.split_at(bytes.len().min(room.len()));
            // First the look, then the write: nothing is erased for what will not do.
            self.scan.push(now)?;
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.filled += now.len();
            self.received += len_bytes(now);
            bytes = rest;
            if self.filled == SECTOR {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn too_long(&self) -> ImageFault {
        match self.rules.artifact.len_bytes {
            Some(wanted_bytes) => {
                ImageFault::Length { wanted_bytes, found_bytes: self.total.unwrap_or(wanted_bytes.saturating_add(1)) }
            }
            None => ImageFault::TooLong { room_bytes: self.rules.room_bytes },
        }
    }

    /// Completes a padded, confirmed image without its last bytes.
    ///
    /// Between the image's TLVs and the end of the slot such a file has padding and a trailer, and
    /// nothing else. Where the migration names the file's digest, that can be proved without fetching
    /// them: if the digest comes out right with them made up, they are right.
    async fn predict(&mut self) -> Result<bool, Refusal<F::Error>> {
        let (Some(slot), Some(wanted), Some(len)) =
            (self.rules.slot, self.rules.artifact.sha256, self.rules.artifact.len_bytes)
        else {
            return Ok(false);
        };
        let mut tail = PADDING;
        let made = confirmed_trailer(&slot.trailer, &mut tail).is_ok();
        let tail_start = len.checked_sub(len_bytes(&tail)).filter(|start| *start >= self.received);
        let Some(tail_start) = tail_start.filter(|_| made && len == slot.limits.slot_len_bytes) else {
            return Ok(false);
        };
        let start = self.received;
        let rest = || padding(start, tail_start).chain(core::iter::once::<&[u8]>(&tail));
        if self.scan.digest_with(rest()) != wanted {
            return Ok(false);
        }
        let name = self.rules.artifact.name;
        self.platform.event(&Event::Predicted { name, len_bytes: len - start });
        for bytes in rest() {
            self.take(bytes).await?;
        }
        self.end().await?;
        Ok(true)
    }

    /// The file has ended.
    pub(crate) async fn end(&mut self) -> Result<(), Refusal<F::Error>> {
        if self.complete {
            return Ok(());
        }
        self.flush().await?;
        self.scan.clone().finish()?;
        self.complete = true;
        Ok(())
    }

    /// Whether the source promised more than it has sent.
    pub(crate) fn is_short(&self) -> bool {
        let wanted = self.total.or(self.rules.artifact.len_bytes);
        !self.complete && wanted.is_some_and(|wanted| self.received < wanted)
    }
}

/// Padding for the bytes of the file from `start` to `end`, in pieces.
fn padding<'a>(start: u32, end: u32) -> impl Iterator<Item = &'a [u8]> {
    let step = len_bytes(&PADDING);
    let pieces = (start..end).step_by(step as usize);
    pieces.map(move |at| PADDING.get(..(end - at).min(step) as usize).unwrap_or(&PADDING))
}

/// The place that a byte of the file goes to, and its address there; in memory that is an offset.
pub(crate) fn place_of(routes: &[Route], offset: u32) -> Option<(Target, FlashAddr)> {
    let route = routes.iter().rev().find(|route| route.file_offset <= offset)?;
    let within = offset - route.file_offset;
    let start = match route.to {
        Target::Flash(place) => place.start(),
        Target::Memory { .. } => FlashAddr::ZERO,
    };
    (within < route.to.len_bytes()).then(|| (route.to, start.saturating_add(within)))
}

impl<F: NorFlash, P: Platform> Sink for Receiver<'_, '_, F, P> {
    type Error = Refusal<F::Error>;

    fn wanted(&self) -> u32 {
        self.received
    }

    fn begin(&mut self, header: Header) -> Result<(), Self::Error> {
        if header.offset != self.received {
            self.restart();
            if header.offset != 0 {
                return Err(ImageFault::Empty.into());
            }
        }
        self.total = header.total_len_bytes;
        match (header.total_len_bytes, self.rules.artifact.len_bytes) {
            (Some(0), _) => Err(ImageFault::Empty.into()),
            (Some(found_bytes), Some(wanted_bytes)) if found_bytes != wanted_bytes => {
                Err(ImageFault::Length { wanted_bytes, found_bytes }.into())
            }
            (Some(total), _) if total > self.rules.room_bytes => {
                Err(ImageFault::TooLong { room_bytes: self.rules.room_bytes }.into())
            }
            _ => Ok(()),
        }
    }

    async fn data(&mut self, bytes: &[u8]) -> Result<Flow, Self::Error> {
        let was_complete = self.scan.is_complete();
        let before = self.received;
        self.take(bytes).await?;
        let (name, total_bytes) = (self.rules.artifact.name, self.total);
        if before / CHECKPOINT_BYTES != self.received / CHECKPOINT_BYTES {
            let done_bytes = self.received;
            self.platform.event(&Event::Progress { name, done_bytes, total_bytes });
        }
        // The moment to try is when the image's own bytes are all there.
        if !was_complete && self.scan.is_complete() && self.predict().await? {
            return Ok(Flow::Enough);
        }
        Ok(Flow::Continue)
    }
}
