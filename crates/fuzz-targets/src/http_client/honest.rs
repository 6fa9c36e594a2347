//! Good servers, over connections that break.

use std::collections::VecDeque;

use arbitrary::{Result, Unstructured};
use bootswap_engine::{HTTP_BUFFER_BYTES, HttpSource, Request, Source};
use bootswap_plan::ArtifactIndex;
use embedded_io_async::ErrorKind;

use super::net::{Answer, Net, Server};
use super::sink::Keeper;
use super::{Question, question, run};
use crate::noise;

/// Fetches a file until it is there, over connections that break.
///
/// The input chooses how the server answers, how long the file is, and where connections break.
pub fn http_download(input: &[u8]) {
    let _ = download(&mut Unstructured::new(input));
}

fn download(u: &mut Unstructured<'_>) -> Result<()> {
    let mut server = GoodServer {
        file: noise(1, u.int_in_range(1..=6000)?),
        next_file: None,
        framing: *u.choose(&[Framing::Length, Framing::Chunked, Framing::Close])?,
        ranges: *u.choose(&[Ranges::Served, Ranges::Ignored, Ranges::Other])?,
        etag: *u.choose(&[Some("\"one\""), Some("W/\"one\""), None])?,
        redirects: u.int_in_range(0..=5)?,
        lens: u.arbitrary()?,
        breaks: VecDeque::new(),
    };
    let wanted_breaks = u.int_in_range(0..=5)?;
    for _ in 0..wanted_breaks {
        let kinds = [None, Some(ErrorKind::ConnectionReset), Some(ErrorKind::TimedOut)];
        server.breaks.push_back((u.int_in_range(0..=6400)?, *u.choose(&kinds)?));
    }
    // Only a strong tag shows the client that the file was replaced.
    if server.etag == Some("\"one\"") && u.arbitrary()? {
        server.next_file = Some(noise(2, u.int_in_range(1..=6000)?));
    }
    let tries = wanted_breaks + 1;
    let net = Net::new(&mut server);
    let mut keeper = Keeper::new(0, usize::MAX, usize::MAX);
    let mut buffer = Box::new([0; HTTP_BUFFER_BYTES]);
    let mut source = HttpSource::new(&net, &net, &mut buffer);
    let url = Some("http://lab:8070/images/app.bin");
    let request = Request { artifact: ArtifactIndex(3), name: "app", url };
    let mut ended = false;
    for _ in 0..tries {
        keeper.next();
        ended = run(source.fetch(&request, &mut keeper)).is_ok();
        if ended {
            break;
        }
    }
    assert!(
        ended,
        "gives up, although the last connection does not break: {:?}, {tries} tries",
        net.last()
    );
    assert!(keeper.kept == server.file, "another file than the server's");
    Ok(())
}

/// How the client knows where a body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    Length,
    Chunked,
    Close,
}

/// How the server treats ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ranges {
    Served,
    Ignored,
    /// Another range is served, and `Content-Range` says which.
    Other,
}

/// A server without faults of its own.
#[derive(Debug)]
struct GoodServer {
    file: Vec<u8>,
    /// The file that replaces it after the first break.
    next_file: Option<Vec<u8>>,
    framing: Framing,
    ranges: Ranges,
    etag: Option<&'static str>,
    redirects: u32,
    lens: Vec<u8>,
    /// Bytes of an answer after which the connection breaks, and how.
    breaks: VecDeque<(usize, Option<ErrorKind>)>,
}

impl GoodServer {
    fn respond(&self, question: &Question) -> Vec<u8> {
        if let Some(hops) = self.hops_left(question) {
            let target = format!("{}{}", if hops % 2 == 0 { "/images/" } else { "" }, hops);
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n");
            return head.into_bytes();
        }
        let same = question.if_range.as_deref().is_none_or(|tag| Some(tag) == self.etag);
        let range = question.range.filter(|_| same && self.ranges != Ranges::Ignored);
        let shift = u32::from(self.ranges == Ranges::Other);
        let first = range.map(|first| first.saturating_sub(shift) as usize);
        let len = self.file.len();
        let (status, body) = match first {
            Some(first) if first >= len => ("416 Range Not Satisfiable", &b"none"[..]),
            Some(first) => ("206 Partial Content", &self.file[first..]),
            None => ("200 OK", &self.file[..]),
        };
        let mut head = format!("HTTP/1.1 {status}\r\nServer: lab\r\n");
        if let Some(first) = first.filter(|first| *first < len) {
            head += &format!("Content-Range: bytes {first}-{}/{len}\r\n", len - 1);
        }
        if let Some(tag) = self.etag {
            head += &format!("ETag: {tag}\r\n");
        }
        match self.framing {
            Framing::Length => head += &format!("Content-Length: {}\r\n\r\n", body.len()),
            Framing::Close => head += "\r\n",
            Framing::Chunked => {
                head += "Transfer-Encoding: chunked\r\n\r\n";
                let mut bytes = head.into_bytes();
                for chunk in body.chunks(700) {
                    bytes.extend_from_slice(format!("{:X};x=y\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
                return bytes;
            }
        }
        [head.as_bytes(), body].concat()
    }

    /// Redirections that are left on the way to the file.
    fn hops_left(&self, question: &Question) -> Option<u32> {
        let last = question.path.rsplit('/').next().unwrap_or_default();
        let left = last.parse().unwrap_or(self.redirects);
        left.checked_sub(1)
    }
}

impl Server for GoodServer {
    fn accept(&mut self) -> core::result::Result<(), ErrorKind> {
        Ok(())
    }

    fn answer(&mut self, request: &[u8]) -> Answer {
        let question = question(request);
        let mut bytes = self.respond(&question);
        let (lens, mut error) = (self.lens.clone(), None);
        let is_file = self.hops_left(&question).is_none();
        if let Some((at, kind)) = is_file.then(|| self.breaks.pop_front()).flatten() {
            // An orderly end would end a body without a length.
            let kind = kind.or((self.framing == Framing::Close).then_some(ErrorKind::Other));
            if at < bytes.len() {
                bytes.truncate(at);
                error = kind;
                if let Some(file) = self.next_file.take() {
                    (self.file, self.etag) = (file, Some("\"two\""));
                }
            }
        }
        Answer { bytes, lens, error }
    }
}
