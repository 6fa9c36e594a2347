//! The client against scripted servers: its requests, and its reaction to every kind of answer.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bootswap_plan::{ArtifactIndex, UrlError};
use embedded_io_async::{ErrorType, Write};
use embedded_nal_async::AddrType;
use nor_sim::{Power, run_until_powered_off};

use super::head::content_range;
use super::*;
use crate::source::{Encoding, MAX_HEAD_LEN_BYTES};

mod framing;
mod ranges;
mod redirects;

/// What a connection does next.
#[derive(Clone, Debug)]
enum Act {
    /// Sends these bytes, in pieces of at most this size.
    Send(Vec<u8>, usize),
    /// Fails with this error.
    Fail(ErrorKind),
}

/// A network with one server, which uses one script for each connection.
#[derive(Default)]
struct Net {
    scripts: RefCell<VecDeque<Vec<Act>>>,
    /// Requests as they were written.
    requests: RefCell<Vec<String>>,
    refuses: Cell<Option<ErrorKind>>,
    names: bool,
}

struct Connection<'n> {
    net: &'n Net,
    acts: VecDeque<Act>,
}

impl ErrorType for Connection<'_> {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for Connection<'_> {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, ErrorKind> {
        match self.acts.front_mut() {
            None => Ok(0),
            Some(Act::Fail(kind)) => Err(*kind),
            Some(Act::Send(bytes, piece)) => {
                let len = out.len().min(bytes.len()).min(*piece);
                let rest = bytes.split_off(len);
                out[..len].copy_from_slice(bytes);
                *bytes = rest;
                if bytes.is_empty() {
                    self.acts.pop_front();
                }
                Ok(len)
            }
        }
    }
}

impl Write for Connection<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let text = core::str::from_utf8(bytes).unwrap();
        self.net.requests.borrow_mut().last_mut().unwrap().push_str(text);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl TcpConnect for Net {
    type Error = ErrorKind;
    type Connection<'a> = Connection<'a>;

    async fn connect(&self, _: SocketAddr) -> Result<Connection<'_>, ErrorKind> {
        match self.refuses.get() {
            Some(kind) => Err(kind),
            None => {
                let script = self
                    .scripts
                    .borrow_mut()
                    .pop_front()
                    .expect("one connection more than scripted");
                self.requests.borrow_mut().push(String::new());
                Ok(Connection { net: self, acts: script.into() })
            }
        }
    }
}

impl Dns for Net {
    type Error = ();

    async fn get_host_by_name(&self, _: &str, _: AddrType) -> Result<IpAddr, ()> {
        if self.names { Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { Err(()) }
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ()> {
        Err(())
    }
}

/// Accepts everything.
#[derive(Default)]
struct Taker {
    bytes: Vec<u8>,
    total: Option<u32>,
    begun: Vec<Header>,
    enough_at: Option<usize>,
    refuses: bool,
}

impl Sink for Taker {
    type Error = &'static str;

    fn wanted(&self) -> u32 {
        self.bytes.len() as u32
    }

    fn begin(&mut self, header: Header) -> Result<(), &'static str> {
        self.begun.push(header);
        self.total = header.total_len_bytes;
        self.bytes.truncate(header.offset as usize);
        if self.refuses { Err("refused") } else { Ok(()) }
    }

    async fn data(&mut self, bytes: &[u8]) -> Result<Flow, &'static str> {
        assert!(!bytes.is_empty());
        self.bytes.extend_from_slice(bytes);
        let enough = self.enough_at.is_some_and(|at| self.bytes.len() >= at);
        Ok(if enough { Flow::Enough } else { Flow::Continue })
    }
}

/// One test: connections, and what the sink has already.
struct Case {
    net: Net,
    taker: Taker,
}

fn case(scripts: impl IntoIterator<Item = Vec<Act>>) -> Case {
    let net =
        Net { scripts: RefCell::new(scripts.into_iter().collect()), names: true, ..Net::default() };
    Case { net, taker: Taker::default() }
}

/// The same answer in pieces of every size that matters.
fn in_pieces(text: &[u8], piece: usize) -> Vec<Act> {
    vec![Act::Send(text.to_vec(), piece)]
}

impl Case {
    fn having(mut self, bytes: &[u8]) -> Self {
        self.taker.bytes = bytes.to_vec();
        self
    }

