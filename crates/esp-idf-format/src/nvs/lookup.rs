//! Looks for one binary value, page after page.
//!
//! ```text
//!   namespace ──> value ──┬─> one entry ─────────────> found
//!                 ^       └─> index ──> chunk, chunk ──> found
//!                 └── a chunk is missing: an older one?
//! ```
//!
//! Each arrow is a turn, in which all pages are looked at once.

use super::NvsError;
use super::page::{Entry, PAGE_LEN_BYTES, Page};
use crate::cursor::Reader;

/// Types of entries (`ItemType`).
const U8: u8 = 0x01;
const BLOB: u8 = 0x41;
const BLOB_DATA: u8 = 0x42;
const BLOB_INDEX: u8 = 0x48;

/// Largest number of versions of a value that are tried. There are at most two, unless flash is
/// damaged.
const MAX_TRIES: u8 = 4;
/// Largest number of chunks of a value. Values are cut at the ends of pages, and those that are
/// looked up are short.
const MAX_CHUNKS: u8 = 8;

/// How old an entry is: sequence of its page, and its place there.
type Rank = (u32, usize);

/// A search for one binary value of at most `N` bytes.
#[derive(Clone, Debug)]
pub struct Lookup<'k, const N: usize> {
    namespace: &'k str,
    key: &'k str,
    stage: Stage,
    /// The newest that was found in this turn.
    best: Option<(Rank, Match)>,
    /// Only older entries count.
    before: Option<Rank>,
    tries: u8,
    damaged: bool,
    pages: u32,
    written: u32,
    sound: u32,
    value: [u8; N],
    filled: usize,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The namespace's number.
    Namespace,
    /// The value, or its index.
    Value { namespace: u8 },
    /// A chunk of the value.
    Chunk { namespace: u8, index: Index, number: u8, of: Rank },
}

/// What an index says.
#[derive(Clone, Copy, Debug)]
struct Index {
    len_bytes: u32,
    chunks: u8,
    first: u8,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
enum Match {
    Namespace(u8),
    Index(Index),
    /// Bytes in the value's buffer, after those of the chunks before.
    Bytes(usize),
    TooLong(u32),
}

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupProgress {
    /// All pages have to be passed once more.
    Again,
    /// [`Lookup::value`] is the value.
    Found,
}

impl<'k, const N: usize> Lookup<'k, N> {
    /// A search for the value of `key` in `namespace`.
    #[must_use]
    pub const fn new(namespace: &'k str, key: &'k str) -> Self {
        Self {
            namespace,
            key,
            stage: Stage::Namespace,
            best: None,
            before: None,
            tries: 0,
            damaged: false,
            pages: 0,
            written: 0,
            sound: 0,
            value: [0; N],
            filled: 0,
        }
    }

    /// Looks at a page. The order of pages does not matter, but each has to be passed once in every
    /// turn.
    pub fn page(&mut self, bytes: &[u8]) {
        let Some(page) = Page::parse(bytes) else { return };
        self.pages = self.pages.saturating_add(1);
        for entry in page.entries() {
            self.written = self.written.saturating_add(1);
            if let Some(entry) = entry {
                self.sound = self.sound.saturating_add(1);
                self.entry((page.seq, entry.index), &entry);
            }
        }
    }

    fn entry(&mut self, rank: Rank, entry: &Entry<'_>) {
        let newer = self.best.is_none_or(|(best, _)| rank >= best);
        let in_time = self.before.is_none_or(|before| rank < before);
        let found = match self.stage {
            Stage::Namespace => {
                let named =
                    entry.namespace == 0 && entry.kind == U8 && entry.is_called(self.namespace);
                let [number, ..] = entry.data;
                (newer && named).then_some(Match::Namespace(number))
            }
            Stage::Value { namespace } => {
                let wanted = entry.namespace == namespace && entry.is_called(self.key);
                if !(newer && in_time && wanted) {
                    return;
                }
                match entry.kind {
                    BLOB => self.take(entry),
                    BLOB_INDEX => Some(self.index(entry)),
                    _ => None,
                }
            }
            Stage::Chunk { namespace, index, number, .. } => {
                let wanted = entry.namespace == namespace
                    && entry.kind == BLOB_DATA
                    && entry.chunk == index.first.wrapping_add(number)
                    && entry.is_called(self.key);
                if newer && wanted { self.take(entry) } else { None }
            }
        };
        if let Some(found) = found {
            self.best = Some((rank, found));
        }
    }

