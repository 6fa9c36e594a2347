//! Checkpoints in one sector of flash: they save time after a reset, and count attempts.
//!
//! Records are appended, 16 bytes each, and never changed:
//!
//! ```text
//!   0      1      2      4         8         12        16
//!   | kind | step | 0xff | value   | tag     | CRC-32  |    little-endian
//!
//!   kind 1  attempt   the engine started; value counts from 1
//!   kind 2  progress  value bytes of the step's artifact are in place
//!   kind 3  fetched   the step's artifact is complete; value is how its SHA-256 begins
//! ```
//!
//! The tag says which migration the record belongs to; records of another one count as garbage.
//!
//! # Power-fail safety
//!
//! A torn record fails its CRC and is passed over. A torn erase leaves garbage or old records: the
//! worst that follows is a download from an earlier byte, or from a later one, which the digest
//! finds out. Nothing is believed because the journal says it.

use embedded_storage_async::nor_flash::NorFlash;
use flash_region::{FlashAddr, Region, is_blank};

use crate::FlashFailure;
use crate::medium::{Medium, PAGE};

/// Bytes of a record.
const RECORD: usize = 16;

/// What a record says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// The engine started for the n-th time since there was progress.
    Attempt(u32),
    /// So many bytes of the step's artifact are in place.
    Progress { step: u8, len_bytes: u32 },
    /// The step's artifact is complete; its SHA-256 begins with these bytes.
    Fetched { step: u8, digest: [u8; 4] },
}

/// The journal of one migration on one device.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Its sector, and where the next record goes; `None` where no sector is free.
    at: Option<(Region, FlashAddr)>,
    tag: u32,
    attempts: u32,
    progress: Option<(u8, u32)>,
    fetched: heapless::Vec<(u8, [u8; 4]), 8>,
}

impl Journal {
    /// Reads the journal in `sector`.
    pub(crate) async fn load<F: NorFlash>(
        medium: &mut Medium<'_, F>,
        sector: Option<Region>,
        tag: u32,
    ) -> Result<Self, FlashFailure<F::Error>> {
        let mut journal =
            Self { at: None, tag, attempts: 0, progress: None, fetched: heapless::Vec::new() };
        let Some(sector) = sector else { return Ok(journal) };
        let (mut next, mut ours) = (sector.start(), false);
        let mut page = [0; PAGE];
        for chunk in sector.chunks(flash_region::PAGE_BYTES) {
            medium.read(chunk.start(), &mut page).await?;
            for (index, record) in (1u32..).zip(page.as_chunks::<RECORD>().0) {
                if let Some(entry) = parse(record, tag) {
                    ours = true;
                    journal.apply(entry);
                }
                if !is_blank(record) {
                    next = chunk.start().saturating_add(index * RECORD as u32);
                }
            }
        }
        // A sector full of something else is erased before the first record, as is a full one.
        let next = if ours || next == sector.start() { next } else { sector.end() };
        journal.at = Some((sector, next));
        Ok(journal)
    }

    /// Attempts since there was progress, this one not counted.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Bytes of the step's artifact that are said to be in place.
    pub(crate) fn progress(&self, step: u8) -> u32 {
        self.progress.filter(|(of, _)| *of == step).map_or(0, |(_, len_bytes)| len_bytes)
    }

    /// How the digest of the step's artifact begins, if it was fetched completely.
    pub(crate) fn fetched(&self, step: u8) -> Option<[u8; 4]> {
        self.fetched.iter().rev().find(|(of, _)| *of == step).map(|(_, digest)| *digest)
    }

    /// Appends a record. Failing to is no failure: the journal only saves time.
    pub(crate) async fn note<F: NorFlash>(&mut self, medium: &mut Medium<'_, F>, entry: Entry) {
        self.apply(entry);
        let Some((sector, next)) = self.at else { return };
        if next < sector.end() {
            self.append(medium, sector, next, entry).await;
        } else if self.start_over(medium, sector).await.is_err() {
            self.at = None;
        } else if let Some((_, next)) = self.at {
            self.append(medium, sector, next, entry).await;
        }
    }

    /// Erases the sector and writes anew what is still of use.
    async fn start_over<F: NorFlash>(
        &mut self,
        medium: &mut Medium<'_, F>,
        sector: Region,
    ) -> Result<(), FlashFailure<F::Error>> {
        if !medium.is_blank(sector).await? {
            medium.erase(sector).await?;
        }
        self.at = Some((sector, sector.start()));
        for (step, digest) in self.fetched.clone() {
            let Some((_, next)) = self.at else { break };
            self.append(medium, sector, next, Entry::Fetched { step, digest }).await;
        }
        Ok(())
    }

    async fn append<F: NorFlash>(
        &mut self,
        medium: &mut Medium<'_, F>,
        sector: Region,
        at: FlashAddr,
        entry: Entry,
    ) {
        let written = medium.program(at, &emit(entry, self.tag)).await;
        self.at = written.is_ok().then(|| (sector, at.saturating_add(RECORD as u32)));
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Attempt(count) => self.attempts = count,
            Entry::Progress { step, len_bytes } => {
                self.attempts = 0;
                self.progress = Some((step, len_bytes));
            }
            Entry::Fetched { step, digest } => {
                self.attempts = 0;
                self.fetched.retain(|(of, _)| *of != step);
                // More steps than there is room for are fetched again after a reset.
                let _ = self.fetched.push((step, digest));
            }
        }
    }
}

