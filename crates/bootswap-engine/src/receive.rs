//! Receives an artifact's bytes and writes them, sector by sector, where the plan says.
//!
//! ```text
//!   source --> | 4 KiB buffer | --> route --> flash: writer       every 8 KiB a checkpoint
//!              '--> Scan            '------> memory
//! ```
//!
//! A sector is written when it is complete and the scan accepts it, so an HTML page or an image for
//! another chip is refused before anything is erased.
//!
//! # Power-fail safety
//!
//! A cut leaves a prefix of the artifact in place, then a sector or block in any mixture, then the
//! old contents. No bootloader reads any of it before the commit. The next run continues at the
//! last checkpoint, or at the first byte.

use bootswap_plan::{Place, Target};
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{ERASED, FlashAddr, SECTOR_BYTES, is_blank};
use mcuboot_format::trailer::TrailerState;
use sha2::{Digest, Sha256};

use crate::erase::Bounds;
use crate::item::Item;
use crate::journal::{CHECKPOINT_BYTES, Entry};
use crate::medium::{PAGE, SECTOR, len_bytes};
use crate::refusal::Refusal;
use crate::scan::{Rules, Scan};
use crate::work::Work;
use crate::{Event, Failure, Flow, Header, ImageFault, Platform, Sink, writer};

/// Successive sectors that were correct already, after which a block is no longer erased on the
/// assumption that the next ones are not. More than a resumed transfer sends again.
const FAMILIAR_SECTORS: u32 = 4;
/// Bytes of padding that are generated at a time.
const PADDING: [u8; PAGE] = [ERASED; PAGE];

/// Receives one artifact.
pub(crate) struct Receiver<'r, 'w, 'f, F, P> {
    pub work: &'r mut Work<'w, 'f, F, P>,
    item: &'r Item<'r>,
    scan: Scan<'r>,
    /// Bytes received; the last ones may still be in the buffer.
    received: u32,
    /// Bytes in the buffer.
    filled: usize,
    /// Length of the file, as the source says.
    total: Option<u32>,
    /// Bytes in place as of the last checkpoint.
    checkpoint: u32,
    /// Bytes in place to return to if the incoming bytes turn out to be something else.
    fallback: u32,
    /// Successive sectors that were correct already.
    familiar: u32,
    /// Whether the rest is generated instead of fetched.
    predicted: bool,
    /// Whether everything was received.
    complete: bool,
}

impl<'r, 'w, 'f, F: NorFlash, P: Platform> Receiver<'r, 'w, 'f, F, P> {
    pub(crate) fn new(work: &'r mut Work<'w, 'f, F, P>, item: &'r Item<'r>) -> Self {
        Self {
            work,
            item,
            scan: Scan::new(item.rules),
            received: 0,
            filled: 0,
            total: None,
            checkpoint: 0,
            fallback: 0,
            familiar: 0,
            predicted: false,
            complete: false,
        }
    }

