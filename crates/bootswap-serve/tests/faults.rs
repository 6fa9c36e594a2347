//! Every fault, as a plain client sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use client::{End, exchange, get, head, pattern, request, server};

/// A file that is larger than the buffers of sockets, so that breaks happen while bytes are queued.
fn large() -> Vec<u8> {
    pattern(6_000_000)
}

#[test]
fn drop_resets_after_exactly_that_many_bytes() {
    let bytes = large();
    for count in [0, 1, 13_000, 65_536, 5_000_000, bytes.len()] {
        let server = server(&bytes, &[&format!("drop={count}")]);
        let reply = get(&server, "/app.bin", &[]);
        assert_eq!(reply.header("content-length"), Some("6000000"));
        assert_eq!((reply.body.len(), reply.end), (count, End::Reset));
        assert!(reply.body == bytes[..count]);
    }
}

#[test]
fn drop_after_the_end_still_resets() {
    let reply = get(&server(b"abc", &["drop=9"]), "/app.bin", &[]);
    assert_eq!((&reply.body[..], reply.end), (&b"abc"[..], End::Reset));
}

#[test]
fn drop_alone_resets_instead_of_answering() {
    let server = server(b"abc", &["drop"]);
    assert_eq!(exchange(server.addr(), &request("GET", "/app.bin", &[])), (vec![], End::Reset));
}

#[test]
fn a_download_that_is_dropped_can_be_resumed() {
    let bytes = pattern(50_000);
    let server = server(&bytes, &["/app.bin:drop=13000"]);
    let mut got = Vec::new();
    let mut requests = 0;
    while got.len() < bytes.len() {
        let from = format!("bytes={}-", got.len());
        got.extend(get(&server, "/app.bin", &[("Range", &from)]).body);
        requests += 1;
    }
    assert!(got == bytes);
    assert_eq!(requests, 4);
    let stats = server.stats();
    assert_eq!((stats.requests, stats.faults, stats.body_bytes), (4, 4, 50_000));
}

#[test]
fn a_stalled_answer_stays_open_and_sends_nothing() {
    for (fault, count) in [("stall", 0), ("stall=0", 0), ("stall=20000", 20_000)] {
        let bytes = pattern(100_000);
        let server = server(&bytes, &[&format!("/app.bin:{fault}")]);
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.write_all(request("GET", "/app.bin", &[]).as_bytes()).unwrap();
        let mut got = Vec::new();
        let body_at = |got: &[u8]| Some(got.windows(4).position(|w| w == b"\r\n\r\n")? + 4);
        while fault != "stall" && body_at(&got).is_none_or(|at| got.len() < at + count) {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0);
            got.extend(&piece[..read]);
        }
        let at = body_at(&got).unwrap_or(0);
        assert!(got[at..] == bytes[..count]);
        // Nothing more may come. The timeout gives a faulty server time to send something.
        stream.set_read_timeout(Some(std::time::Duration::from_millis(30))).unwrap();
        let error = stream.read(&mut [0; 1]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
        // The rest of the server goes on.
        assert_eq!(get(&server, "/none", &[]).status, 404);
    }
}

#[test]
fn truncate_announces_all_and_closes_early() {
    let bytes = large();
    for count in [0, 5_000, 5_000_000] {
        let server = server(&bytes, &[&format!("truncate={count}")]);
        let reply = get(&server, "/app.bin", &[]);
        assert_eq!(reply.header("content-length"), Some("6000000"));
        assert_eq!((reply.body.len(), reply.end), (count, End::Closed));
    }
}

#[test]
fn html_is_a_login_page_with_status_200() {
    let reply = get(&server(&pattern(100), &["html"]), "/app.bin", &[("Range", "bytes=5-")]);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(reply.body.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn an_empty_answer_announces_no_bytes() {
    let reply = get(&server(&pattern(100), &["empty"]), "/app.bin", &[]);
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("0")));
    assert_eq!(reply.body, b"");
}

