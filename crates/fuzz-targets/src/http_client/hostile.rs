//! Servers that send anything.

use std::collections::VecDeque;

use arbitrary::{Result, Unstructured};
use bootswap_engine::{HTTP_BUFFER_BYTES, HttpSource, Request, Source, SourceError};
use bootswap_plan::ArtifactIndex;
use embedded_io_async::ErrorKind;

use super::net::{Answer, Net, Server};
use super::sink::Keeper;
use super::{question, run};

/// The first request, five redirections, and one more without a range.
const MAX_REQUESTS: u32 = 7;

/// Fetches a file twice from servers that answer with anything.
///
/// The input chooses the address, what the client has already, and the answers: any bytes, or
/// composed of the parts that answers have.
pub fn http_client(input: &[u8]) {
    let _ = fetch(&mut Unstructured::new(input));
}

fn fetch(u: &mut Unstructured<'_>) -> Result<()> {
    let url: &str = match u.int_in_range(0..=7)? {
        0 => u.arbitrary()?,
        1 => "http://lab",
        2 => "http://lab:8070/images/app.bin?v=2",
        3 => "https://lab/app.bin",
        _ => "http://lab/app.bin",
    };
    let first = if u.arbitrary()? { 0 } else { u.int_in_range(0..=5000)? };
    let (room, enough) = (u.int_in_range(0..=4000)?, u.int_in_range(1..=4000)?);
    let mut keeper = Keeper::new(first, room, enough);
    let mut server = Script(answers(u)?);
    let net = Net::new(&mut server);
    let mut buffer = Box::new([0; HTTP_BUFFER_BYTES]);
    let mut source = HttpSource::new(&net, &net, &mut buffer);
    for _ in 0..2 {
        let (requests, received) = (source.requests(), source.received_bytes());
        keeper.next();
        let request = Request { artifact: ArtifactIndex(0), name: "app", url: Some(url) };
        let ended = run(source.fetch(&request, &mut keeper));
        assert!(source.requests() - requests <= MAX_REQUESTS, "too many requests");
        let refused = matches!(ended, Err(SourceError::Sink(_)));
        if let Err(error) = &ended {
            assert!(refused || error.number() > 0);
        }
        if keeper.header.is_some() {
            let handed_over = (source.received_bytes() - received) as usize;
            assert!(
                refused || handed_over == keeper.last().len(),
                "counts other bytes than it passed on"
            );
            check_body(&net.last(), &keeper, ended.is_ok() && !keeper.is_done);
        }
    }
    Ok(())
}

/// Checks that what was passed on is the body if `whole`, else its beginning.
fn check_body(answer: &Answer, keeper: &Keeper, whole: bool) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(len)) = head.parse(&answer.bytes) else {
        panic!("passes on an answer without a head")
    };
    assert!(
        matches!(head.code, Some(200 | 206)),
        "passes on an answer with status {:?}",
        head.code
    );
    let values = |name: &str| -> Vec<&[u8]> {
        let named = head.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let (raw, found) = (&answer.bytes[len..], keeper.last());
    let (body, is_all) = match (&values("content-length")[..], &values("transfer-encoding")[..]) {
        ([], []) => (raw.to_vec(), answer.error.is_none()),
        ([len, more @ ..], []) => {
            assert!(more.iter().all(|other| other == len), "chooses from several lengths");
            let len = core::str::from_utf8(len).ok().and_then(|len| len.parse::<usize>().ok());
            let len = len.expect("a length that was understood");
            (raw[..len.min(raw.len())].to_vec(), len <= raw.len())
        }
        ([], [_]) => dechunked(raw),
        several => panic!("chooses from several framings: {several:?}"),
    };
    assert!(body.starts_with(found), "passes on what was not sent");
    let sent = String::from_utf8_lossy(&answer.bytes);
    assert!(!whole || (is_all && body == found), "takes a part for all of it: {sent:?}");
}

/// The data of chunks, and whether the last one is there (RFC 9112, 7.1).
fn dechunked(mut raw: &[u8]) -> (Vec<u8>, bool) {
    let mut data = Vec::new();
    loop {
        let Some(end) = raw.windows(2).position(|pair| pair == b"\r\n") else {
            return (data, false);
        };
        let line = core::str::from_utf8(&raw[..end]).unwrap_or_default();
        let size = line.split_once(';').map_or(line, |(size, _)| size).trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { return (data, false) };
        raw = &raw[end + 2..];
        if size == 0 {
            return (data, true);
        }
        data.extend_from_slice(&raw[..size.min(raw.len())]);
        let Some(rest) = raw.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")) else {
            return (data, false);
        };
        raw = rest;
    }
}

