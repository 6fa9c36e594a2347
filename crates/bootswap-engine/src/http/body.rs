//! The body of an answer, to its end and no further.
//!
//! Chunks are taken apart here (RFC 9112, 7.1): a line that should have a chunk's size and has none
//! is no end, and what servers may put behind a size, or behind the last chunk, is passed over.
//!
//! ```text
//!   size [ ";" extension ... ] CRLF  data  CRLF      as often as there are chunks
//!   "0"  [ ";" extension ... ] CRLF  { trailer CRLF }  CRLF
//! ```

use embedded_io_async::Read;

use super::head::Head;
use super::stream::{Fault, Stream};

/// Most bytes of extensions and trailers of one body.
const MAX_EXTRAS: u32 = 4096;
/// Most digits of a size: more than 32 bits have, for there may be zeros before them.
const MAX_DIGITS: u32 = 16;

/// Where in a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// In one that ends with the connection.
    Endless,
    /// In one of known length, with so many bytes left.
    Length(u32),
    /// Before the first chunk.
    Start,
    /// In a chunk, with so many bytes left.
    Data(u32),
    /// Behind the last chunk.
    End,
}

/// A body.
pub(super) struct Body<'b, C> {
    raw: Stream<'b, C>,
    at: At,
    extras: u32,
}

impl<'b, C: Read> Body<'b, C> {
    /// The body behind that head.
    pub(super) fn new(raw: Stream<'b, C>, head: &Head) -> Self {
        let at = match head.len_bytes {
            _ if head.is_chunked => At::Start,
            Some(len_bytes) => At::Length(len_bytes),
            None => At::Endless,
        };
        Self { raw, at, extras: 0 }
    }

    /// The bytes that come next; none at the end, and where the connection ended before it.
    pub(super) async fn fill_buf(&mut self) -> Result<&[u8], Fault> {
        if self.at == At::Data(0) && self.line().await? > 0 {
            return Err(Fault::Syntax);
        }
        if matches!(self.at, At::Start | At::Data(0)) {
            self.at = match self.size().await? {
                0 => {
                    while self.line().await? > 0 {}
                    At::End
                }
                size => At::Data(size),
            };
        }
        let left = match self.at {
            At::Data(left) | At::Length(left) if left > 0 => left as usize,
            At::Endless => usize::MAX,
            _ => return Ok(&[]),
        };
        let bytes = self.raw.fill_buf().await?;
        Ok(bytes.get(..left).unwrap_or(bytes))
    }

    pub(super) fn consume(&mut self, len: usize) {
        if let At::Data(left) | At::Length(left) = &mut self.at {
            *left = left.saturating_sub(u32::try_from(len).unwrap_or(u32::MAX));
        }
        self.raw.consume(len);
    }

    /// Whether a body that gives no more bytes has come to its end, as far as the server said where
    /// that is.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.at, At::Endless | At::Length(0) | At::End)
    }

    /// Reads the line with a chunk's size.
    async fn size(&mut self) -> Result<u32, Fault> {
        let (mut size, mut digits) = (0u32, 0);
        let behind = loop {
            let byte = self.raw.byte().await?;
            let Some(digit) = char::from(byte).to_digit(16) else { break byte };
            size = size.checked_mul(16).ok_or(Fault::Syntax)? | digit;
            digits += 1;
            if digits > MAX_DIGITS {
                return Err(Fault::Syntax);
            }
        };
        match behind {
            _ if digits == 0 => Err(Fault::Syntax),
            b'\r' if self.raw.byte().await? == b'\n' => Ok(size),
            b';' | b' ' | b'\t' => self.line().await.map(|_| size),
            _ => Err(Fault::Syntax),
        }
    }

    /// Passes over the rest of a line, and says how many bytes that was without its end.
    async fn line(&mut self) -> Result<u32, Fault> {
        let mut len = 0;
        loop {
            match self.raw.byte().await? {
                b'\r' if self.raw.byte().await? == b'\n' => return Ok(len),
                b'\r' | b'\n' => return Err(Fault::Syntax),
                _ => len += 1,
            }
            self.extras += 1;
            if self.extras > MAX_EXTRAS {
                return Err(Fault::Syntax);
            }
        }
    }
}