    fn fetch(&mut self, url: &str) -> Result<(), SourceError<&'static str>> {
        let mut buffer = [0; HTTP_BUFFER_BYTES];
        let mut source = HttpSource::new(&self.net, &self.net, &mut buffer);
        fetch_with(&mut source, url, &mut self.taker)
    }

    fn request(&self, index: usize) -> String {
        self.net.requests.borrow()[index].clone()
    }
}

fn fetch_with(
    source: &mut HttpSource<'_, Net, Net>,
    url: &str,
    taker: &mut Taker,
) -> Result<(), SourceError<&'static str>> {
    let request = Request { artifact: ArtifactIndex(0), name: "app", url: Some(url) };
    run_until_powered_off(source.fetch(&request, taker), &Power::new()).unwrap()
}

const URL: &str = "http://lab:8070/app.bin";
const BODY: &[u8] = b"0123456789abcdef";

fn ok(body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

#[test]
fn a_whole_file() {
    for piece in [1, 7, 38, 39, 1000] {
        let mut case = case([in_pieces(&ok(BODY), piece)]);
        assert_eq!(case.fetch(URL), Ok(()));
        assert_eq!(case.taker.bytes, BODY);
        assert_eq!(case.taker.begun, [Header { offset: 0, total_len_bytes: Some(16) }]);
    }
}

#[test]
fn asks_as_it_should() {
    let mut whole = case([in_pieces(&ok(BODY), 99)]);
    whole.fetch(URL).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let wanted = format!(
        "GET /app.bin HTTP/1.1\r\nHost: lab:8070\r\nUser-Agent: bootswap/{version}\r\n\
         Connection: close\r\nAccept-Encoding: identity\r\n\r\n"
    );
    assert_eq!(whole.request(0), wanted);
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-15/16\r\n\r\nabcdef";
    let mut rest = case([in_pieces(part, 99)]).having(&BODY[..10]);
    rest.fetch("http://lab/dir/app.bin?v=1").unwrap();
    assert!(rest.request(0).starts_with("GET /dir/app.bin?v=1 HTTP/1.1\r\nHost: lab\r\n"));
    assert!(rest.request(0).ends_with("Range: bytes=10-\r\n\r\n"));
    assert_eq!(rest.taker.bytes, BODY);
}

#[test]
fn every_other_status_is_an_error() {
    for status in [101, 201, 203, 204, 205, 300, 304, 400, 401, 403, 404, 416, 429, 500, 503, 599] {
        let answer = format!("HTTP/1.1 {status} Well\r\nContent-Length: 0\r\n\r\n");
        let mut case = case([in_pieces(answer.as_bytes(), 500)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Status(status)));
        assert!(case.taker.begun.is_empty());
    }
}

#[test]
fn what_is_no_http_is_said_to_be_none() {
    for answer in [
        b"SSH-2.0-OpenSSH_9.9\r\n".as_slice(),
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"<html>",
        b"HTTP/9 200\r\n\r\n",
    ] {
        let mut case = case([in_pieces(answer, 500)]);
        let ended = case.fetch(URL);
        assert!(matches!(ended, Err(SourceError::Protocol | SourceError::Broken)), "{ended:?}");
    }
}

#[test]
fn heads_of_any_shape_up_to_the_limit() {
    let many = "X-Request: 0123456789\r\n".repeat(MAX_HEAD_LEN_BYTES / 23 - 4);
    let long = format!("X-Long: {}\r\n", "x".repeat(MAX_HEAD_LEN_BYTES - 100));
    for headers in ["", &many, &long, "x-a-name-that-is-longer-than-any-that-counts:\r\n"] {
        for piece in [1, 1000] {
            let answer =
                format!("HTTP/1.1 200 OK\r\n{headers}content-LENGTH:16 \r\n\r\n0123456789abcdef");
            let mut case = case([in_pieces(answer.as_bytes(), piece)]);
            assert_eq!(case.fetch(URL), Ok(()));
            assert_eq!((case.taker.bytes.as_slice(), case.taker.total), (BODY, Some(16)));
        }
    }
    for answer in [
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD_LEN_BYTES)),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEAD_LEN_BYTES / 6)),
        "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(MAX_HEAD_LEN_BYTES / 28 + 1),
    ] {
        let mut case = case([in_pieces(answer.as_bytes(), 500)]);
        let error = case.fetch(URL).unwrap_err();
        assert_eq!(error, SourceError::HeadTooLong);
        assert!(error.to_string().contains(&MAX_HEAD_LEN_BYTES.to_string()), "{error}");
    }
}