/// Answers, one for each connection; after the last one the server is gone.
struct Script(VecDeque<core::result::Result<Answer, ErrorKind>>);

impl Server for Script {
    fn accept(&mut self) -> core::result::Result<(), ErrorKind> {
        match self.0.front() {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                let error = *error;
                self.0.pop_front();
                Err(error)
            }
            None => Err(ErrorKind::ConnectionRefused),
        }
    }

    fn answer(&mut self, request: &[u8]) -> Answer {
        question(request);
        self.0.pop_front().and_then(core::result::Result::ok).unwrap_or_default()
    }
}

fn answers(u: &mut Unstructured<'_>) -> Result<VecDeque<core::result::Result<Answer, ErrorKind>>> {
    let mut answers = VecDeque::new();
    for _ in 0..u.int_in_range(1..=8)? {
        if u.ratio(1, 16)? {
            answers.push_back(Err(error(u)?));
            continue;
        }
        let lens = u.arbitrary()?;
        let error = if u.ratio(1, 4)? { Some(error(u)?) } else { None };
        let bytes = if u.ratio(1, 4)? { u.arbitrary()? } else { composed(u)? };
        answers.push_back(Ok(Answer { bytes, lens, error }));
    }
    Ok(answers)
}

fn error(u: &mut Unstructured<'_>) -> Result<ErrorKind> {
    let kinds = [ErrorKind::TimedOut, ErrorKind::ConnectionReset, ErrorKind::Other];
    u.choose(&kinds).copied()
}

/// An answer of the parts that answers have, with right or wrong lengths.
fn composed(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let statuses: [&str; 12] = [
        "200 OK",
        "206 Partial Content",
        "200",
        "301 Moved",
        "302 Found",
        "307 T",
        "308 P",
        "416 Range Not Satisfiable",
        "404 Not Found",
        "100 Continue",
        "204 No Content",
        "999 X",
    ];
    let mut bytes = format!("HTTP/1.{} {}\r\n", u.int_in_range(0..=1)?, u.choose(&statuses)?);
    let body: Vec<u8> = u.arbitrary()?;
    for _ in 0..u.int_in_range(0..=5)? {
        let (name, value) = header(u, body.len())?;
        bytes.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(if u.ratio(15, 16)? { b"\r\n" } else { b"\n" });
    if !u.ratio(1, 4)? {
        bytes.extend_from_slice(&body);
        return Ok(bytes);
    }
    bytes.splice(bytes.len() - 2..bytes.len() - 2, *b"Transfer-Encoding: chunked\r\n");
    for chunk in body.chunks(u.int_in_range(1..=255)?) {
        let wrong = if u.ratio(1, 32)? { u.arbitrary::<u8>()? } else { 0 };
        let size = chunk.len() ^ usize::from(wrong);
        bytes.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    if u.ratio(3, 4)? {
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    Ok(bytes)
}

fn header(u: &mut Unstructured<'_>, body_len: usize) -> Result<(&'static str, String)> {
    let near = |u: &mut Unstructured<'_>| {
        Ok::<_, arbitrary::Error>((body_len + u.int_in_range(0..=2)?).saturating_sub(1))
    };
    Ok(match u.int_in_range(0..=9)? {
        0 | 1 => ("Content-Length", body_len.to_string()),
        2 => ("content-length", near(u)?.to_string()),
        3 => ("Content-Length", u.arbitrary::<u64>()?.to_string()),
        4 => {
            let first = u.int_in_range(0..=5000u32)?;
            let last = u64::from(first) + near(u)? as u64;
            let total = if u.arbitrary()? { "*".to_owned() } else { (last + 1).to_string() };
            ("Content-Range", format!("bytes {first}-{last}/{total}"))
        }
        5 => {
            let targets = ["/b", "http://other/c", "//cdn:1/d", "e", "", "https://lab/", "?q#f"];
            ("Location", (*u.choose(&targets)?).to_owned())
        }
        6 => ("Location", u.arbitrary::<&str>()?.to_owned()),
        7 => ("ETag", (*u.choose(&["\"a\"", "W/\"a\"", "a", "\"a\r\nX: y\""])?).to_owned()),
        8 => (
            "Transfer-Encoding",
            (*u.choose(&["chunked", "gzip", "gzip, chunked", ""])?).to_owned(),
        ),
        _ => {
            let names =
                ["X", "Keep-Alive", "Content-Type", "Content-Range", "ETag", "Content-Length"];
            (*u.choose(&names)?, u.arbitrary::<&str>()?.to_owned())
        }
    })
}
