//! Checkpoints in one sector of flash: they save time after a reset, and count attempts.
//!
//! The sector is a row of cells of 16 bytes. Records are appended and never changed. The cell after
//! a progress record is for marks, one bit each, so that even the longest image leaves room in the
//! sector:
//!
//! ```text
//!   0      1          2      4         8         12        16
//!   | kind | artifact | 0xff | value   | extra   | CRC-32  |    little-endian
//!
//!   kind 1  attempt   an attempt begins; value counts from 1 since there was progress, extra says
//!                     how many before it lost power
//!   kind 2  progress  value bytes of the artifact are in place, extra is 0xffffffff
//!           marks     the cell behind it: every bit cleared, from the lowest on, is 8 KiB more
//!   kind 3  fetched   the artifact is complete: value is its length, extra how its SHA-256 begins
//!   kind 4  failed    the attempt ended by itself; value counts failures since there was progress
//! ```
//!
//! The CRC begins with a tag of the migration that the record belongs to; records of another
//! migration count as garbage.
//!
//! Attempts are counted from the last one that got further than all before it. Bytes that arrive a
//! second time, because a file was the wrong one or a server does not support ranges, are not
//! progress: otherwise a device would fetch them for ever. An attempt that begins and is never
//! recorded as failed was ended by something else: by a reset, which counts, or by a loss of power,
//! which does not.
//!
//! # Power-fail safety
//!
//! A torn record fails its CRC and is ignored; a torn mark is either set or not. A torn erase
//! leaves garbage or old records: at worst, the download continues from an earlier byte, or from a
//! later one, which the digest detects. Nothing is taken as true only because the journal says so.

pub(crate) use bootswap_plan::CHECKPOINT_BYTES;
use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, PAGE_BYTES, Region, is_blank};
use heapless::Vec;

use crate::FlashFailure;
use crate::medium::{Medium, PAGE};

/// Bytes of a cell.
const CELL_BYTES: u32 = 16;
const CELL: usize = CELL_BYTES as usize;
/// Marks that fit in a cell.
const MARKS: u32 = u128::BITS;
/// Most artifacts of a migration; more than are remembered are fetched again after a reset.
const MAX_FETCHED: usize = bootswap_plan::MAX_ARTIFACTS;

/// A record. Artifacts are identified by their index in the migration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// The n-th attempt since there was progress begins, after this many that lost power.
    Attempt { number: u32, lost: u32 },
    /// This many attempts have failed since there was progress.
    Failed(u32),
    /// This many bytes of the artifact are in place.
    Progress { artifact: u8, len_bytes: u32 },
    /// The artifact is complete.
    Fetched(Fetched),
}

/// An artifact that was fetched completely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fetched {
    pub artifact: u8,
    /// Bytes of the file.
    pub len_bytes: u32,
    /// The start of its SHA-256.
    pub digest: [u8; 4],
}

/// The cell of marks that continues the last progress record.
#[derive(Clone, Copy, Debug)]
struct Marks {
    at: FlashAddr,
    artifact: u8,
    base_bytes: u32,
    count: u32,
}

/// The journal of one migration on one device.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Its sector, and where the next record is written; `None` if there is no sector, or it
    /// failed.
    at: Option<(Region, FlashAddr)>,
    marks: Option<Marks>,
    tag: u32,
    /// Attempts that failed since there was progress.
    failed: u32,
    /// Whether an attempt has begun without progress and without a record of how it ended.
    open: bool,
    /// Successive attempts that lost power, not counting the open one.
    lost: u32,
    progress: Option<(u8, u32)>,
    /// The furthest point that this artifact ever reached, whether or not those bytes are still
    /// there.
    furthest: Option<(u8, u32)>,
    fetched: Vec<Fetched, MAX_FETCHED>,
}

impl Journal {
    /// Reads the journal in `sector`. A journal that cannot be read is empty.
    pub(crate) async fn load<F: NorFlash>(
        medium: &mut Medium<'_, F>,
        sector: Option<Region>,
        tag: u32,
    ) -> Self {
        let mut journal = Self {
            at: None,
            marks: None,
            tag,
            failed: 0,
            open: false,
            lost: 0,
            progress: None,
            furthest: None,
            fetched: Vec::new(),
        };
        if let Some(sector) = sector {
            // What was read before a failure is still a usable hint.
            journal.at = journal.read(medium, sector).await.ok().map(|next| (sector, next));
        }
        journal
    }

