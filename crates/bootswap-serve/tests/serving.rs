//! The server without faults, as a plain client sees it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use bootswap_serve::{Files, Server, ServerConfig, Stats};
use client::{End, exchange, get, head, pattern, request, server};

#[test]
fn a_file_comes_as_it_is() {
    let bytes = pattern(100_000);
    let server = server(&bytes, &[]);
    let reply = get(&server, "/app.bin", &[]);
    assert_eq!((reply.status, reply.end), (200, End::Closed));
    assert_eq!(reply.header("content-length"), Some("100000"));
    assert_eq!(reply.header("accept-ranges"), Some("bytes"));
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
    assert!(reply.header("date").unwrap().ends_with(" GMT"));
    assert!(reply.body == bytes);
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let server = server(&pattern(1000), &[]);
    let (got, headed) = (get(&server, "/app.bin", &[]), head(&server, "/app.bin", &[]));
    assert_eq!(headed.body, b"");
    assert_eq!(headed.status, 200);
    for name in ["content-length", "etag", "last-modified", "accept-ranges"] {
        assert_eq!(headed.header(name), got.header(name), "{name}");
    }
    assert_eq!(server.stats().body_bytes, 1000);
}

#[test]
fn a_range_comes_with_its_content_range() {
    let bytes = pattern(1000);
    let server = server(&bytes, &[]);
    let reply = get(&server, "/app.bin", &[("Range", "bytes=100-199")]);
    assert_eq!(reply.status, 206);
    assert_eq!(reply.header("content-range"), Some("bytes 100-199/1000"));
    assert_eq!(reply.header("content-length"), Some("100"));
    assert_eq!(reply.body, bytes[100..200]);
    let reply = get(&server, "/app.bin", &[("Range", "bytes=990-")]);
    assert_eq!((reply.status, &reply.body[..]), (206, &bytes[990..]));
    let reply = get(&server, "/app.bin", &[("Range", "bytes=1000-")]);
    assert_eq!((reply.status, reply.header("content-range")), (416, Some("bytes */1000")));
    let reply = head(&server, "/app.bin", &[("Range", "bytes=100-199")]);
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("1000")));
}

#[test]
fn a_range_is_sent_only_if_the_client_has_the_same_file() {
    let server = server(&pattern(1000), &[]);
    let whole = get(&server, "/app.bin", &[]);
    let (etag, date) = (whole.header("etag").unwrap(), whole.header("last-modified").unwrap());
    let status = |condition: &str| {
        get(&server, "/app.bin", &[("Range", "bytes=5-"), ("If-Range", condition)]).status
    };
    assert_eq!(status(etag), 206);
    assert_eq!(status(date), 206);
    assert_eq!(status("\"another\""), 200);
    assert_eq!(status(&format!("W/{etag}")), 200);
    assert_eq!(status("Mon, 01 Jan 2001 00:00:00 GMT"), 200);
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let server = server(&pattern(1000), &[]);
    let whole = get(&server, "/app.bin", &[]);
    let (etag, date) = (whole.header("etag").unwrap(), whole.header("last-modified").unwrap());
    let status = |name, value: &str| get(&server, "/app.bin", &[(name, value)]).status;
    assert_eq!(status("If-None-Match", etag), 304);
    assert_eq!(status("If-None-Match", &format!("\"x\", W/{etag}")), 304);
    assert_eq!(status("If-None-Match", "*"), 304);
    assert_eq!(status("If-None-Match", "\"x\""), 200);
    assert_eq!(status("If-Modified-Since", date), 304);
    assert_eq!(status("If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"), 200);
    let reply = get(&server, "/app.bin", &[("If-None-Match", etag), ("Range", "bytes=0-1")]);
    assert_eq!((reply.status, reply.header("content-length")), (304, None));
}

#[test]
fn a_connection_carries_one_request_after_the_other() {
    let server = server(&pattern(10), &[]);
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    // Two at once, then one more: a client may send a request before it has the last answer.
    let one = "GET /app.bin HTTP/1.1\r\nHost: lab\r\n\r\n";
    stream.write_all(format!("{one}{one}").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for answered in 1..=3 {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            lines.push(line);
        }
        assert_eq!(lines[0], "HTTP/1.1 200 OK\r\n");
        let mut body = [0; 10];
        reader.read_exact(&mut body).unwrap();
        assert_eq!(body[..], pattern(10));
        if answered == 2 {
            stream.write_all(one.as_bytes()).unwrap();
        }
    }
    let Stats { connections, requests, .. } = server.stats();
    assert_eq!((connections, requests), (1, 3));
}

