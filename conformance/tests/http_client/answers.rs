//! Heads of every shape, framing, and answers that break off.

use std::time::Duration;

use bootswap_engine::{Encoding, MAX_HEAD_LEN_BYTES, SourceError};

use crate::client::Client;
use crate::file;
use crate::told::{Ending, Server, Told};

type Fetched = Result<Vec<u8>, SourceError<&'static str>>;

/// Fetches once from a server that gives that answer.
fn fetched(answer: impl Into<Vec<u8>>) -> Fetched {
    let server = Server::always(answer.into());
    let mut client = Client::new();
    client.fetch(&server.url("/app.bin")).map(|()| client.taken.file)
}

fn text(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), body].concat()
}

#[test]
fn interim_answers_come_before_the_file() {
    let body = file(5000, 1);
    let end = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        "HTTP/1.1 102 Processing\r\n\r\n".repeat(40),
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nContent-Length: 7\r\n\
         Location: /elsewhere\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_owned(),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nETag: \"x\"\r\n\r\n".to_owned(),
        "HTTP/1.1 199 Whatever\n\n".to_owned(),
    ] {
        for piece in [1, 17, usize::MAX] {
            let answer = text(&format!("{interim}{end}"), &body);
            let server = Server::start(move |_, _| Told::new(answer.clone()).in_pieces(piece));
            let mut client = Client::new();
            assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()), "{interim}");
            assert!(client.taken.file == body, "{interim}");
            assert_eq!((client.requests(), client.last_begun()), (1, (0, Some(5000))));
        }
    }
    // The client did not ask for another protocol, so this is not an answer.
    let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
    assert_eq!(fetched(switching), Err(SourceError::Status(101)));
    assert_eq!(fetched("HTTP/1.1 100 Continue\r\n\r\n"), Err(SourceError::Broken));
    let endless = "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_HEAD_LEN_BYTES / 25 + 1);
    assert_eq!(fetched(endless), Err(SourceError::HeadTooLong));
}

#[test]
fn heads_of_8_kib_and_up_to_the_limit() {
    let body = file(700, 2);
    let with = |headers: &str| {
        let len = body.len();
        text(&format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {len}\r\n\r\n"), &body)
    };
    let many = "X-Amz-Meta-Something: 0123456789012345678901234567890123456789\r\n".repeat(128);
    let one = format!("Set-Cookie: {}\r\n", "c".repeat(8 * 1024));
    let policy = format!("Content-Security-Policy: {}\r\n", "default-src 'self'; ".repeat(410));
    for headers in [many, one, policy] {
        assert!(headers.len() >= 8 * 1024 - 64, "{}", headers.len());
        assert_eq!(fetched(with(&headers)), Ok(body.clone()));
    }
    // To the last byte.
    let head_len = with("").len() - body.len();
    let filled = |len: usize| with(&format!("X: {}\r\n", "x".repeat(len - head_len - 5)));
    assert_eq!(fetched(filled(MAX_HEAD_LEN_BYTES)), Ok(body.clone()));
    assert_eq!(fetched(filled(MAX_HEAD_LEN_BYTES + 1)), Err(SourceError::HeadTooLong));
}

#[test]
fn packed_bodies_are_refused_by_name() {
    let with = |value: &str| {
        fetched(format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {value}\r\nContent-Length: 4\r\n\r\n1234"
        ))
    };
    for value in ["gzip", "br", "zstd", "deflate", "GZIP"] {
        assert_eq!(with(value), Err(SourceError::Encoded(Encoding::new(value))), "{value}");
    }
    let shown = with("gzip, br").unwrap_err().to_string();
    assert!(shown.contains("gzip, br"), "{shown}");
    for value in ["identity", "Identity", ""] {
        assert_eq!(with(value), Ok(b"1234".to_vec()), "{value}");
    }
    // The request said that none is accepted.
    let server = Server::start(|_, _| Told::ok(b"1234"));
    Client::new().fetch(&server.url("/app.bin")).unwrap();
    assert_eq!(server.header(0, "Accept-Encoding").as_deref(), Some("identity"));
}

/// Chunks of so many bytes.
fn chunked(body: &[u8], len_bytes: usize, extension: &str) -> Vec<u8> {
    let chunk = |part: &[u8]| {
        [format!("{:x}{extension}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat()
    };
    body.chunks(len_bytes).flat_map(chunk).collect()
}

#[test]
fn chunked_bodies_in_any_packets() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = file(3000, 3);
    for (len_bytes, extension, end) in [
        (1, "", "0\r\n\r\n"),
        (999, ";name=value", "0\r\n\r\n"),
        (2999, "", "000;last\r\nX-Checksum: abc\r\nETag: \"late\"\r\n\r\n"),
        (3000, " ", "0\r\n\r\n"),
    ] {
        let all = [HEAD.as_bytes(), &chunked(&body, len_bytes, extension), end.as_bytes()].concat();
        for piece in [1, 1000, usize::MAX] {
            let answer = all.clone();
            let server = Server::start(move |_, _| Told::new(answer.clone()).in_pieces(piece));
            let mut client = Client::new();
            assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()), "{len_bytes}");
            assert!(client.taken.file == body, "{len_bytes}");
            assert_eq!(client.last_begun(), (0, None));
        }
        // Without the last chunk the answer is incomplete, wherever it ends.
        for cut in [HEAD.len(), HEAD.len() + 1, all.len() - end.len(), all.len() - 1] {
            assert_eq!(fetched(&all[..cut]), Err(SourceError::Broken), "{len_bytes} {cut}");
        }
    }
    let both = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1234";
    assert_eq!(fetched(both), Err(SourceError::Protocol));
}

#[test]
fn a_connection_that_is_closed_early_is_a_broken_one() {
    let whole = text("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n", &file(3000, 4));
    let body_at = whole.len() - 3000;
    for ending in [Ending::Closed, Ending::Reset] {
        for cut in [0, 1, 12, body_at - 1, body_at, body_at + 1, whole.len() - 1] {
            let answer = whole[..cut].to_vec();
            let server = Server::start(move |_, _| Told::new(answer.clone()).ending(ending));
            let mut client = Client::new();
            let ended = client.fetch(&server.url("/app.bin"));
            assert_eq!(ended, Err(SourceError::Broken), "{ending:?} at {cut}");
            // A reset may discard what was sent before it.
            let came = &client.taken.file;
            assert!(whole[body_at..].starts_with(came), "{ending:?} at {cut}");
            let expected = cut.saturating_sub(body_at);
            assert!(came.len() == expected || ending == Ending::Reset, "{ending:?} at {cut}");
        }
    }
    // Without a length this cannot be detected here; the digest detects it.
    let endless = text("HTTP/1.0 200 OK\r\n\r\n", &file(100, 4));
    assert_eq!(fetched(endless), Ok(file(100, 4)));
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let whole = text("HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n", &file(3000, 5));
    for cut in [0, 20, whole.len() - 1] {
        let answer = whole[..cut].to_vec();
        let server = Server::start(move |_, _| Told::new(answer.clone()).ending(Ending::Silent));
        let mut client = Client::waiting(Duration::from_millis(100));
        let ended = client.fetch(&server.url("/app.bin"));
        assert_eq!(ended, Err(SourceError::Stalled), "at {cut}");
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/app.bin", closed.local_addr().unwrap());
    drop(closed);
    assert_eq!(Client::new().fetch(&url), Err(SourceError::Connect));
}
