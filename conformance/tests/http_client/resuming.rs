//! Downloads that break off: what is asked for then, and which answers are taken.

use bootswap_engine::SourceError;

use crate::client::Client;
use crate::file;
use crate::told::{Ending, Server, Told};

const LEN: usize = 6000;
const CUT: usize = 2500;

/// The beginning of an answer with the whole file, cut off.
fn cut_off(headers: &str, body: &[u8]) -> Told {
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    Told::new([head.as_bytes(), &body[..CUT]].concat())
}

/// The rest of a file, from there on.
fn rest(from: usize, headers: &str, body: &[u8]) -> Told {
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len());
    Told::answer("206 Partial Content", &format!("{range}{headers}"), &body[from..])
}

/// A client that has the beginning of a file.
fn broken_off(server: &Server) -> Client {
    let mut client = Client::new();
    assert_eq!(client.fetch(&server.url("/app.bin")), Err(SourceError::Broken));
    assert_eq!(client.taken.file, file(LEN, 1)[..CUT]);
    client
}

#[test]
fn the_rest_is_asked_for_on_the_condition_that_the_file_is_the_same() {
    let tag = "\"33a64df551425fcc55e4d42a148795d9f25f89d4\"";
    for (etag, if_range) in [
        (Some(tag), Some(tag)),
        // A weak tag does not promise the same bytes.
        (Some("W/\"33a64df5\""), None),
        (None, None),
    ] {
        let header = etag.map_or(String::new(), |tag| format!("ETag: {tag}\r\n"));
        let server = Server::start(move |number, _| match number {
            0 => cut_off(&header, &file(LEN, 1)),
            _ => rest(CUT, &header, &file(LEN, 1)),
        });
        let mut client = broken_off(&server);
        assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()));
        assert!(client.taken.file == file(LEN, 1));
        assert_eq!(server.header(0, "Range"), None);
        assert_eq!(server.header(1, "Range"), Some(format!("bytes={CUT}-")));
        assert_eq!(server.header(1, "If-Range").as_deref(), if_range);
        assert_eq!(client.last_begun(), (CUT as u32, Some(LEN as u32)));
    }
}

/// The file was replaced: it comes whole, and nothing of the old one stays.
#[test]
fn a_changed_file_begins_anew() {
    let server = Server::start(|number, _| match number {
        0 => cut_off("ETag: \"one\"\r\n", &file(LEN, 1)),
        1 => Told::answer("200 OK", "ETag: \"two\"\r\n", &file(LEN + 1, 9)).in_pieces(1000),
        _ => rest(CUT, "ETag: \"two\"\r\n", &file(LEN + 1, 9)),
    });
    let mut client = broken_off(&server);
    client.fetch_first(CUT, &server.url("/app.bin"));
    assert_eq!(client.last_begun(), (0, Some(LEN as u32 + 1)));
    assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()));
    assert!(client.taken.file == file(LEN + 1, 9));
    let tags: Vec<_> = (0..3).map(|request| server.header(request, "If-Range")).collect();
    assert_eq!(tags, [None, Some("\"one\"".to_owned()), Some("\"two\"".to_owned())]);
}

/// A partial answer to another question is not taken: the file is asked for from its start.
#[test]
fn wrong_ranges_are_not_taken() {
    let partial = |range: &str| {
        let header = format!("Content-Range: {range}\r\n");
        let header = if range.is_empty() { String::new() } else { header };
        Told::answer("206 Partial Content", &header, &file(LEN, 7)[CUT..])
    };
    for range in [
        "bytes 0-5999/6000",
        "bytes 2499-5999/6000",
        "bytes 2501-5999/6000",
        // Unreadable, or not of bytes, or not there.
        "bytes 2500-2499/6000",
        "bytes 2500-5999/5999",
        "bytes 2500-/6000",
        "bytes=2500-5999/6000",
        "bytes */6000",
        "pages 2500-5999/6000",
        "bytes 4294969796-4294973295/4294973296",
        "",
    ] {
        let server = Server::start(move |number, _| match number {
            0 => cut_off("", &file(LEN, 1)),
            1 => partial(range),
            _ => Told::ok(&file(LEN, 1)),
        });
        let mut client = broken_off(&server);
        assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()), "{range}");
        assert!(client.taken.file == file(LEN, 1), "{range}");
        let ranges: Vec<_> = (0..3).map(|request| server.header(request, "Range")).collect();
        assert_eq!(ranges, [None, Some("bytes=2500-".to_owned()), None], "{range}");
        assert_eq!(client.taken.begun.len(), 2, "{range}");
    }
    // The client did not ask for a part, so it cannot ask in another way.
    let server = Server::start(move |_, _| partial("bytes 100-5999/6000"));
    let ended = Client::new().fetch(&server.url("/app.bin"));
    assert_eq!(ended, Err(SourceError::WrongRange { asked: 0, answered: Some(100) }));
}

