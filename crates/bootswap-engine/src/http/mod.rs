//! Artifacts over HTTP, through reqwless and whatever network implements embedded-nal-async.
//!
//! | server | what is done |
//! | --- | --- |
//! | 200 | the whole file, from its first byte, whatever was asked for |
//! | 206 | with a `Content-Range` that begins where it was asked to; else asked again without |
//! | 3xx | followed, at most five times |
//! | 416 | the file is shorter than what is in place already: asked again without a range |
//! | else | an error with the status |
//!
//! A transfer is resumed with `Range` and, where the server gave a strong `ETag`, with `If-Range`,
//! so that a file which was replaced meanwhile is sent whole. Timeouts are the network's: a
//! connection whose read fails with `TimedOut` counts as stalled.

use core::fmt::Write as _;
use core::net::SocketAddr;

use bootswap_plan::{MAX_URL_LEN_BYTES, Scheme, Url};
use embedded_io_async::{Error as _, ErrorKind, Read};
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use heapless::String;
use reqwless::headers::TransferEncoding;
use reqwless::request::Method;
use reqwless::response::{Response, StatusCode};

use crate::{Flow, Header, Request, Sink, Source, SourceError};

mod body;
mod location;
mod wire;

use body::Body;
use location::resolve;
use wire::Wire;

/// Bytes of buffer that a source needs: response headers have to fit, and body bytes pass through.
pub const HTTP_BUFFER_BYTES: usize = 3 * 1024;
/// Bytes of the body that are handed over at a time: so many may come again after a loss of power,
/// on top of what came since the last checkpoint.
const PIECE_BYTES: usize = 1024;
/// Redirections that are followed.
const MAX_REDIRECTS: u32 = 5;
/// Longest entity tag that is kept, in bytes.
const MAX_ETAG: usize = 72;

/// Fetches artifacts over HTTP.
#[derive(Debug)]
pub struct HttpSource<'a, T, D> {
    tcp: &'a T,
    dns: &'a D,
    buffer: &'a mut [u8; HTTP_BUFFER_BYTES],
    /// Entity tag of the file that was begun, and whose it is.
    etag: Option<(u8, String<MAX_ETAG>)>,
    /// Requests sent so far.
    requests: u32,
    /// Body bytes received so far.
    received_bytes: u64,
}

/// The result of one request.
enum Answer {
    /// The body was handed over.
    Done,
    /// It is elsewhere; where, was written down.
    Elsewhere,
    /// Ask again from the first byte, the file has changed.
    StartAgain,
}

impl<'a, T: TcpConnect, D: Dns> HttpSource<'a, T, D> {
    /// A source over this network.
    pub fn new(tcp: &'a T, dns: &'a D, buffer: &'a mut [u8; HTTP_BUFFER_BYTES]) -> Self {
        Self { tcp, dns, buffer, etag: None, requests: 0, received_bytes: 0 }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// Body bytes received so far, those among them that turned out to be of no use.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Sends one request and hands over what comes.
    async fn ask<K: Sink>(
        &mut self,
        artifact: u8,
        url: &str,
        from_start: bool,
        elsewhere: &mut String<MAX_URL_LEN_BYTES>,
        sink: &mut K,
    ) -> Result<Answer, SourceError<K::Error>> {
        let asked = if from_start { 0 } else { sink.wanted() };
        let url = Url::parse(url).map_err(|_| SourceError::BadUrl)?;
        if url.scheme() == Scheme::Https {
            return Err(SourceError::NoTls);
        }
        let mut range: String<24> = String::new();
        write!(range, "bytes={asked}-").map_err(|_| SourceError::Protocol)?;
        let etag = self.etag.as_ref().filter(|(of, _)| *of == artifact).map(|(_, tag)| tag.clone());
        let text = head(self.buffer, &url, (asked > 0).then_some(&range), etag.as_deref())
            .ok_or(SourceError::BadUrl)?;

        self.requests += 1;
        let named = self.dns.get_host_by_name(url.host(), AddrType::Either).await;
        let address = SocketAddr::new(named.map_err(|_| SourceError::Dns)?, url.port());
        let connection =
            self.tcp.connect(address).await.map_err(|error| connecting(error.kind()))?;
        let mut wire = Wire(connection);
        wire.send(text).await.map_err(|error| transfer(error.into()))?;
        let response = Response::read(&mut wire, Method::GET, self.buffer.as_mut_slice());
        let response = response.await.map_err(transfer)?;

        let header = match answer(&response, asked)? {
            Meant::Bytes(header) => header,
            Meant::StartAgain => return Ok(Answer::StartAgain),
            Meant::Elsewhere => {
                let next =
                    text_of(&response, "location").and_then(|location| resolve(&url, location));
                *elsewhere = next.ok_or(SourceError::BadRedirect)?;
                return Ok(Answer::Elsewhere);
            }
        };
        // A weak tag does not promise the same bytes, so it is of no use for a range.
        let tag = text_of(&response, "etag").filter(|tag| tag.starts_with('"'));
        self.etag = tag.and_then(|tag| Some((artifact, String::try_from(tag).ok()?)));

        sink.begin(header).map_err(SourceError::Sink)?;
        let mut body = Body::new(response.body().reader()).ok_or(SourceError::Protocol)?;
        loop {
            let bytes = body.fill_buf().await.map_err(transfer)?;
            if bytes.is_empty() {
                return if body.has_ended() { Ok(Answer::Done) } else { Err(SourceError::Broken) };
            }
            let len = bytes.len().min(PIECE_BYTES);
            let bytes = bytes.get(..len).unwrap_or(bytes);
            self.received_bytes += len as u64;
            if sink.data(bytes).await.map_err(SourceError::Sink)? == Flow::Enough {
                return Ok(Answer::Done);
            }
            body.consume(len);
        }
    }
}

impl<T: TcpConnect, D: Dns> Source for HttpSource<'_, T, D> {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        let url = request.url.ok_or(SourceError::BadUrl)?;
        let mut url: String<MAX_URL_LEN_BYTES> =
            String::try_from(url).map_err(|_| SourceError::BadUrl)?;
        let mut next = String::new();
        let (mut from_start, mut redirects) = (false, 0);
        loop {
            match self.ask(request.artifact.0, &url, from_start, &mut next, sink).await? {
                Answer::Done => return Ok(()),
                Answer::StartAgain if from_start => return Err(SourceError::Status(416)),
                Answer::StartAgain => from_start = true,
                Answer::Elsewhere if redirects == MAX_REDIRECTS => {
                    return Err(SourceError::Redirects);
                }
                Answer::Elsewhere => {
                    redirects += 1;
                    core::mem::swap(&mut url, &mut next);
                }
            }
        }
    }
}