    /// Reads all records and returns where the next one is written.
    async fn read<F: NorFlash>(
        &mut self,
        medium: &mut Medium<'_, F>,
        sector: Region,
    ) -> Result<FlashAddr, FlashFailure<F::Error>> {
        let (mut next, mut ours, mut marked) = (sector.start(), false, None);
        let mut page = [0; PAGE];
        for chunk in sector.chunks(PAGE_BYTES) {
            medium.read(chunk.start(), &mut page).await?;
            let mut end = chunk.start();
            for cell in page.as_chunks::<CELL>().0 {
                end = end.saturating_add(CELL_BYTES);
                if let Some((artifact, base_bytes)) = marked.take() {
                    let more = u128::from_le_bytes(*cell).trailing_zeros() * CHECKPOINT_BYTES;
                    let len_bytes = u32::saturating_add(base_bytes, more);
                    self.apply(Entry::Progress { artifact, len_bytes });
                    next = end;
                    continue;
                }
                if let Some(entry) = parse(cell, self.tag) {
                    ours = true;
                    self.apply(entry);
                    if let Entry::Progress { artifact, len_bytes } = entry {
                        marked = Some((artifact, len_bytes));
                    }
                }
                if !is_blank(cell) {
                    next = end;
                }
            }
        }
        // A sector full of something else is erased before the first record; so is a full one.
        Ok(if ours || next == sector.start() { next } else { sector.end() })
    }

    /// Attempts that failed since there was progress.
    pub(crate) const fn failed(&self) -> u32 {
        self.failed
    }

    /// Whether an attempt has begun without progress and without a record of how it ended.
    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Successive attempts that lost power, not counting the open one.
    pub(crate) const fn lost(&self) -> u32 {
        self.lost
    }

    /// Bytes of the artifact that are in place according to the journal.
    pub(crate) fn progress(&self, artifact: u8) -> u32 {
        self.progress.filter(|(of, _)| *of == artifact).map_or(0, |(_, len_bytes)| len_bytes)
    }

    /// What is recorded about the artifact, if it was fetched completely.
    pub(crate) fn fetched(&self, artifact: u8) -> Option<Fetched> {
        self.fetched.iter().find(|fetched| fetched.artifact == artifact).copied()
    }

    /// Appends a record. A failure here is ignored: the journal only saves time.
    pub(crate) async fn note<F: NorFlash>(&mut self, medium: &mut Medium<'_, F>, entry: Entry) {
        self.apply(entry);
        if let Entry::Progress { artifact, len_bytes } = entry
            && self.mark(medium, artifact, len_bytes).await
        {
            return;
        }
        match self.at {
            Some((sector, next)) if sector.end().bytes_since(next) >= room_bytes(entry) => {
                self.append(medium, entry).await;
            }
            // The new record is applied already, so it is among those that are written again.
            Some((sector, _)) => self.start_over(medium, sector).await,
            None => {}
        }
    }

    /// Sets the next mark, if that is enough to record the entry.
    async fn mark<F: NorFlash>(
        &mut self,
        medium: &mut Medium<'_, F>,
        artifact: u8,
        len_bytes: u32,
    ) -> bool {
        let Some(Marks { at, base_bytes, count, .. }) =
            self.marks.filter(|m| m.artifact == artifact)
        else {
            return false;
        };
        let count = count + 1;
        let told = base_bytes.checked_add(count * CHECKPOINT_BYTES);
        if count > MARKS || told != Some(len_bytes) {
            return false;
        }
        // The word with the lowest bits cleared; those before it are cleared already.
        let (word, bit) = ((count - 1) / u32::BITS, (count - 1) % u32::BITS);
        let value = u32::MAX.checked_shl(bit + 1).unwrap_or(0);
        let done = medium.program(at.saturating_add(4 * word), &value.to_le_bytes()).await.is_ok();
        self.marks = done.then_some(Marks { at, artifact, base_bytes, count });
        done
    }

    /// Erases the sector and writes the known state again.
    async fn start_over<F: NorFlash>(&mut self, medium: &mut Medium<'_, F>, sector: Region) {
        let erased = match medium.is_blank(sector).await {
            Ok(true) => true,
            _ => medium.erase(sector).await.is_ok(),
        };
        self.at = erased.then_some((sector, sector.start()));
        for index in 0..self.fetched.len() {
            if let Some(fetched) = self.fetched.get(index).copied() {
                self.append(medium, Entry::Fetched(fetched)).await;
            }
        }
        for (artifact, len_bytes) in self.progress_records().into_iter().flatten() {
            self.append(medium, Entry::Progress { artifact, len_bytes }).await;
        }
        if self.open {
            let (number, lost) = (self.failed.saturating_add(1), self.lost);
            self.append(medium, Entry::Attempt { number, lost }).await;
        } else if self.failed > 0 {
            self.append(medium, Entry::Failed(self.failed)).await;
        }
    }

