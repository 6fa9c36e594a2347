//! Fetches artifacts over HTTP, through any network that implements embedded-nal-async.
//!
//! | server | what is done |
//! | --- | --- |
//! | 1xx | skipped; the answer follows it |
//! | 200 | the whole file, from its first byte, whatever was requested |
//! | 206 | with a `Content-Range` from the requested byte on; else requested again without |
//! | 3xx | followed, at most five times |
//! | 416 | the file is shorter than what is in place already: requested again without a range |
//! | else | an error with the status |
//!
//! A transfer is resumed with `Range` and, if the server sent a strong `ETag`, with `If-Range`, so
//! that a file that was replaced meanwhile is sent from the start. Timeouts are the network's: a
//! connection whose read fails with `TimedOut` counts as stalled.
//!
//! An answer's head is read line by line ([`head`]), so that it may be far longer than the buffer:
//!
//! ```text
//!   buffer   address, of the migration or of a redirection      | window on what is sent and comes
//!            MAX_REDIRECT_URL_LEN_BYTES                         | WINDOW_LEN_BYTES
//! ```

use core::fmt::Write as _;
use core::net::SocketAddr;

use bootswap_plan::Scheme;
use embedded_io_async::{Error as _, ErrorKind};
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use heapless::String;

use crate::source::{MAX_REDIRECT_URL_LEN_BYTES, MAX_REDIRECTS, RedirectFault};
use crate::{Flow, Header, Request, Sink, Source, SourceError};

mod body;
mod head;
mod location;
mod stream;

use body::Body;
use head::{Head, MAX_ETAG};
use location::Address;
use stream::Out;

/// Bytes of the request, and of the answer, that are buffered at a time.
const WINDOW_LEN_BYTES: usize = 1024;
/// Bytes of buffer that a source needs.
pub const HTTP_BUFFER_BYTES: usize = MAX_REDIRECT_URL_LEN_BYTES + WINDOW_LEN_BYTES;

/// Fetches artifacts over HTTP.
#[derive(Debug)]
pub struct HttpSource<'a, T, D> {
    tcp: &'a T,
    dns: &'a D,
    buffer: &'a mut [u8; HTTP_BUFFER_BYTES],
    kept: Kept,
}

/// The result of one request.
enum Answer {
    /// The body was passed on.
    Done,
    /// The file is elsewhere; the URL was replaced.
    Elsewhere,
    /// Request again from the first byte, because the file has changed.
    StartAgain,
}

/// Counters, and what is kept from one request to the next.
#[derive(Debug, Default)]
struct Kept {
    /// Entity tag of the file, and the artifact that it belongs to.
    etag: Option<(u8, String<MAX_ETAG>)>,
    /// Requests sent so far.
    requests: u32,
    /// Body bytes received so far.
    received_bytes: u64,
}

impl<'a, T: TcpConnect, D: Dns> HttpSource<'a, T, D> {
    /// A source over this network.
    pub fn new(tcp: &'a T, dns: &'a D, buffer: &'a mut [u8; HTTP_BUFFER_BYTES]) -> Self {
        Self { tcp, dns, buffer, kept: Kept::default() }
    }

    /// Requests sent so far.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.kept.requests
    }

    /// Body bytes received so far, including those that could not be used.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.kept.received_bytes
    }
}