#[test]
fn the_answer_to_a_missing_file_lists_the_others() {
    let server = server(b"x", &[]);
    for path in ["/", "/app", "/app.bin/", "/../app.bin", "/%2e%2e/app.bin"] {
        let reply = get(&server, path, &[]);
        assert_eq!(reply.status, 404, "{path}");
        assert!(String::from_utf8(reply.body).unwrap().contains("/app.bin"), "{path}");
    }
}

#[test]
fn a_directory_is_served_and_nothing_outside_it() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("www");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("an image.bin"), "image").unwrap();
    std::fs::write(outer.path().join("secret"), "secret").unwrap();
    let config = ServerConfig::on_loopback(Files::dir(root));
    let server = Server::start(config).unwrap();
    assert_eq!(get(&server, "/an%20image.bin", &[]).body, b"image");
    for path in ["/../secret", "/%2e%2e/secret", "/%2e%2e%2fsecret", "/..%5csecret", "//secret"] {
        assert_eq!(get(&server, path, &[]).status, 404, "{path}");
    }
}

#[test]
fn requests_that_are_not_for_a_file_are_refused() {
    let server = server(b"x", &[]);
    let status = |request: &str| {
        let (bytes, end) = exchange(server.addr(), request);
        assert_eq!(end, End::Closed, "{request:?}");
        String::from_utf8(bytes).unwrap().split(' ').nth(1).unwrap().to_owned()
    };
    let body = format!("Content-Length: 5000\r\n\r\n{}", "x".repeat(5000));
    assert_eq!(status(&format!("POST /app.bin HTTP/1.1\r\nHost: lab\r\n{body}")), "405");
    assert_eq!(status(&format!("GET /app.bin HTTP/1.1\r\nHost: lab\r\n{body}")), "413");
    assert_eq!(status("GET /app.bin HTTP/1.1\r\n\r\n"), "400");
    assert_eq!(status("\x16\x03\x01\x02\r\n"), "400");
    assert_eq!(status(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(30_000))), "431");
}

#[test]
fn an_http_1_0_client_gets_its_answer_and_a_closed_connection() {
    let server = server(b"x", &[]);
    let (bytes, end) = exchange(server.addr(), "GET /app.bin HTTP/1.0\r\n\r\n");
    assert!(String::from_utf8(bytes).unwrap().ends_with("Connection: close\r\n\r\nx"));
    assert_eq!(end, End::Closed);
}

#[test]
fn every_request_is_logged() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log: bootswap_serve::AccessLog = {
        let lines = Arc::clone(&lines);
        Box::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()))
    };
    let content = Files::memory([("app.bin", b"x".to_vec())]);
    let faults = vec!["/app.bin:status=503*1".parse().unwrap()];
    let config = ServerConfig { faults, log: Some(log), ..ServerConfig::on_loopback(content) };
    let server = Server::start(config).unwrap();
    for path in ["/app.bin", "/app.bin", "/none"] {
        get(&server, path, &[]);
    }
    exchange(server.addr(), &request("PUT", "/app.bin", &[]));
    let lines = lines.lock().unwrap();
    let tails: Vec<_> = lines.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    assert_eq!(
        tails,
        [
            "\"GET /app.bin HTTP/1.1\" 503 - fault /app.bin:status=503*1",
            "\"GET /app.bin HTTP/1.1\" 200 -",
            "\"GET /none HTTP/1.1\" 404 -",
            "\"PUT /app.bin HTTP/1.1\" 405 -",
        ]
    );
    assert!(lines.iter().all(|line| line.starts_with("127.0.0.1 - - [")));
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    let server = server(&pattern(10), &["stall=5"]);
    let addr = server.addr();
    let mut stalled = TcpStream::connect(addr).unwrap();
    stalled.write_all(request("GET", "/app.bin", &[]).as_bytes()).unwrap();
    let idle = TcpStream::connect(addr).unwrap();
    let mut first = [0; 1];
    stalled.read_exact(&mut first).unwrap();
    drop(server);
    for mut stream in [stalled, idle] {
        // Whether it ends in order or by a reset, it ends.
        let _ = stream.read_to_end(&mut Vec::new());
    }
    assert!(TcpStream::connect(addr).is_err());
    let again = ServerConfig {
        listen: addr,
        ..ServerConfig::on_loopback(Files::memory([("a", b"a".to_vec())]))
    };
    assert_eq!(Server::start(again).unwrap().addr(), addr);
}

#[test]
fn an_address_in_use_is_named() {
    let server = server(b"x", &[]);
    let content = Files::memory([("a", b"a".to_vec())]);
    let config = ServerConfig { listen: server.addr(), ..ServerConfig::on_loopback(content) };
    let error = Server::start(config).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&server.addr().to_string()));
}
