//! The body of an answer, read piece by piece while it is sent.
//!
//! ```text
//!   0 ............ source_len_bytes | fill ... len_bytes       the file, and what a fault adds
//!        ^ flipped            range: what is sent of it
//! ```

use std::io::{self, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::content::{Bytes, Opened};

/// Bytes that are read, and handed to the connection, at once.
pub(crate) const PIECE_BYTES: usize = 16 * 1024;
/// Byte that follows the file in an answer that is made too long: neither erased flash nor zero.
const OVERSIZE_FILL: u8 = 0xa5;

/// Part of a file, or of bytes that other answers may share.
#[derive(Debug)]
pub(crate) struct Body {
    source: Source,
    source_len_bytes: u64,
    /// The byte of the source whose lowest bit is flipped.
    flipped: Option<u64>,
    /// The part that is still to be read.
    range: Range<u64>,
    /// Bytes that were read, of which the first `handed` were handed over.
    buffer: Vec<u8>,
    handed: usize,
}

#[derive(Debug)]
enum Source {
    Memory(Arc<[u8]>),
    /// The file, and where in it the next byte comes from.
    Disk(tokio::fs::File, u64),
}

impl Body {
    /// All of a file.
    pub(crate) fn of(opened: Opened) -> Self {
        let source = match opened.bytes {
            Bytes::Memory(bytes) => Source::Memory(bytes),
            Bytes::Disk(file) => Source::Disk(tokio::fs::File::from_std(file), 0),
        };
        Self::new(source, opened.len_bytes)
    }

    fn new(source: Source, len_bytes: u64) -> Self {
        let (buffer, range) = (Vec::new(), 0..len_bytes);
        Self { source, source_len_bytes: len_bytes, flipped: None, range, buffer, handed: 0 }
    }

    /// Adds `count` bytes after the file.
    pub(crate) const fn lengthen(&mut self, count: u64) {
        self.range.end = self.range.end.saturating_add(count);
    }

    /// Flips the lowest bit of the byte at `offset`: of the last byte if there are fewer, of the
    /// byte in the middle without an offset.
    pub(crate) fn flip(&mut self, offset: Option<u64>) {
        let last = self.source_len_bytes.checked_sub(1);
        self.flipped = last.map(|last| offset.unwrap_or(self.source_len_bytes / 2).min(last));
    }

    /// Keeps only that part.
    pub(crate) const fn cut(&mut self, range: Range<u64>) {
        self.range = range;
    }

    /// Bytes that are still to be handed over.
    pub(crate) const fn len_bytes(&self) -> u64 {
        self.range.end - self.range.start + (self.buffer.len() - self.handed) as u64
    }

    /// The next bytes, not more than `most`; none at the end.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or has become shorter.
    pub(crate) async fn next(&mut self, most: usize) -> io::Result<&[u8]> {
        if self.handed == self.buffer.len() {
            self.handed = 0;
            self.fill().await?;
        }
        let len = most.min(self.buffer.len() - self.handed);
        let bytes = self.buffer.get(self.handed..self.handed + len).unwrap_or_default();
        self.handed += len;
        Ok(bytes)
    }

    async fn fill(&mut self) -> io::Result<()> {
        let Range { start, end } = self.range;
        let end = end.min(start + PIECE_BYTES as u64);
        // Neither is longer than a piece, so both fit.
        let len = (end - start) as usize;
        let of_source = (end.min(self.source_len_bytes).saturating_sub(start)) as usize;
        self.buffer.clear();
        self.buffer.resize(len, OVERSIZE_FILL);
        let piece = self.buffer.get_mut(..of_source).unwrap_or_default();
        match &mut self.source {
            Source::Memory(bytes) => {
                let from = usize::try_from(start).unwrap_or(usize::MAX);
                let held = bytes.get(from..).unwrap_or_default();
                for (byte, held) in piece.iter_mut().zip(held) {
                    *byte = *held;
                }
            }
            Source::Disk(file, at) => {
                if *at != start {
                    file.seek(SeekFrom::Start(start)).await?;
                }
                file.read_exact(piece).await?;
                *at = start + of_source as u64;
            }
        }
        if let Some(flipped) = self.flipped.and_then(|at| at.checked_sub(start))
            && let Some(byte) = usize::try_from(flipped).ok().and_then(|at| piece.get_mut(at))
        {
            *byte ^= 1;
        }
        self.range.start = end;
        Ok(())
    }
}

impl<B: Into<Arc<[u8]>>> From<B> for Body {
    fn from(bytes: B) -> Self {
        let bytes = bytes.into();
        let len_bytes = bytes.len() as u64;
        Self::new(Source::Memory(bytes), len_bytes)
    }
}
