//! The head of an answer, line by line: only the headers that are used are kept.
//!
//! ```text
//!   "HTTP/1." digit SP status [ SP reason ] EOL      1xx: passed over with its headers, and again
//!   { name ":" value EOL }                           in any number, up to MAX_HEAD_LEN_BYTES
//!   EOL                                              CR LF, or LF alone (RFC 9112, 2.2)
//! ```

use embedded_io_async::Read;
use heapless::String;

use super::location::Location;
use super::stream::{Fault, Stream};
use crate::source::{Encoding, MAX_HEAD_LEN_BYTES};

/// Longest entity tag that is kept, in bytes.
pub(super) const MAX_ETAG: usize = 72;
/// Longest value that is used, except URLs.
const MAX_VALUE: usize = 80;
/// Longest name that is used: `transfer-encoding`.
const MAX_NAME: usize = 17;

/// The parts of a head that are used.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// Bytes of the body; a larger number is clamped to 32 bits.
    pub(super) len_bytes: Option<u32>,
    /// Whether the body comes in chunks.
    pub(super) is_chunked: bool,
    /// First byte and length of the file, for a partial answer.
    pub(super) range: Option<(u32, Option<u32>)>,
    /// The entity tag, if it is a strong one.
    pub(super) etag: Option<String<MAX_ETAG>>,
    /// Content encoding of the body, if any.
    pub(super) encoding: Option<Encoding>,
}

/// Reads a head, and stores the new URL of a redirection.
pub(super) async fn read<C: Read>(
    stream: &mut Stream<'_, C>,
    location: &mut Location<'_, '_>,
) -> Result<Head, Fault> {
    let mut lines = Lines { stream, left: MAX_HEAD_LEN_BYTES };
    loop {
        let mut head = Head { status: lines.status().await?, ..Head::default() };
        // No other protocol was requested, so 101 is not an interim answer.
        let is_passed_over = (100..200).contains(&head.status) && head.status != 101;
        let leads = matches!(head.status, 301 | 302 | 303 | 307 | 308);
        loop {
            let Some(name) = lines.name().await? else { break };
            if leads && name.eq_ignore_ascii_case("location") && location.is_empty() {
                lines.value(|byte| location.push(byte)).await?;
                location.end();
                continue;
            }
            let mut value = Value::default();
            lines.value(|byte| value.push(byte)).await?;
            if !is_passed_over {
                head.header(&name, &value)?;
            }
        }
        if !is_passed_over {
            // A length together with another framing shows that something in between is confused
            // (RFC 9112, 6.3).
            let is_confused = head.is_chunked && head.len_bytes.is_some();
            return if is_confused { Err(Fault::Syntax) } else { Ok(head) };
        }
    }
}

impl Head {
    fn header(&mut self, name: &str, value: &Value) -> Result<(), Fault> {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        if is("content-length") {
            let len_bytes = value.text().and_then(number).ok_or(Fault::Syntax)?;
            // Contradicting lengths show the same.
            if self.len_bytes.is_some_and(|other| other != len_bytes) {
                return Err(Fault::Syntax);
            }
            self.len_bytes = Some(len_bytes);
        } else if is("transfer-encoding") {
            let is_known = value.text().is_some_and(|text| text.eq_ignore_ascii_case("chunked"));
            if !is_known || self.is_chunked {
                return Err(Fault::Syntax);
            }
            self.is_chunked = true;
        } else if is("content-range") {
            self.range = self.range.or_else(|| value.text().and_then(content_range));
        } else if is("etag") {
            // A weak tag does not promise the same bytes, so it cannot be used for a range.
            let tag = value.text().filter(|tag| tag.starts_with('"'));
            self.etag = tag.and_then(|tag| String::try_from(tag).ok());
        } else if is("content-encoding") {
            let text = value.text().unwrap_or("?");
            if !text.is_empty() && !text.eq_ignore_ascii_case("identity") {
                self.encoding = Some(Encoding::new(text));
            }
        }
        Ok(())
    }
}

/// A value that is used; `is_cut` if it is longer than any that is used.
#[derive(Default)]
struct Value {
    bytes: heapless::Vec<u8, MAX_VALUE>,
    is_cut: bool,
}

impl Value {
    fn push(&mut self, byte: u8) {
        self.is_cut |= self.bytes.push(byte).is_err();
    }

    fn text(&self) -> Option<&str> {
        let text = core::str::from_utf8(&self.bytes).ok().map(str::trim);
        text.filter(|_| !self.is_cut)
    }
}

/// The lines of a head.
struct Lines<'s, 'b, C> {
    stream: &'s mut Stream<'b, C>,
    /// Bytes that are still accepted.
    left: usize,
}

impl<C: Read> Lines<'_, '_, C> {
    async fn byte(&mut self) -> Result<u8, Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault::TooLong)?;
        self.stream.byte().await
    }

    /// The status, of the first line that is not empty.
    async fn status(&mut self) -> Result<u16, Fault> {
        let mut first = self.byte().await?;
        while matches!(first, b'\r' | b'\n') {
            first = self.byte().await?;
        }
        for wanted in *b"HTTP/1." {
            if first != wanted {
                return Err(Fault::Syntax);
            }
            first = self.byte().await?;
        }
        if !first.is_ascii_digit() || self.byte().await? != b' ' {
            return Err(Fault::Syntax);
        }
        let mut status = 0;
        for _ in 0..3 {
            let digit = char::from(self.byte().await?).to_digit(10).ok_or(Fault::Syntax)?;
            status = status * 10 + digit as u16;
        }
        match self.byte().await? {
            b'\n' => {}
            b'\r' if self.byte().await? == b'\n' => {}
            b' ' => self.value(|_| ()).await?,
            _ => return Err(Fault::Syntax),
        }
        Ok(status)
    }

    /// The name of the next header, empty if it is not used; `None` at the end of the head.
    async fn name(&mut self) -> Result<Option<String<MAX_NAME>>, Fault> {
        let (mut name, mut len) = (String::new(), 0_usize);
        loop {
            match self.byte().await? {
                b'\r' if len == 0 && self.byte().await? == b'\n' => return Ok(None),
                b'\n' if len == 0 => return Ok(None),
                b':' if len > 0 => break,
                byte if byte.is_ascii_graphic() && byte != b':' => {
                    // A name that does not fit is not used.
                    let _ = name.push(char::from(byte));
                    len += 1;
                }
                _ => return Err(Fault::Syntax),
            }
        }
        if len > MAX_NAME {
            name.clear();
        }
        Ok(Some(name))
    }

    /// Passes the rest of a line on, without the line end.
    async fn value(&mut self, mut take: impl FnMut(u8)) -> Result<(), Fault> {
        loop {
            match self.byte().await? {
                b'\n' => return Ok(()),
                b'\r' if self.byte().await? == b'\n' => return Ok(()),
                byte if byte == b'\t' || (byte >= b' ' && byte != 0x7f) => take(byte),
                _ => return Err(Fault::Syntax),
            }
        }
    }
}

/// A length, only digits; one of more than 32 bits is more than any sink accepts.
fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

/// First byte and length of the file from a `Content-Range: bytes 500-999/1000` (RFC 9110, 14.4).
pub(super) fn content_range(value: &str) -> Option<(u32, Option<u32>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first <= last && total.is_none_or(|total: u32| last < total)).then_some((first, total))
}