/// Writes the head of a request into the buffer; `None` where that is too small.
fn head<'b>(
    buffer: &'b mut [u8],
    url: &Url<'_>,
    range: Option<&String<24>>,
    etag: Option<&str>,
) -> Option<&'b [u8]> {
    let (path, host) = (url.path(), url.authority());
    let mut text = Text { buffer, len: 0 };
    // Bytes are counted, so they must not be packed on the way.
    write!(
        text,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bootswap/{}\r\nConnection: close\r\n\
         Accept-Encoding: identity\r\n",
        env!("CARGO_PKG_VERSION")
    )
    .ok()?;
    if let Some(range) = range {
        write!(text, "Range: {range}\r\n").ok()?;
        if let Some(etag) = etag {
            write!(text, "If-Range: {etag}\r\n").ok()?;
        }
    }
    text.write_str("\r\n").ok()?;
    let Text { buffer, len } = text;
    buffer.get(..len)
}

/// Text in a buffer.
struct Text<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl core::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        let room = self.buffer.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// What the head of an answer means.
enum Meant {
    /// These bytes follow.
    Bytes(Header),
    /// The file is elsewhere.
    Elsewhere,
    /// The question has to be asked without a range.
    StartAgain,
}

fn answer<C: Read, E>(response: &Response<'_, '_, C>, asked: u32) -> Result<Meant, SourceError<E>> {
    let StatusCode(status) = response.status;
    // A length beside another framing is the mark of something in between that is confused
    // (RFC 9112, 6.3).
    let framing = response.transfer_encoding.as_slice();
    let plain = framing.is_empty();
    if !(plain || (framing == [TransferEncoding::Chunked] && response.content_length.is_none())) {
        return Err(SourceError::Protocol);
    }
    // So are lengths that contradict each other.
    let lengths =
        response.headers().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut lengths = lengths.map(|(_, length)| length);
    let first = lengths.next();
    if lengths.any(|length| Some(length) != first) {
        return Err(SourceError::Protocol);
    }
    let total = response.content_length.map(|len| u32::try_from(len).unwrap_or(u32::MAX));
    match status {
        200 => Ok(Meant::Bytes(Header { offset: 0, total_len_bytes: total })),
        206 => match text_of(response, "content-range").and_then(content_range) {
            Some((offset, total_len_bytes)) if offset == asked => {
                Ok(Meant::Bytes(Header { offset, total_len_bytes }))
            }
            _ if asked > 0 => Ok(Meant::StartAgain),
            answered => {
                let answered = answered.map(|(offset, _)| offset);
                Err(SourceError::WrongRange { asked, answered })
            }
        },
        301 | 302 | 303 | 307 | 308 => Ok(Meant::Elsewhere),
        416 if asked > 0 => Ok(Meant::StartAgain),
        status => Err(SourceError::Status(status)),
    }
}

/// The first header of that name, as text.
fn text_of<'r, C: Read>(response: &'r Response<'_, '_, C>, name: &str) -> Option<&'r str> {
    let (_, value) = response.headers().find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    core::str::from_utf8(value).ok()
}

/// First byte and length of the file from a `Content-Range: bytes 500-999/1000` (RFC 9110, 14.4).
fn content_range(value: &str) -> Option<(u32, Option<u32>)> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first <= last && total.is_none_or(|total: u32| last < total)).then_some((first, total))
}

/// An error on the way to the server.
fn connecting<E>(error: ErrorKind) -> SourceError<E> {
    match error {
        ErrorKind::TimedOut => SourceError::Stalled,
        _ => SourceError::Connect,
    }
}

/// An error while talking to the server.
fn transfer<E>(error: reqwless::Error) -> SourceError<E> {
    match error {
        reqwless::Error::Network(ErrorKind::TimedOut) => SourceError::Stalled,
        reqwless::Error::Codec | reqwless::Error::BufferTooSmall => SourceError::Protocol,
        _ => SourceError::Broken,
    }
}

#[cfg(test)]
mod tests;