    fn rules(&self) -> &Rules<'r> {
        &self.item.rules
    }

    /// The failure that the file is longer than its regions. It should not occur: `put` has refused
    /// such a file.
    #[cold]
    fn too_long(&self) -> Failure<F::Error> {
        self.item.placed.failure(self.item.too_long())
    }

    /// Bytes received so far.
    pub(crate) fn received(&self) -> u32 {
        self.received
    }

    /// Whether everything was received.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Starts again at the first byte.
    fn restart(&mut self) {
        self.scan = Scan::new(self.item.rules);
        (self.received, self.filled, self.checkpoint) = (0, 0, 0);
        (self.total, self.complete, self.familiar) = (None, false, 0);
    }

    /// Continues where an earlier run stopped, according to the journal.
    pub(crate) async fn resume(&mut self) -> Result<(), Failure<F::Error>> {
        self.go_to(self.work.journal.progress(self.item.placed.number())).await
    }

    /// Discards what was sent last, which turned out to be something else, and continues where that
    /// began.
    pub(crate) async fn fall_back(&mut self) -> Result<(), Failure<F::Error>> {
        let in_place = core::mem::take(&mut self.fallback);
        self.go_to(in_place).await
    }

    /// Starts with this many bytes that are expected to be in place, or with the first byte if they
    /// are not.
    async fn go_to(&mut self, in_place: u32) -> Result<(), Failure<F::Error>> {
        self.restart();
        let end = in_place & !(SECTOR_BYTES - 1);
        let rules = self.item.rules;
        if !self.is_in_flash() || end > rules.artifact.len_bytes.unwrap_or(rules.room_bytes) {
            return Ok(());
        }
        while self.received < end {
            if rules.is_padding(self.received, SECTOR_BYTES, self.scan.image_end()) {
                self.work.sector.fill(ERASED);
            } else if let Some((Target::Flash(_), addr)) = self.item.place_of(self.received) {
                self.work.medium.read(addr, self.work.sector.as_mut_slice()).await?;
            } else {
                self.restart();
                return Ok(());
            }
            if self.scan.push(self.work.sector.as_slice()).is_err() {
                self.restart();
                return Ok(());
            }
            self.received += SECTOR_BYTES;
            self.work.platform.alive();
        }
        self.checkpoint = self.received;
        Ok(())
    }

    /// Whether the received bytes survive a reset.
    fn is_in_flash(&self) -> bool {
        self.item.placed.routes.iter().all(|route| matches!(route.to, Target::Flash(_)))
    }

    /// Writes the contents of the buffer, at the end of the file or of a sector.
    async fn flush(&mut self) -> Result<(), Failure<F::Error>> {
        let filled = core::mem::take(&mut self.filled);
        let Some(bytes) = self.work.sector.get(..filled).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        let rules = self.item.rules;
        let offset = self.received - len_bytes(bytes);
        let padding = rules.is_padding(offset, len_bytes(bytes), self.scan.image_end());
        match self.item.place_of(offset) {
            _ if padding && is_blank(bytes) => {}
            Some((Target::Memory { .. }, at)) => {
                let at = at.get() as usize;
                let end = at.checked_add(bytes.len());
                let room = end.and_then(|end| self.work.memory.get_mut(at..end));
                let Some(room) = room else { return Err(self.too_long()) };
                room.copy_from_slice(bytes);
            }
            Some((Target::Flash(place), addr)) => {
                let horizon = self.horizon(&place, addr, offset);
                let combine = self.familiar < FAMILIAR_SECTORS;
                let Place { erasable, reserved, .. } = place;
                let bounds = Bounds { erasable, reserved, horizon, combine };
                let changed = writer::put_sector(self.work.medium, addr, bytes, bounds).await?;
                if changed {
                    (self.familiar, self.fallback) = (0, 0);
                } else if !is_blank(bytes) {
                    self.familiar += 1;
                }
            }
            None => return Err(self.too_long()),
        }
        let due = self.received - self.checkpoint >= CHECKPOINT_BYTES && filled == SECTOR;
        if due && !self.predicted && self.is_in_flash() {
            self.checkpoint = self.received;
            let done =
                Entry::Progress { artifact: self.item.placed.number(), len_bytes: self.received };
            self.work.journal.note(self.work.medium, done).await;
        }
        self.work.platform.alive();
        Ok(())
    }

    /// The first address after `addr` in the place to which nothing will be written, as far as is
    /// known. `addr` is where the file's bytes from `offset` on are written.
    fn horizon(&self, place: &Place, addr: FlashAddr, offset: u32) -> FlashAddr {
        let needed = self.scan.needed_bytes();
        let end = match self.rules().slot {
            Some(_) => needed,
            None => self.total.or(self.rules().artifact.len_bytes).or(needed),
        };
        match end {
            Some(end) if end > offset => addr.saturating_add(end - offset).min(place.region.end()),
            // The image is followed by the trailer, which ends with the place.
            _ => place.region.end(),
        }
    }

    /// Length of the file, according to the migration or the source.
    fn length(&self) -> Option<u32> {
        self.rules().artifact.len_bytes.or(self.total)
    }

    /// Receives the bytes that follow those received so far.
    async fn take(&mut self, bytes: &[u8]) -> Result<(), Refusal<F::Error>> {
        self.put(bytes, true).await
    }

    /// Receives bytes. The scan checks them first, if they are `new` to it.
    async fn put(&mut self, mut bytes: &[u8], new: bool) -> Result<(), Refusal<F::Error>> {
        let room_bytes = self.rules().room_bytes;
        if self.received.saturating_add(len_bytes(bytes)) > room_bytes {
            return Err(ImageFault::TooLong { room_bytes }.into());
        }
        while !bytes.is_empty() {
            let room = self.work.sector.get_mut(self.filled..).unwrap_or_default();
            let (now, rest) = bytes.split_at(bytes.len().min(room.len()));
            // Check first, then write: nothing is erased for bytes that are refused.
            if new {
                self.scan.push(now)?;
            }
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

    /// Completes a padded image without its last bytes.
    ///
    /// Between the image's TLVs and the end of the slot, such a file has only padding and a
    /// trailer. If the migration names the file's digest, this can be proved without fetching them:
    /// if the digest is right with the generated bytes, they are right.
    pub(crate) async fn predict(&mut self) -> Result<bool, Refusal<F::Error>> {
        let rules = self.item.rules;
        let (Some(slot), Some(wanted), Some(len)) =
            (rules.slot, rules.artifact.sha256, rules.artifact.len_bytes)
        else {
            return Ok(false);
        };
        let tail_start = len.saturating_sub(len_bytes(&PADDING));
        let start = self.received;
        if !self.scan.is_complete() || len != slot.limits.slot_len_bytes || start > tail_start {
            return Ok(false);
        }
        let mut sha256 = self.scan.sha256();
        for (bytes, count) in padding(start, tail_start).zip(0usize..) {
            sha256.update(bytes);
            if count.is_multiple_of(SECTOR) {
                self.work.platform.alive();
            }
        }
        let tails = [TrailerState::CONFIRMED, TrailerState::PENDING].map(|state| {
            let mut tail = PADDING;
            let made = state.emit(&slot.trailer, &mut tail).is_ok();
            made.then_some(tail)
        });
        let ends_so = |tail: &&[u8; PAGE]| sha256_with(&sha256, tail.as_slice()) == wanted;
        let Some(tail) = tails.iter().flatten().find(ends_so) else { return Ok(false) };
        let name = self.item.name();
        self.work.platform.event(&Event::Predicted { name, len_bytes: len - start });
        self.predicted = true;
        // Hashing them once is enough: it takes a chip most of a second.
        self.scan.skip_padding(tail_start - start, sha256);
        for bytes in padding(start, tail_start) {
            self.put(bytes, false).await?;
        }
        self.take(tail).await?;
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

    /// Whether there must be more of the file than was sent.
    pub(crate) fn is_short(&self) -> bool {
        match self.length() {
            _ if self.complete => false,
            Some(wanted) => self.received < wanted,
            None => self.scan.is_short(),
        }
    }
}

fn sha256_with(so_far: &Sha256, bytes: &[u8]) -> [u8; 32] {
    so_far.clone().chain_update(bytes).finalize().into()
}

/// Padding for the bytes of the file from `start` to `end`, in pieces.
fn padding<'a>(start: u32, end: u32) -> impl Iterator<Item = &'a [u8]> {
    let step = len_bytes(&PADDING);
    let pieces = (start..end).step_by(step as usize);
    pieces.map(move |at| PADDING.get(..(end - at).min(step) as usize).unwrap_or(&PADDING))
}

impl<F: NorFlash, P: Platform> Sink for Receiver<'_, '_, '_, F, P> {
    type Error = Refusal<F::Error>;

    fn wanted(&self) -> u32 {
        self.received
    }

    fn begin(&mut self, header: Header) -> Result<(), Self::Error> {
        let (rules, wanted) = (self.item.rules, self.received);
        // What is in place is kept until the first sector that differs.
        self.fallback = wanted - u32::try_from(self.filled).unwrap_or(0);
        match (header.total_len_bytes, rules.artifact.len_bytes) {
            (Some(0), _) => return Err(ImageFault::Empty.into()),
            (Some(found_bytes), Some(wanted_bytes)) if found_bytes != wanted_bytes => {
                return Err(ImageFault::Length { wanted_bytes, found_bytes }.into());
            }
            (Some(total), _) if total > rules.room_bytes => {
                return Err(ImageFault::TooLong { room_bytes: rules.room_bytes }.into());
            }
            _ => {}
        }
        if header.offset == wanted {
            self.fallback = 0;
        } else if header.offset == 0 {
            self.restart();
        } else {
            return Err(ImageFault::Misplaced { wanted, found: header.offset }.into());
        }
        self.total = header.total_len_bytes;
        Ok(())
    }

    async fn data(&mut self, bytes: &[u8]) -> Result<Flow, Self::Error> {
        let was_complete = self.scan.is_complete();
        let before = self.received;
        // What follows the file does not matter.
        let left = self.length().map_or(u32::MAX, |length| length.saturating_sub(before)) as usize;
        self.take(bytes.get(..left).unwrap_or(bytes)).await?;
        let (name, total_bytes) = (self.item.name(), self.length());
        if before / CHECKPOINT_BYTES != self.received / CHECKPOINT_BYTES {
            let done_bytes = self.received;
            self.work.platform.event(&Event::Progress { name, done_bytes, total_bytes });
        }
        if self.length() == Some(self.received) {
            self.end().await?;
            return Ok(Flow::Enough);
        }
        // Try when all of the image's own bytes are there.
        if !was_complete && self.scan.is_complete() && self.predict().await? {
            return Ok(Flow::Enough);
        }
        Ok(Flow::Continue)
    }
}
