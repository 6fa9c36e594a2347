//! Artifacts over HTTP, through reqwless and whatever network implements embedded-nal-async.
//!
//! | server | what is done |
//! | --- | --- |
//! | 200 | the whole file, from its first byte, whatever was asked for |
//! | 206 | only with a `Content-Range` that begins where it was asked to |
//! | 3xx | followed, at most five times |
//! | 416 | the file is shorter than what is in place already: start again |
//! | else | an error with the status |
//!
//! A transfer is resumed with `Range` and, where the server gave a strong `ETag`, with `If-Range`, so
//! that a file which was replaced meanwhile is sent whole. Timeouts are the network's: a connection
//! whose read fails with `TimedOut` counts as stalled.

use core::fmt::Write as _;

use embedded_io_async::{ErrorKind, Read};
use embedded_nal_async::{Dns, TcpConnect};
use heapless::String;
use nourl::{Url, UrlScheme};
use reqwless::client::HttpClient;
use reqwless::request::{Method, RequestBuilder};
use reqwless::response::StatusCode;

use crate::{Flow, Header, Request, Sink, Source, SourceError};

/// Bytes of buffer that a source needs: response headers have to fit, and body bytes pass through.
pub const HTTP_BUFFER_BYTES: usize = 3 * 1024;
/// Redirections that are followed.
const MAX_REDIRECTS: u32 = 5;
/// Longest address that is followed, in bytes.
const MAX_URL: usize = 256;
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

/// What the answer to one request comes to.
enum Answer {
    /// The body was handed over.
    Done,
    /// It is elsewhere.
    Elsewhere(String<MAX_URL>),
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
        sink: &mut K,
    ) -> Result<Answer, SourceError<K::Error>> {
        let asked = if from_start { 0 } else { sink.wanted() };
        let parsed = Url::parse(url).map_err(|_| SourceError::BadUrl)?;
        if parsed.scheme() != UrlScheme::HTTP {
            return Err(if url.starts_with("https:") { SourceError::NoTls } else { SourceError::BadUrl });
        }
        let mut range: String<24> = String::new();
        let mut host: String<MAX_URL> = String::new();
        write!(range, "bytes={asked}-").map_err(|_| SourceError::Protocol)?;
        match parsed.port() {
            Some(port) => write!(host, "{}:{port}", parsed.host()),
            None => write!(host, "{}", parsed.host()),
        }
        .map_err(|_| SourceError::BadUrl)?;
        let etag = self.etag.as_ref().filter(|(of, _)| *of == artifact).map(|(_, tag)| tag.clone());
        let headers = [
            ("User-Agent", concat!("bootswap/", env!("CARGO_PKG_VERSION"))),
            ("Connection", "close"),
            ("Range", range.as_str()),
            ("If-Range", etag.as_deref().unwrap_or_default()),
        ];
        let headers = match (asked, &etag) {
            (0, _) => headers.split_at(2).0,
            (_, None) => headers.split_at(3).0,
            (_, Some(_)) => headers.as_slice(),
        };

        self.requests += 1;
        let mut client = HttpClient::new(self.tcp, self.dns);
        let request = client.request(Method::GET, url).await.map_err(connecting)?;
        let mut request = request.headers(headers).host(&host);
        let response = request.send(self.buffer.as_mut_slice()).await.map_err(transfer)?;

        let StatusCode(status) = response.status;
        let total = response.content_length.map(|len| u32::try_from(len).unwrap_or(u32::MAX));
        let header = match status {
            200 => Header { offset: 0, total_len_bytes: total },
            206 => {
                let range = response.headers().find(|(name, _)| name.eq_ignore_ascii_case("content-range"));
                match range.and_then(|(_, value)| content_range(value)) {
                    Some((offset, total)) if offset == asked => Header { offset, total_len_bytes: total },
                    answered => {
                        let answered = answered.map(|(offset, _)| offset);
                        return Err(SourceError::WrongRange { asked, answered });
                    }
                }
            }
            301 | 302 | 303 | 307 | 308 => {
                let location = response.headers().find(|(name, _)| name.eq_ignore_ascii_case("location"));
                let location = location.and_then(|(_, value)| core::str::from_utf8(value).ok());
                let next = location.and_then(|location| resolve(url, &host, location));
                return next.map(Answer::Elsewhere).ok_or(SourceError::BadRedirect);
            }
            416 if asked > 0 => return Ok(Answer::StartAgain),
            status => return Err(SourceError::Status(status)),
        };
        // A weak tag does not promise the same bytes, so it is of no use for a range.
        let tag = response.headers().find(|(name, _)| name.eq_ignore_ascii_case("etag"));
        let tag = tag.and_then(|(_, value)| core::str::from_utf8(value).ok());
        self.etag = tag
            .filter(|tag| tag.starts_with('"'))
            .and_then(|tag| String::try_from(tag).ok())
            .map(|tag| (artifact, tag));

        sink.begin(header).map_err(SourceError::Sink)?;
        let mut body = response.body().reader();
        let mut chunk = [0; 512];
        loop {
            match body.read(&mut chunk).await.map_err(transfer)? {
                0 => return Ok(Answer::Done),
                len => {
                    self.received_bytes += len as u64;
                    let bytes = chunk.get(..len).unwrap_or(&chunk);
                    if sink.data(bytes).await.map_err(SourceError::Sink)? == Flow::Enough {
                        return Ok(Answer::Done);
                    }
                }
            }
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
        let mut url: String<MAX_URL> = String::try_from(url).map_err(|_| SourceError::BadUrl)?;
        let mut from_start = false;
        let mut redirects = 0;
        loop {
            match self.ask(request.artifact.0, &url, from_start, sink).await? {
                Answer::Done => return Ok(()),
                Answer::StartAgain if from_start => return Err(SourceError::Status(416)),
                Answer::StartAgain => from_start = true,
                Answer::Elsewhere(_) if redirects == MAX_REDIRECTS => return Err(SourceError::Redirects),
                Answer::Elsewhere(next) => {
                    redirects += 1;
                    url = next;
                }
            }
        }
    }
}