#[test]
fn a_status_comes_as_often_as_asked_for() {
    let server = server(b"abc", &["status=503*2"]);
    let statuses: Vec<_> = (0..3).map(|_| get(&server, "/app.bin", &[]).status).collect();
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!(server.stats().faults, 2);
}

#[test]
fn a_status_without_body_has_none() {
    let reply = get(&server(b"abc", &["status=204"]), "/app.bin", &[]);
    assert_eq!((reply.status, &reply.body[..]), (204, &b""[..]));
    assert_eq!(reply.header("content-length"), None);
}

#[test]
fn redirections_end_at_the_file() {
    let server = server(b"abc", &["redirect=3", "status=503"]);
    let mut path = "/app.bin".to_owned();
    for _ in 0..3 {
        let reply = get(&server, &path, &[]);
        assert_eq!(reply.status, 302);
        path = reply.header("location").unwrap().to_owned();
    }
    // The next rule applies where the redirections end, and only there.
    assert_eq!(get(&server, &path, &[]).status, 503);
}

#[test]
fn a_redirection_loop_leads_back() {
    let server = server(b"abc", &["redirect-loop"]);
    let reply = get(&server, "/app.bin", &[]);
    assert_eq!((reply.status, reply.header("location")), (302, Some("/app.bin")));
}

#[test]
fn ignored_ranges_get_the_whole_file() {
    let bytes = pattern(1000);
    let server = server(&bytes, &["range-ignored"]);
    for range in ["bytes=5-9", "bytes=2000-"] {
        let reply = get(&server, "/app.bin", &[("Range", range)]);
        assert_eq!((reply.status, reply.header("accept-ranges")), (200, None));
        assert!(reply.body == bytes);
    }
}

#[test]
fn a_wrong_range_has_its_own_content_range_and_a_misplaced_one_has_not() {
    let bytes = pattern(1000);
    for (fault, asked, claimed, sent) in [
        ("range-wrong", "bytes=500-", "bytes 499-998/1000", &bytes[499..999]),
        ("range-misplaced", "bytes=500-", "bytes 500-999/1000", &bytes[499..999]),
        ("range-wrong", "bytes=0-99", "bytes 1-100/1000", &bytes[1..101]),
        ("range-misplaced", "bytes=0-99", "bytes 0-99/1000", &bytes[1..101]),
        ("range-wrong", "bytes=0-", "bytes 1-999/1000", &bytes[1..]),
    ] {
        let reply = get(&server(&bytes, &[fault]), "/app.bin", &[("Range", asked)]);
        assert_eq!((reply.status, reply.header("content-range")), (206, Some(claimed)), "{fault}");
        assert!(reply.body == sent, "{fault} {asked}");
    }
    let single = get(&server(b"a", &["range-wrong"]), "/app.bin", &[("Range", "bytes=0-0")]);
    assert_eq!((single.status, &single.body[..]), (206, &b"a"[..]));
}

#[test]
fn corrupt_flips_the_same_bit_in_every_range() {
    let bytes = pattern(1000);
    for (fault, at) in [("corrupt", 500), ("corrupt=7", 7), ("corrupt=5000", 999)] {
        let server = server(&bytes, &[fault]);
        let mut expected = bytes.clone();
        expected[at] ^= 1;
        assert!(get(&server, "/app.bin", &[]).body == expected, "{fault}");
        let range = format!("bytes={at}-{at}");
        let reply = get(&server, "/app.bin", &[("Range", &range)]);
        assert_eq!(reply.body, [bytes[at] ^ 1]);
    }
    assert_eq!(get(&server(b"", &["corrupt"]), "/app.bin", &[]).body, b"");
}

#[test]
fn corrupt_keeps_the_entity_tag() {
    let server = server(&pattern(1000), &["corrupt*1"]);
    let tags: Vec<_> =
        (0..2).map(|_| get(&server, "/app.bin", &[]).header("etag").unwrap().to_owned()).collect();
    assert_eq!(tags[0], tags[1]);
}

