//! The client against scripted servers: what it asks, and what it makes of every kind of answer.

use core::cell::{Cell, RefCell};
use core::convert::Infallible;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::VecDeque;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use bootswap_plan::ArtifactIndex;
use embedded_io_async::{ErrorType, Write};
use embedded_nal_async::AddrType;
use nor_sim::{Power, run_until_powered_off};

use super::*;

/// What a connection does, one after the other.
#[derive(Clone, Debug)]
enum Act {
    /// Sends these bytes, in pieces of at most so many.
    Send(Vec<u8>, usize),
    /// Fails so.
    Fail(ErrorKind),
}

/// A network with one server, that takes one script for each connection.
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

/// Takes everything, as a receiver does that has nothing against it.
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
fn a_body_that_is_shorter_than_announced_is_a_broken_one() {
    for (have, piece) in [(0, 5), (1, 5), (15, 5), (15, 500)] {
        let mut answer = ok(BODY);
        answer.truncate(answer.len() - BODY.len() + have);
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Broken), "{have}");
        assert_eq!(case.taker.bytes, BODY[..have]);
    }
}

#[test]
fn a_body_that_is_longer_than_announced_ends_where_it_was_announced() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n";
    for piece in [head.len(), 7, 1] {
        let answer = [head, BODY, b"and more"].concat();
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!(case.taker.bytes, BODY);
    }
    // All in one read it is seen before the body begins, and refused.
    let mut case = case([in_pieces(&[head, BODY, b"and more"].concat(), 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::Protocol));
    assert_eq!(case.taker.bytes, b"");
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let answer = [b"HTTP/1.0 200 OK\r\n\r\n", BODY].concat();
    for piece in [1, 19, 500] {
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()));
        assert_eq!((case.taker.bytes.as_slice(), case.taker.total), (BODY, None));
    }
}

#[test]
fn a_length_of_0_and_no_body_at_all_are_left_to_the_sink() {
    let mut none = case([in_pieces(&ok(b""), 500)]);
    assert_eq!(none.fetch(URL), Ok(()));
    assert_eq!(none.taker.begun, [Header { offset: 0, total_len_bytes: Some(0) }]);
    let mut closed = case([in_pieces(b"HTTP/1.1 200 OK\r\n\r\n", 500)]);
    assert_eq!((closed.fetch(URL), closed.taker.total), (Ok(()), None));
}

fn chunked(chunks: &[&[u8]], end: &[u8]) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in chunks {
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend_from_slice(chunk);
        answer.extend(b"\r\n");
    }
    answer.extend_from_slice(end);
    answer
}