/// First byte and length of the file from a `Content-Range: bytes 500-999/1000` (RFC 9110, 14.4).
fn content_range(value: &[u8]) -> Option<(u32, Option<u32>)> {
    let value = core::str::from_utf8(value).ok()?.trim();
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    (first <= last && total.is_none_or(|total: u32| last < total)).then_some((first, total))
}

/// The address that a `Location` means, which may be relative (RFC 9110, 10.2.2).
fn resolve(base: &str, host: &str, location: &str) -> Option<String<MAX_URL>> {
    let mut next = String::new();
    if location.starts_with("http://") || location.starts_with("https://") {
        next.push_str(location).ok()?;
    } else if let Some(authority) = location.strip_prefix("//") {
        write!(next, "http://{authority}").ok()?;
    } else if location.starts_with('/') {
        write!(next, "http://{host}{location}").ok()?;
    } else {
        // Relative to the last slash of the path; an address without a path ends in its host.
        let path_start = base.find("://")? + 3;
        let directory = match base.get(path_start..)?.rfind('/') {
            Some(slash) => base.get(..path_start + slash)?,
            None => base,
        };
        write!(next, "{directory}/{location}").ok()?;
    }
    Some(next)
}

/// An error on the way to the server.
fn connecting<E>(error: reqwless::Error) -> SourceError<E> {
    match error {
        reqwless::Error::Dns => SourceError::Dns,
        reqwless::Error::InvalidUrl(_) => SourceError::BadUrl,
        reqwless::Error::Network(ErrorKind::TimedOut) => SourceError::Stalled,
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
mod tests {
    use super::*;

    #[test]
    fn reads_content_ranges() {
        assert_eq!(content_range(b"bytes 500-999/1000"), Some((500, Some(1000))));
        assert_eq!(content_range(b"bytes 0-0/*"), Some((0, None)));
        for bad in ["", "bytes", "bytes 5-4/10", "bytes 0-10/10", "items 0-1/2", "bytes */10", "bytes 1-2"] {
            assert_eq!(content_range(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn resolves_locations() {
        let base = "http://lab:8070/images/app.bin";
        for (location, wanted) in [
            ("http://other/app.bin", "http://other/app.bin"),
            ("/app.bin", "http://lab:8070/app.bin"),
            ("v2.bin", "http://lab:8070/images/v2.bin"),
            ("//cdn/app.bin", "http://cdn/app.bin"),
        ] {
            assert_eq!(resolve(base, "lab:8070", location).as_deref(), Some(wanted));
        }
        assert_eq!(resolve("http://lab", "lab", "app.bin").as_deref(), Some("http://lab/app.bin"));
    }
}