fn emit(entry: Entry, tag: u32) -> [u8; RECORD] {
    let (kind, step, value) = match entry {
        Entry::Attempt(count) => (1, 0, count.to_le_bytes()),
        Entry::Progress { step, len_bytes } => (2, step, len_bytes.to_le_bytes()),
        Entry::Fetched { step, digest } => (3, step, digest),
    };
    let [v0, v1, v2, v3] = value;
    let [t0, t1, t2, t3] = tag.to_le_bytes();
    let body = [kind, step, 0xff, 0xff, v0, v1, v2, v3, t0, t1, t2, t3];
    let [c0, c1, c2, c3] = crc32fast::hash(&body).to_le_bytes();
    [kind, step, 0xff, 0xff, v0, v1, v2, v3, t0, t1, t2, t3, c0, c1, c2, c3]
}

fn parse(record: &[u8; RECORD], tag: u32) -> Option<Entry> {
    let [kind, step, _, _, v0, v1, v2, v3, t0, t1, t2, t3, c0, c1, c2, c3] = *record;
    let (body, _) = record.split_at(RECORD - 4);
    let whole = crc32fast::hash(body) == u32::from_le_bytes([c0, c1, c2, c3]);
    if !whole || u32::from_le_bytes([t0, t1, t2, t3]) != tag {
        return None;
    }
    let value = [v0, v1, v2, v3];
    match kind {
        1 => Some(Entry::Attempt(u32::from_le_bytes(value))),
        2 => Some(Entry::Progress { step, len_bytes: u32::from_le_bytes(value) }),
        3 => Some(Entry::Fetched { step, digest: value }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use nor_sim::{Driver, NorMemory};
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        prop_oneof![
            any::<u32>().prop_map(Entry::Attempt),
            any::<(u8, u32)>().prop_map(|(step, len_bytes)| Entry::Progress { step, len_bytes }),
            any::<(u8, [u8; 4])>().prop_map(|(step, digest)| Entry::Fetched { step, digest }),
        ]
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        nor_sim::run_until_powered_off(future, &nor_sim::Power::new()).unwrap()
    }

    const SECTOR: Region = Region::clamped(FlashAddr(0x1000), 0x1000);

    proptest! {
        #[test]
        fn a_record_reads_as_written(entry in entry(), tag: u32) {
            prop_assert_eq!(parse(&emit(entry, tag), tag), Some(entry));
        }

        #[test]
        fn a_record_of_another_migration_is_garbage(entry in entry(), tag: u32) {
            prop_assert_eq!(parse(&emit(entry, tag), !tag), None);
        }

        #[test]
        fn no_flipped_bit_goes_unnoticed(entry in entry(), tag: u32, bit in 0..128usize) {
            let mut record = emit(entry, tag);
            record[bit / 8] ^= 1 << (bit % 8);
            // The two bytes that carry nothing are covered by the CRC as well.
            prop_assert_eq!(parse(&record, tag), None);
        }
    }

    #[test]
    fn progress_survives_a_reset_and_a_torn_record() {
        let mut driver = Driver::new(NorMemory::erased(0x4000));
        run(async {
            let mut medium = Medium::new(&mut driver);
            let mut journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            journal.note(&mut medium, Entry::Attempt(1)).await;
            journal.note(&mut medium, Entry::Progress { step: 2, len_bytes: 8192 }).await;
            // Half a record, as a power cut leaves it.
            medium.program(FlashAddr(0x1020), &[2, 2, 0xff, 0xff, 0, 0x30]).await.unwrap();
            let mut journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            assert_eq!(journal.progress(2), 8192);
            assert_eq!(journal.progress(1), 0);
            assert_eq!(journal.attempts(), 0);
            journal.note(&mut medium, Entry::Attempt(1)).await;
            let journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            assert_eq!((journal.attempts(), journal.progress(2)), (1, 8192));
        });
    }

    #[test]
    fn old_data_in_the_sector_is_erased_before_the_first_record() {
        let mut memory = NorMemory::erased(0x4000);
        memory.load_noise(SECTOR, 1);
        let mut driver = Driver::new(memory);
        run(async {
            let mut medium = Medium::new(&mut driver);
            let mut journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            journal.note(&mut medium, Entry::Attempt(3)).await;
            let journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            assert_eq!(journal.attempts(), 3);
        });
        assert_eq!(driver.device().erase_count(SECTOR.start()), 1);
    }

    #[test]
    fn a_full_journal_starts_over_and_keeps_what_was_fetched() {
        let mut driver = Driver::new(NorMemory::erased(0x4000));
        run(async {
            let mut medium = Medium::new(&mut driver);
            let mut journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            journal.note(&mut medium, Entry::Fetched { step: 1, digest: [1, 2, 3, 4] }).await;
            for len_bytes in 0..256 {
                journal.note(&mut medium, Entry::Progress { step: 3, len_bytes }).await;
            }
            let journal = Journal::load(&mut medium, Some(SECTOR), 7).await.unwrap();
            assert_eq!(journal.fetched(1), Some([1, 2, 3, 4]));
            assert_eq!(journal.progress(3), 255);
        });
        assert_eq!(driver.device().erase_count(SECTOR.start()), 1);
    }
}