#[test]
fn oversize_announces_the_longer_length() {
    let reply = get(&server(b"abc", &["oversize=2"]), "/app.bin", &[]);
    assert_eq!(reply.header("content-length"), Some("5"));
    assert_eq!(reply.body, b"abc\xa5\xa5");
    let reply = get(&server(b"abc", &["oversize=2"]), "/app.bin", &[("Range", "bytes=4-")]);
    assert_eq!(reply.header("content-range"), Some("bytes 4-4/5"));
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let bytes = pattern(100_000);
    let server = server(&bytes, &["no-length"]);
    let kept_alive = "GET /app.bin HTTP/1.1\r\nHost: lab\r\n\r\n";
    let (answer, end) = exchange(server.addr(), kept_alive);
    assert!(answer.starts_with(b"HTTP/1.0 200 OK\r\n") && answer.ends_with(&bytes));
    let head = String::from_utf8_lossy(&answer[..500]).to_lowercase();
    assert!(!head.contains("content-length"));
    assert_eq!(end, End::Closed);
}

#[test]
fn a_truncated_body_without_length_ends_in_order() {
    let bytes = pattern(10_000);
    let reply = get(&server(&bytes, &["no-length+truncate=5000"]), "/app.bin", &[]);
    assert_eq!((reply.status, reply.header("content-length"), reply.end), (200, None, End::Closed));
    assert!(reply.body == bytes[..5000]);
}

#[test]
fn chunks_make_up_the_file() {
    let bytes = pattern(2500);
    let reply = get(&server(&bytes, &["chunked"]), "/app.bin", &[]);
    assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    assert_eq!(reply.header("content-length"), None);
    let mut expected = Vec::new();
    for (size, chunk) in
        [("3e8", &bytes[..1000]), ("3e8", &bytes[1000..2000]), ("1f4", &bytes[2000..])]
    {
        expected.extend([size.as_bytes(), b"\r\n", chunk, b"\r\n"].concat());
    }
    expected.extend(b"0\r\n\r\n");
    assert!(reply.body == expected);
}

#[test]
fn chunks_can_break_inside_and_between() {
    let bytes = pattern(2500);
    for (fault, framing_bytes, end) in [
        ("chunked+truncate=1500", "3e8\r\n\r\n3e8\r\n".len(), End::Closed),
        ("chunked+truncate=1000", "3e8\r\n\r\n".len(), End::Closed),
        ("chunked+drop=1500", "3e8\r\n\r\n3e8\r\n".len(), End::Reset),
        ("chunked+truncate=0", 0, End::Closed),
    ] {
        let server = server(&bytes, &[fault]);
        let reply = get(&server, "/app.bin", &[]);
        let body_bytes = usize::try_from(server.stats().body_bytes).unwrap();
        assert_eq!((reply.body.len() - framing_bytes, reply.end), (body_bytes, end), "{fault}");
        assert!(fault.ends_with(&body_bytes.to_string()), "{fault}: {body_bytes}");
    }
}

#[test]
fn an_http_1_0_client_gets_no_chunks() {
    let server = server(b"abc", &["chunked"]);
    let (answer, _) = exchange(server.addr(), "GET /app.bin HTTP/1.0\r\n\r\n");
    assert!(answer.ends_with(b"\r\n\r\nabc"));
}

#[test]
fn a_changing_entity_tag_never_matches() {
    let server = server(&pattern(100), &["etag-changes"]);
    let first = get(&server, "/app.bin", &[]).header("etag").unwrap().to_owned();
    let resumed = get(&server, "/app.bin", &[("Range", "bytes=5-"), ("If-Range", &first)]);
    assert_eq!((resumed.status, resumed.body.len()), (200, 100));
    assert_ne!(resumed.header("etag"), Some(first.as_str()));
}

#[test]
fn faults_apply_to_head_too() {
    assert_eq!(head(&server(b"abc", &["status=503"]), "/app.bin", &[]).status, 503);
    let reply = head(&server(b"abc", &["drop=2"]), "/app.bin", &[]);
    assert_eq!((reply.status, &reply.body[..], reply.end), (200, &b""[..], End::Reset));
}