#[test]
fn interim_answers_are_passed_over() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nLocation: /no\r\n\
                 Content-Length: 5\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    for piece in [1, 50, 1000] {
        let answer = [hints.as_bytes(), &ok(BODY)].concat();
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()));
        assert_eq!((case.taker.bytes.as_slice(), case.taker.total), (BODY, Some(16)));
        assert_eq!(case.net.requests.borrow().len(), 1);
    }
    // Nothing follows it.
    let mut alone = case([in_pieces(b"HTTP/1.1 100 Continue\r\n\r\n", 500)]);
    assert_eq!(alone.fetch(URL), Err(SourceError::Broken));
}

#[test]
fn a_compressed_body_is_refused_by_name() {
    for (encoding, name) in [("gzip", "gzip"), ("br, GZIP", "br, GZIP"), ("x\u{e4}", "x??")] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n\r\nabc");
        let mut case = case([in_pieces(answer.as_bytes(), 500)]);
        let error = case.fetch(URL).unwrap_err();
        assert_eq!(error, SourceError::Encoded(Encoding::new(encoding)));
        assert!(
            error.to_string().contains(&format!("Content-Encoding {name} although")),
            "{error}"
        );
        assert!(case.taker.begun.is_empty());
    }
    for encoding in ["identity", "Identity", ""] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\n\r\nabc");
        assert_eq!(case([in_pieces(answer.as_bytes(), 500)]).fetch(URL), Ok(()));
    }
}

#[test]
fn headers_that_are_none_are_no_http() {
    for header in ["no colon", ": no name", "a b: c", " folded: x", "X: a\0b", "X: a\rb"] {
        let answer = format!("HTTP/1.1 200 OK\r\nA: b\r\n{header}\r\n\r\nabc");
        let mut case = case([in_pieces(answer.as_bytes(), 500)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Protocol), "{header:?}");
    }
}

#[test]
fn a_connection_that_fails_at_any_byte() {
    let whole = ok(BODY);
    for (kind, wanted) in [
        (ErrorKind::ConnectionReset, SourceError::Broken),
        (ErrorKind::ConnectionAborted, SourceError::Broken),
        (ErrorKind::Other, SourceError::Broken),
        (ErrorKind::TimedOut, SourceError::Stalled),
    ] {
        for end in 0..whole.len() {
            let script = match end {
                0 => vec![Act::Fail(kind)],
                _ => vec![Act::Send(whole[..end].to_vec(), 10), Act::Fail(kind)],
            };
            let mut case = case([script]);
            assert_eq!(case.fetch(URL), Err(wanted.clone()), "{kind:?} at {end}");
            let head = whole.len() - BODY.len();
            assert_eq!(case.taker.bytes, BODY[..end.saturating_sub(head)]);
        }
    }
    for (kind, wanted) in [
        (ErrorKind::ConnectionRefused, SourceError::Connect),
        (ErrorKind::TimedOut, SourceError::Stalled),
    ] {
        let mut case = case([]);
        case.net.refuses.set(Some(kind));
        assert_eq!(case.fetch(URL), Err(wanted));
    }
    let mut case = case([]);
    case.net.names = false;
    assert_eq!(case.fetch(URL), Err(SourceError::Dns));
}

#[test]
fn the_sink_can_have_enough() {
    let mut case = case([in_pieces(&ok(BODY), 4)]);
    case.taker.enough_at = Some(3);
    assert_eq!(case.fetch(URL), Ok(()));
    assert!(case.taker.bytes.len() < BODY.len());
}

#[test]
fn reads_content_ranges() {
    assert_eq!(content_range("bytes 500-999/1000"), Some((500, Some(1000))));
    assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
    for bad in
        ["", "bytes", "bytes 5-4/10", "bytes 0-10/10", "items 0-1/2", "bytes */10", "bytes 1-2"]
    {
        assert_eq!(content_range(bad), None, "{bad}");
    }
}

#[test]
fn errors_have_numbers_that_stay() {
    let errors: [(SourceError<Infallible>, u16); 9] = [
        (SourceError::BadUrl(UrlError::Scheme), 1),
        (SourceError::BadRedirect(RedirectFault::NoLocation), 9),
        (SourceError::HeadTooLong, 15),
        (SourceError::Encoded(Encoding::new("gzip")), 16),
        (SourceError::NoTls, 2),
        (SourceError::Broken, 5),
        (SourceError::Status(404), 7),
        (SourceError::Protocol, 10),
        (SourceError::BadContainer, 13),
    ];
    for (error, number) in errors {
        assert_eq!(error.number(), number);
        assert!(!error.to_string().is_empty());
    }
}