/// Sends one request and passes the answer on.
async fn ask<T: TcpConnect, D: Dns, K: Sink>(
    (tcp, dns): (&T, &D),
    kept: &mut Kept,
    artifact: u8,
    (address, window): (&mut Address<'_>, &mut [u8]),
    from_start: bool,
    sink: &mut K,
) -> Result<Answer, SourceError<K::Error>> {
    let asked = if from_start { 0 } else { sink.wanted() };
    let stream = {
        let url = address.url().map_err(SourceError::BadUrl)?;
        kept.requests += 1;
        let named = dns.get_host_by_name(url.host(), AddrType::Either).await;
        let server = SocketAddr::new(named.map_err(|_| SourceError::Dns)?, url.port());
        let connection = tcp.connect(server).await.map_err(|error| connecting(error.kind()))?;
        let mut out = Out::new(connection, window);
        // Bytes are counted, so they must not be encoded on the way.
        let parts = [
            "GET ",
            url.path(),
            " HTTP/1.1\r\nHost: ",
            url.authority(),
            concat!("\r\nUser-Agent: bootswap/", env!("CARGO_PKG_VERSION"), "\r\n"),
            "Connection: close\r\nAccept-Encoding: identity\r\n",
        ];
        out.put(&parts).await?;
        if asked > 0 {
            let mut first: String<10> = String::new();
            write!(first, "{asked}").map_err(|_| SourceError::Protocol)?;
            out.put(&["Range: bytes=", &first, "-\r\n"]).await?;
            if let Some((_, etag)) = kept.etag.as_ref().filter(|(of, _)| *of == artifact) {
                out.put(&["If-Range: ", etag, "\r\n"]).await?;
            }
        }
        out.put(&["\r\n"]).await?;
        out.end()
    };
    let mut stream = stream.await?;
    let mut location = address.location();
    let mut head = head::read(&mut stream, &mut location).await?;
    let header = match meaning(&head, asked)? {
        Meant::Bytes(header) => header,
        Meant::StartAgain => return Ok(Answer::StartAgain),
        Meant::Elsewhere => {
            location.fault().map_err(SourceError::BadRedirect)?;
            let next = address.url().map_err(RedirectFault::Url);
            return match next.map_err(SourceError::BadRedirect)?.scheme() {
                Scheme::Http => Ok(Answer::Elsewhere),
                Scheme::Https => Err(SourceError::BadRedirect(RedirectFault::Tls)),
            };
        }
    };
    if let Some(encoding) = head.encoding {
        return Err(SourceError::Encoded(encoding));
    }
    kept.etag = head.etag.take().map(|etag| (artifact, etag));

    sink.begin(header).map_err(SourceError::Sink)?;
    let mut body = Body::new(stream, &head);
    loop {
        let bytes = body.fill_buf().await?;
        if bytes.is_empty() {
            return if body.has_ended() { Ok(Answer::Done) } else { Err(SourceError::Broken) };
        }
        let len = bytes.len();
        kept.received_bytes += len as u64;
        if sink.data(bytes).await.map_err(SourceError::Sink)? == Flow::Enough {
            return Ok(Answer::Done);
        }
        body.consume(len);
    }
}

impl<T: TcpConnect, D: Dns> Source for HttpSource<'_, T, D> {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        let url = request.url.ok_or(SourceError::NotEmbedded)?;
        let Some((area, window)) = self.buffer.split_first_chunk_mut() else {
            return Err(SourceError::Protocol);
        };
        let mut address = Address::new(area, url).map_err(SourceError::BadUrl)?;
        if address.url().map_err(SourceError::BadUrl)?.scheme() == Scheme::Https {
            return Err(SourceError::NoTls);
        }
        let (net, artifact) = ((self.tcp, self.dns), request.artifact.0);
        let (mut from_start, mut redirects) = (false, 0);
        loop {
            let place = (&mut address, &mut *window);
            match ask(net, &mut self.kept, artifact, place, from_start, sink).await? {
                Answer::Done => return Ok(()),
                Answer::StartAgain if from_start => return Err(SourceError::Status(416)),
                Answer::StartAgain => from_start = true,
                Answer::Elsewhere if redirects == MAX_REDIRECTS => {
                    return Err(SourceError::Redirects);
                }
                Answer::Elsewhere => redirects += 1,
            }
        }
    }
}

/// What the head of an answer means.
enum Meant {
    /// These bytes follow.
    Bytes(Header),
    /// The file is elsewhere.
    Elsewhere,
    /// Request again without a range.
    StartAgain,
}

fn meaning<E>(head: &Head, asked: u32) -> Result<Meant, SourceError<E>> {
    match head.status {
        200 => Ok(Meant::Bytes(Header { offset: 0, total_len_bytes: head.len_bytes })),
        206 => match head.range {
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

/// An error on the way to the server.
fn connecting<E>(error: ErrorKind) -> SourceError<E> {
    match error {
        ErrorKind::TimedOut => SourceError::Stalled,
        _ => SourceError::Connect,
    }
}

#[cfg(test)]
mod tests;