    /// The progress records to write: first the furthest point, unless it is the current one.
    fn progress_records(&self) -> [Option<(u8, u32)>; 2] {
        [self.furthest.filter(|furthest| self.progress != Some(*furthest)), self.progress]
    }

    /// Writes a record for which there is room.
    async fn append<F: NorFlash>(&mut self, medium: &mut Medium<'_, F>, entry: Entry) {
        let Some((sector, at)) = self.at else { return };
        let written = medium.program(at, &emit(entry, self.tag)).await.is_ok();
        self.at = written.then(|| (sector, at.saturating_add(room_bytes(entry))));
        self.marks = match entry {
            Entry::Progress { artifact, len_bytes: base_bytes } if written => {
                Some(Marks { at: at.saturating_add(CELL_BYTES), artifact, base_bytes, count: 0 })
            }
            _ => None,
        };
    }

    /// An attempt that got further than all before it does not count, however it ends.
    const fn got_somewhere(&mut self) {
        (self.failed, self.open, self.lost) = (0, false, 0);
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Attempt { number, lost } => {
                (self.failed, self.open, self.lost) = (number.saturating_sub(1), true, lost);
            }
            Entry::Failed(count) => (self.failed, self.open, self.lost) = (count, false, 0),
            Entry::Progress { artifact, len_bytes } => {
                self.progress = Some((artifact, len_bytes));
                if self.furthest.is_none_or(|(of, most)| of != artifact || most < len_bytes) {
                    self.furthest = self.progress;
                    self.got_somewhere();
                }
            }
            Entry::Fetched(fetched) => {
                if !self.fetched.contains(&fetched) {
                    self.got_somewhere();
                }
                self.fetched.retain(|known| known.artifact != fetched.artifact);
                let _ = self.fetched.push(fetched);
            }
        }
    }
}

/// Bytes of a record, with its marks.
fn room_bytes(entry: Entry) -> u32 {
    match entry {
        Entry::Progress { .. } => 2 * CELL_BYTES,
        Entry::Attempt { .. } | Entry::Fetched(_) | Entry::Failed(_) => CELL_BYTES,
    }
}

fn emit(entry: Entry, tag: u32) -> [u8; CELL] {
    let (kind, artifact, value, extra) = match entry {
        Entry::Attempt { number, lost } => (1, 0xff, number, lost.to_le_bytes()),
        Entry::Progress { artifact, len_bytes } => (2, artifact, len_bytes, [0xff; 4]),
        Entry::Fetched(Fetched { artifact, len_bytes, digest }) => (3, artifact, len_bytes, digest),
        Entry::Failed(count) => (4, 0xff, count, [0xff; 4]),
    };
    let [v0, v1, v2, v3] = value.to_le_bytes();
    let [e0, e1, e2, e3] = extra;
    let body = [kind, artifact, 0xff, 0xff, v0, v1, v2, v3, e0, e1, e2, e3];
    let [c0, c1, c2, c3] = crc(&body, tag).to_le_bytes();
    [kind, artifact, 0xff, 0xff, v0, v1, v2, v3, e0, e1, e2, e3, c0, c1, c2, c3]
}

fn parse(cell: &[u8; CELL], tag: u32) -> Option<Entry> {
    let [kind, artifact, _, _, v0, v1, v2, v3, e0, e1, e2, e3, stored @ ..] = *cell;
    let (body, _) = cell.split_at(CELL - stored.len());
    if crc(body, tag) != u32::from_le_bytes(stored) {
        return None;
    }
    let value = u32::from_le_bytes([v0, v1, v2, v3]);
    match kind {
        1 => Some(Entry::Attempt { number: value, lost: u32::from_le_bytes([e0, e1, e2, e3]) }),
        2 => Some(Entry::Progress { artifact, len_bytes: value }),
        3 => Some(Entry::Fetched(Fetched { artifact, len_bytes: value, digest: [e0, e1, e2, e3] })),
        4 => Some(Entry::Failed(value)),
        _ => None,
    }
}

fn crc(body: &[u8], tag: u32) -> u32 {
    let mut hasher = crate::crc::digest();
    hasher.update(&tag.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
