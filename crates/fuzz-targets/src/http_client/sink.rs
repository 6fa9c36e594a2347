//! Takes what the client passes on, and checks that it keeps to the rules of a sink.

use bootswap_engine::{Flow, Header, Sink};

/// Keeps bytes up to a limit.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    /// The bytes of the file from `first` on.
    pub(super) kept: Vec<u8>,
    /// Where in the file they begin.
    pub(super) first: u32,
    /// How many of them are refused with an error.
    pub(super) room: usize,
    /// How many of them are enough.
    pub(super) enough: usize,
    /// The header of the last answer.
    pub(super) header: Option<Header>,
    /// How many bytes were there before it.
    pub(super) before: usize,
    /// Whether nothing more may come of this answer.
    pub(super) is_done: bool,
}

/// The keeper had no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

impl Keeper {
    pub(super) fn new(first: u32, room: usize, enough: usize) -> Self {
        Self { first, room, enough, ..Self::default() }
    }

    /// The bytes of the last answer.
    pub(super) fn last(&self) -> &[u8] {
        &self.kept[self.before..]
    }

    /// Prepares for the next answer.
    pub(super) fn next(&mut self) {
        (self.header, self.is_done) = (None, false);
    }
}

impl Sink for Keeper {
    type Error = Full;

    fn wanted(&self) -> u32 {
        self.first + self.kept.len() as u32
    }

    fn begin(&mut self, header: Header) -> Result<(), Full> {
        assert_eq!(self.header, None, "an answer begins twice");
        if header.offset != self.wanted() {
            assert_eq!(header.offset, 0, "begins neither where it was wanted nor at the start");
            (self.first, self.kept) = (0, Vec::new());
        }
        (self.header, self.before) = (Some(header), self.kept.len());
        Ok(())
    }

    async fn data(&mut self, bytes: &[u8]) -> Result<Flow, Full> {
        assert!(self.header.is_some(), "bytes before a header");
        assert!(!self.is_done, "more than was wanted");
        assert!(!bytes.is_empty(), "an empty piece");
        if self.kept.len() + bytes.len() > self.room {
            self.is_done = true;
            return Err(Full);
        }
        self.kept.extend_from_slice(bytes);
        self.is_done = self.kept.len() >= self.enough;
        Ok(if self.is_done { Flow::Enough } else { Flow::Continue })
    }
}