/// Several parts in one answer were not asked for, and are no file.
#[test]
fn multipart_answers_are_not_taken() {
    let parts = b"--x\r\nContent-Range: bytes 2500-2599/6000\r\n\r\nabc\r\n--x--\r\n";
    let kind = "Content-Type: multipart/byteranges; boundary=x\r\n";
    let server = Server::start(move |number, _| match number {
        0 => cut_off("", &file(LEN, 1)),
        1 => Told::answer("206 Partial Content", kind, parts),
        _ => Told::ok(&file(LEN, 1)),
    });
    let mut client = broken_off(&server);
    assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()));
    assert!(client.taken.file == file(LEN, 1));
}

#[test]
fn a_file_that_became_shorter_is_asked_for_from_its_start() {
    let unsatisfied = "Content-Range: bytes */1000\r\n";
    let server = Server::start(move |number, _| match number {
        0 => cut_off("", &file(LEN, 1)),
        1 => Told::answer("416 Range Not Satisfiable", unsatisfied, b""),
        _ => Told::ok(&file(1000, 2)),
    });
    let mut client = broken_off(&server);
    assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()));
    assert!(client.taken.file == file(1000, 2));
    let ranges: Vec<_> = (0..3).map(|request| server.header(request, "Range")).collect();
    assert_eq!(ranges, [None, Some("bytes=2500-".to_owned()), None]);
}

/// Parts that are shorter than asked for, and chunked ones, and resets in between.
#[test]
fn a_file_in_many_parts() {
    let server = Server::start(|number, request| {
        let body = file(LEN, 1);
        let from = request.lines().find_map(|line| line.strip_prefix("Range: bytes="));
        let from: usize = from.map_or(0, |text| text.trim_end_matches('-').parse().unwrap());
        let end = body.len().min(from + 700);
        let part = &body[from..end];
        let range = format!("Content-Range: bytes {from}-{}/{LEN}\r\n", end - 1);
        let status = if from == 0 { "206 Partial Content" } else { "206 Part" };
        match number % 3 {
            0 => Told::answer(status, &range, part),
            1 => {
                let head =
                    format!("HTTP/1.1 {status}\r\n{range}Transfer-Encoding: chunked\r\n\r\n");
                let size = format!("{:x}\r\n", part.len());
                Told::new([head.as_bytes(), size.as_bytes(), part, b"\r\n0\r\n\r\n"].concat())
            }
            _ => {
                let range = format!("Content-Range: bytes {from}-{}/{LEN}\r\n", LEN - 1);
                let len = LEN - from;
                let head = format!("HTTP/1.1 {status}\r\n{range}Content-Length: {len}\r\n\r\n");
                Told::new([head.as_bytes(), part].concat()).ending(Ending::Reset)
            }
        }
    });
    let mut client = Client::new();
    while client.taken.file.len() < LEN {
        let before = client.taken.file.len();
        let ended = client.fetch(&server.url("/app.bin"));
        assert!(matches!(ended, Ok(()) | Err(SourceError::Broken)), "{ended:?}");
        assert!(file(LEN, 1).starts_with(&client.taken.file));
        // A reset may discard what was sent before it.
        assert!(client.taken.file.len() > before || ended.is_err());
    }
    assert!(client.taken.file == file(LEN, 1));
}