#[test]
fn a_chunked_body() {
    for piece in [1, 3, 47, 48, 49, 500] {
        let answer = chunked(&[&BODY[..1], &BODY[1..14], &BODY[14..]], b"0\r\n\r\n");
        let mut case = case([in_pieces(&answer, piece)]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!((case.taker.bytes.as_slice(), case.taker.total), (BODY, None));
    }
}

#[test]
fn a_chunked_body_that_breaks_off_is_a_broken_one() {
    let whole = chunked(&[&BODY[..5], &BODY[5..]], b"0\r\n\r\n");
    let head = chunked(&[], b"").len();
    for end in head..whole.len() {
        for piece in [1, 500] {
            let mut case = case([in_pieces(&whole[..end], piece)]);
            assert_eq!(case.fetch(URL), Err(SourceError::Broken), "{end}");
            assert!(BODY.starts_with(&case.taker.bytes));
        }
    }
}

#[test]
fn chunks_that_make_no_sense_are_no_http() {
    let endless = format!("0;{}\r\n\r\n", "x".repeat(5000));
    for end in [
        "x\r\n",
        "5\nabcde",
        "123456789\r\n",
        "-1\r\n",
        "\r\n\r\n",
        ";x\r\n\r\n",
        "0\n\n",
        &endless,
    ] {
        let mut case = case([in_pieces(&chunked(&[BODY], end.as_bytes()), 500)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Protocol), "{end:?}");
        assert_eq!(case.taker.bytes, BODY);
    }
}

#[test]
fn what_stands_beside_sizes_is_passed_over() {
    let body = "5;name=value\r\nabcde\r\n0003  \r\nfgh\r\n000;last\r\nX: y\r\nZ: \r\n\r\n";
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    for piece in [1, 2, 7, 500] {
        let mut case = case([in_pieces(answer.as_bytes(), piece)]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!(case.taker.bytes, b"abcdefgh");
    }
}

#[test]
fn two_framings_at_once_or_an_unknown_one_are_refused() {
    for headers in [
        "Content-Length: 16\r\nTransfer-Encoding: chunked",
        "Content-Length: 16\r\ncontent-length: 6",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: deflate\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: something",
        "Content-Length: many",
        "Content-Length: -1",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n0123456789abcdef");
        let mut case = case([in_pieces(answer.as_bytes(), 60)]);
        assert_eq!(case.fetch(URL), Err(SourceError::Protocol), "{headers}");
        assert_eq!(case.taker.bytes, b"");
    }
}

#[test]
fn an_enormous_length_does_not_wrap() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4294967312\r\n\r\n";
    let mut case = case([in_pieces(answer, 500)]);
    case.taker.refuses = true;
    assert_eq!(case.fetch(URL), Err(SourceError::Sink("refused")));
    assert_eq!(case.taker.total, Some(u32::MAX));
}

#[test]
fn every_other_status_is_an_error() {
    for status in
        [100, 101, 201, 203, 204, 205, 300, 304, 400, 401, 403, 404, 416, 429, 500, 503, 599]
    {
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
    let long =
        [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; HTTP_BUFFER_BYTES], b"\r\n\r\n".to_vec()];
    let mut case = case([in_pieces(&long.concat(), 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::Protocol));
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

fn redirect(status: u16, to: &str) -> Vec<Act> {
    in_pieces(
        format!("HTTP/1.1 {status} Go\r\nLocation: {to}\r\nContent-Length: 3\r\n\r\nbye")
            .as_bytes(),
        500,
    )
}

#[test]
fn redirections_are_followed_five_times() {
    for status in [301, 302, 303, 307, 308] {
        let mut case = case([redirect(status, "/sub/v2.bin"), in_pieces(&ok(BODY), 500)]);
        assert_eq!(case.fetch(URL), Ok(()));
        assert_eq!(case.taker.bytes, BODY);
        assert!(case.request(1).starts_with("GET /sub/v2.bin HTTP/1.1\r\nHost: lab:8070\r\n"));
    }
    let hops = |count| (0..count).map(|hop| redirect(302, &format!("http://host{hop}/")));
    let mut five = case(hops(5).chain([in_pieces(&ok(BODY), 500)]));
    assert_eq!(five.fetch(URL), Ok(()));
    assert!(five.request(5).contains("Host: host4\r\n"));
    let mut six = case(hops(6));
    assert_eq!(six.fetch(URL), Err(SourceError::Redirects));
}

#[test]
fn a_redirection_keeps_the_range() {
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-15/16\r\n\r\n456789abcdef";
    let mut case = case([redirect(302, "/b"), in_pieces(part, 500)]).having(&BODY[..4]);
    assert_eq!(case.fetch(URL), Ok(()));
    assert!(case.request(1).contains("Range: bytes=4-\r\n"));
    assert_eq!(case.taker.bytes, BODY);
}

#[test]
fn redirections_to_nowhere() {
    for (location, wanted) in [
        ("", SourceError::BadRedirect),
        ("https://lab/app.bin", SourceError::NoTls),
        ("ftp://lab/app.bin", SourceError::BadUrl),
        ("/a b", SourceError::BadUrl),
        ("http:///", SourceError::BadUrl),
        (&"x".repeat(600), SourceError::BadRedirect),
    ] {
        let mut case = case([redirect(302, location)]);
        assert_eq!(case.fetch(URL), Err(wanted), "{location:?}");
    }
    let mut case = case([in_pieces(b"HTTP/1.1 302 Go\r\n\r\n", 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::BadRedirect));
}

#[test]
fn addresses_that_cannot_be_asked() {
    for (url, wanted) in [
        ("https://lab/app.bin", SourceError::NoTls),
        ("ftp://lab/app.bin", SourceError::BadUrl),
        ("app.bin", SourceError::BadUrl),
        ("", SourceError::BadUrl),
        ("http://lab/\r\nX: y", SourceError::BadUrl),
        ("http://lab:port/", SourceError::BadUrl),
        ("http://lab:/", SourceError::BadUrl),
        ("http://lab/#top", SourceError::BadUrl),
        ("http://user:pw@lab/", SourceError::BadUrl),
        // The chips' network stack has IPv4 alone.
        ("http://[::1]:80/app.bin", SourceError::BadUrl),
        (&format!("http://lab/{}", "x".repeat(600)), SourceError::BadUrl),
    ] {
        assert_eq!(case([]).fetch(url), Err(wanted), "{url}");
    }
}

/// Bytes that are not those asked for are never taken for them.
#[test]
fn a_partial_answer_to_another_question_is_not_taken() {
    for range in [
        "Content-Range: bytes 4-15/16",
        "Content-Range: bytes 11-15/16",
        "Content-Range: bytes */16",
        "Content-Range: items 10-15/16",
        "Content-Range: bytes 10-16/16",
        "Content-Range: bytes 15-10/16",
        "Content-Type: multipart/byteranges; boundary=x",
    ] {
        let part = format!("HTTP/1.1 206 Partial Content\r\n{range}\r\n\r\nwrong bytes");
        let mut case =
            case([in_pieces(part.as_bytes(), 500), in_pieces(&ok(BODY), 500)]).having(&BODY[..10]);
        assert_eq!(case.fetch(URL), Ok(()), "{range}");
        assert_eq!(case.taker.bytes, BODY);
        assert!(!case.request(1).contains("Range"), "{}", case.request(1));
        assert_eq!(case.taker.begun, [Header { offset: 0, total_len_bytes: Some(16) }]);
    }
    // Unasked, there is nothing left to ask differently.
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-15/16\r\n\r\n";
    let mut case = case([in_pieces(part, 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::WrongRange { asked: 0, answered: Some(4) }));
}

#[test]
fn a_range_of_unknown_total_or_in_part_is_taken() {
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 10-11/*\r\n\
        Content-Length: 2\r\n\r\nab";
    let mut case = case([in_pieces(part, 500)]).having(&BODY[..10]);
    assert_eq!(case.fetch(URL), Ok(()));
    assert_eq!(case.taker.begun, [Header { offset: 10, total_len_bytes: None }]);
    assert_eq!(case.taker.bytes, BODY[..12]);
}

#[test]
fn a_server_without_ranges_sends_the_whole_file() {
    let mut case = case([in_pieces(&ok(BODY), 500)]).having(b"other bytes");
    assert_eq!(case.fetch(URL), Ok(()));
    assert_eq!(case.taker.bytes, BODY);
}

#[test]
fn a_file_that_became_shorter_is_asked_for_from_the_start() {
    let gone = b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */16\r\n\r\n";
    let mut shorter = case([in_pieces(gone, 500), in_pieces(&ok(BODY), 500)]).having(&[7; 20]);
    assert_eq!(shorter.fetch(URL), Ok(()));
    assert_eq!(shorter.taker.bytes, BODY);
    assert!(!shorter.request(1).contains("Range"));
    let mut always = case([in_pieces(gone, 500), in_pieces(gone, 500)]).having(&[7; 20]);
    assert_eq!(always.fetch(URL), Err(SourceError::Status(416)));
}

#[test]
fn a_strong_tag_goes_with_the_range_and_a_weak_one_does_not() {
    for (tag, kept) in [
        ("\"v1\"", true),
        ("W/\"v1\"", false),
        ("v1", false),
        (&format!("\"{}\"", "x".repeat(80)), false),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 16\r\nETag: {tag}\r\n\r\n0123");
        let part =
            b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-15/16\r\n\r\n456789abcdef";
        let Case { net, mut taker } =
            case([in_pieces(answer.as_bytes(), 500), in_pieces(part, 500)]);
        let mut buffer = [0; HTTP_BUFFER_BYTES];
        let mut source = HttpSource::new(&net, &net, &mut buffer);
        assert_eq!(fetch_with(&mut source, URL, &mut taker), Err(SourceError::Broken));
        assert_eq!(fetch_with(&mut source, URL, &mut taker), Ok(()));
        assert_eq!(taker.bytes, BODY);
        assert_eq!((source.requests(), source.received_bytes()), (2, 16));
        let asked = net.requests.borrow()[1].clone();
        assert!(asked.contains("Range: bytes=4-\r\n"));
        assert_eq!(asked.contains(&format!("If-Range: {tag}\r\n")), kept, "{asked}");
    }
}

/// A connection that does not come about does not make the client forget which file it was.
#[test]
fn a_tag_outlives_a_failed_connection() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\nETag: \"v1\"\r\n\r\n0123";
    let Case { net, mut taker } = case([in_pieces(answer, 500), in_pieces(&ok(BODY), 500)]);
    let mut buffer = [0; HTTP_BUFFER_BYTES];
    let mut source = HttpSource::new(&net, &net, &mut buffer);
    assert_eq!(fetch_with(&mut source, URL, &mut taker), Err(SourceError::Broken));
    net.refuses.set(Some(ErrorKind::ConnectionRefused));
    assert_eq!(fetch_with(&mut source, URL, &mut taker), Err(SourceError::Connect));
    net.refuses.set(None);
    assert_eq!(fetch_with(&mut source, URL, &mut taker), Ok(()));
    assert!(net.requests.borrow()[1].contains("If-Range: \"v1\"\r\n"));
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
    let errors: [(SourceError<Infallible>, u16); 6] = [
        (SourceError::BadUrl, 1),
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