    /// Copies the bytes of an entry after those that are there.
    fn take(&mut self, entry: &Entry<'_>) -> Option<Match> {
        let Some(bytes) = entry.value() else {
            self.damaged = true;
            return None;
        };
        let room = self.value.get_mut(self.filled..).unwrap_or_default();
        match room.get_mut(..bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                Some(Match::Bytes(bytes.len()))
            }
            None => Some(Match::TooLong(u32::try_from(bytes.len()).unwrap_or(u32::MAX))),
        }
    }

    fn index(&self, entry: &Entry<'_>) -> Match {
        let mut fields = Reader::new(&entry.data);
        let len_bytes = fields.u32().unwrap_or(u32::MAX);
        let (chunks, first) = (fields.u8().unwrap_or(0), fields.u8().unwrap_or(0));
        if usize::try_from(len_bytes).is_ok_and(|len| len <= N) {
            Match::Index(Index { len_bytes, chunks, first })
        } else {
            Match::TooLong(len_bytes)
        }
    }

    /// Ends a turn, after all pages were passed to [`page`](Self::page), and says what comes next.
    ///
    /// # Errors
    ///
    /// An [`NvsError`] if there is no such value.
    pub fn turn(&mut self) -> Result<LookupProgress, NvsError> {
        let best = self.best.take();
        match (self.stage, best) {
            (Stage::Namespace, Some((_, Match::Namespace(namespace)))) => {
                self.stage = Stage::Value { namespace };
                Ok(LookupProgress::Again)
            }
            (Stage::Namespace, _) => Err(match (self.pages, self.sound) {
                (0, _) => NvsError::NoPages,
                (_, 0) if self.written > 0 => NvsError::Unreadable { entries: self.written },
                _ => NvsError::NoNamespace,
            }),
            (Stage::Value { .. }, Some((_, Match::Bytes(len)))) => {
                self.filled = len;
                Ok(LookupProgress::Found)
            }
            (Stage::Value { namespace }, Some((of, Match::Index(index)))) => {
                self.filled = 0;
                self.chunks(namespace, index, 0, of)
            }
            (Stage::Chunk { namespace, index, number, of }, Some((_, Match::Bytes(len)))) => {
                self.filled += len;
                self.chunks(namespace, index, number + 1, of)
            }
            (Stage::Value { .. }, Some((_, Match::TooLong(len_bytes)))) => {
                Err(NvsError::TooLong { len_bytes, room_bytes: N })
            }
            (Stage::Value { .. }, _) => {
                Err(if self.damaged { NvsError::Damaged } else { NvsError::NoKey })
            }
            (Stage::Chunk { namespace, of, .. }, _) => self.older(namespace, of),
        }
    }

    /// Continues with that chunk, or ends if there are no more.
    fn chunks(
        &mut self,
        namespace: u8,
        index: Index,
        number: u8,
        of: Rank,
    ) -> Result<LookupProgress, NvsError> {
        if number < index.chunks.min(MAX_CHUNKS) {
            self.stage = Stage::Chunk { namespace, index, number, of };
            return Ok(LookupProgress::Again);
        }
        if number == index.chunks && usize::try_from(index.len_bytes) == Ok(self.filled) {
            return Ok(LookupProgress::Found);
        }
        self.older(namespace, of)
    }

    /// Looks for a value that is older than the one at that rank, which is incomplete.
    fn older(&mut self, namespace: u8, of: Rank) -> Result<LookupProgress, NvsError> {
        self.tries += 1;
        if self.tries >= MAX_TRIES {
            return Err(NvsError::Damaged);
        }
        (self.damaged, self.before, self.filled) = (true, Some(of), 0);
        self.stage = Stage::Value { namespace };
        Ok(LookupProgress::Again)
    }

    /// The value, once it was found.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.value.get(..self.filled).unwrap_or_default()
    }
}

/// Looks for a value in a whole partition.
///
/// # Errors
///
/// As [`Lookup::turn`].
pub fn find<'l, const N: usize>(
    partition: &[u8],
    lookup: &'l mut Lookup<'_, N>,
) -> Result<&'l [u8], NvsError> {
    loop {
        partition.chunks_exact(PAGE_LEN_BYTES).for_each(|page| lookup.page(page));
        if lookup.turn()? == LookupProgress::Found {
            return Ok(lookup.value());
        }
    }
}
