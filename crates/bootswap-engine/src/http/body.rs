//! The body of an answer, up to its end.
//!
//! Chunks are parsed here (RFC 9112, 7.1): a line that should have a chunk's size and has none is
//! not the end, and extensions after a size and trailers after the last chunk are skipped.
//!
//! ```text
//!   size [ ";" extension ... ] CRLF  data  CRLF      as often as there are chunks
//!   "0"  [ ";" extension ... ] CRLF  { trailer CRLF }  CRLF
//! ```

use embedded_io_async::Read;

use super::head::Head;
use super::stream::{Fault, Stream};

/// Most bytes of chunk extensions and trailers in one body.
const MAX_EXTRAS: u32 = 4096;
/// Most digits of a size: more than 32 bits need, since there may be leading zeros.
const MAX_DIGITS: u32 = 16;

/// Position in a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// In a body that ends with the connection.
    Endless,
    /// In a body of known length, with this many bytes left.
    Length(u32),
    /// Before the first chunk.
    Start,
    /// In a chunk, with this many bytes left.
    Data(u32),
    /// After the last chunk.
    End,
}

/// A body.
pub(super) struct Body<'b, C> {
    raw: Stream<'b, C>,
    at: At,
    extras: u32,
}

impl<'b, C: Read> Body<'b, C> {
    /// The body after this head.
    pub(super) fn new(raw: Stream<'b, C>, head: &Head) -> Self {
        let at = match head.len_bytes {
            _ if head.is_chunked => At::Start,
            Some(len_bytes) => At::Length(len_bytes),
            None => At::Endless,
        };
        Self { raw, at, extras: 0 }
    }

    /// The next bytes; none at the end, or if the connection ended before it.
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

    /// Whether a body that gives no more bytes is complete, as far as the server said how long it
    /// is.
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

    /// Skips the rest of a line, and returns its length without the line end.
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
