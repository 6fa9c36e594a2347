//! The same rules with nginx and Python's `http.server`.

use std::fs;
use std::path::Path;

use bootswap_engine::{Encoding, SourceError};
use conformance::web::{nginx, python_http_server};
use tempfile::TempDir;

use crate::client::Client;
use crate::file;
use crate::told::{Server, Told};

const LEN: usize = 300_000;

fn dir() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app.bin"), file(LEN, 1)).unwrap();
    dir
}

/// Replaces the file by another of the same length, with another time.
fn replace(dir: &Path) {
    let path = dir.join("app.bin");
    let changed = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, file(LEN, 9)).unwrap();
    let later = changed + std::time::Duration::from_secs(60);
    fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
}

#[test]
fn nginx_resumes_and_sends_a_changed_file_whole() {
    let dir = dir();
    let server = nginx(dir.path(), "");
    let url = format!("{}/app.bin", server.url());
    let mut client = Client::new();
    client.fetch_first(100_000, &url);
    assert_eq!(client.fetch(&url), Ok(()));
    assert!(client.taken.file == file(LEN, 1));
    assert_eq!(client.last_begun(), (100_000, Some(300_000)));

    let mut client = Client::new();
    client.fetch_first(100_000, &url);
    replace(dir.path());
    assert_eq!(client.fetch(&url), Ok(()));
    assert!(client.taken.file == file(LEN, 9), "nothing of the old file is left");
    assert_eq!(client.last_begun(), (0, Some(300_000)));

    // The file became shorter: nginx answers 416, and the client asks for the whole file.
    fs::write(dir.path().join("app.bin"), file(1000, 2)).unwrap();
    let mut shortened = Client::new();
    shortened.taken.file = file(LEN, 9);
    assert_eq!(shortened.fetch(&url), Ok(()));
    assert!(shortened.taken.file == file(1000, 2));
    assert_eq!(shortened.requests(), 2);
}

#[test]
fn nginx_without_ranges_or_tags_and_in_chunks() {
    let dir = dir();
    for (directives, is_resumed) in [
        ("max_ranges 0;", false),
        ("etag off;", true),
        // A body that nginx may change has no length, comes in chunks, and has no ranges.
        ("sub_filter_types *; sub_filter 'no such text' ''; sub_filter_once off;", false),
        ("gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any;", true),
        ("sendfile on; tcp_nopush on; keepalive_timeout 0;", true),
        ("chunked_transfer_encoding off; ssi on; ssi_types *;", false),
    ] {
        let server = nginx(dir.path(), directives);
        let url = format!("{}/app.bin", server.url());
        let mut client = Client::new();
        client.fetch_first(100_000, &url);
        assert_eq!(client.fetch(&url), Ok(()), "{directives}");
        assert!(client.taken.file == file(LEN, 1), "{directives}");
        let begun = if is_resumed { 100_000 } else { 0 };
        assert_eq!(client.last_begun().0, begun, "{directives}");
    }
}

/// A server that sends a compressed file, whatever the request accepts.
#[test]
fn nginx_with_compressed_files_is_refused_by_name() {
    let dir = dir();
    fs::write(dir.path().join("app.bin.gz"), b"\x1f\x8b and so on").unwrap();
    let server = nginx(dir.path(), "gzip_static always;");
    let ended = Client::new().fetch(&format!("{}/app.bin", server.url()));
    assert_eq!(ended, Err(SourceError::Encoded(Encoding::new("gzip"))));
}

#[test]
fn nginx_with_long_heads_and_redirections() {
    let dir = dir();
    let query = "A".repeat(2000);
    let mut directives = format!(
        "large_client_header_buffers 4 16k;\n\
         location = /1 {{ return 301 /2; }}\nlocation = /2 {{ return 302 /a/3; }}\n\
         location = /a/3 {{ return 303 /a/4?x=1; }}\nlocation = /a/4 {{ return 307 /5; }}\n\
         location = /5 {{ return 308 /app.bin?token={query}; }}\n\
         location = /0 {{ return 301 /1; }}\nlocation = /lost {{ return 302 https://lab/; }}\n"
    );
    for number in 0..80 {
        let value = "0123456789".repeat(9);
        directives += &format!("add_header X-Pad-{number} {value} always;\n");
    }
    let server = nginx(dir.path(), &directives);
    let mut client = Client::new();
    assert_eq!(client.fetch(&format!("{}/1", server.url())), Ok(()));
    assert!(client.taken.file == file(LEN, 1));
    assert_eq!(client.requests(), 6);
    // One more than are followed, and one that leads away from http.
    let ended = Client::new().fetch(&format!("{}/0", server.url()));
    assert_eq!(ended, Err(SourceError::Redirects));
    let ended = Client::new().fetch(&format!("{}/lost", server.url())).unwrap_err();
    assert!(ended.to_string().contains("https://"), "{ended}");
    // The chain is followed again for the rest.
    let mut client = Client::new();
    client.fetch_first(50_000, &format!("{}/1", server.url()));
    assert_eq!(client.fetch(&format!("{}/1", server.url())), Ok(()));
    assert!(client.taken.file == file(LEN, 1));
    assert_eq!((client.requests(), client.last_begun().0), (12, 50_000));
}

/// nginx in front of a server that breaks off: what it passes on is still no whole file.
#[test]
fn nginx_as_a_proxy_of_a_server_that_breaks_off() {
    let dir = dir();
    let head = format!("HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: {LEN}\r\n\r\n");
    let behind = Server::start(move |number, request| {
        let body = file(LEN, 1);
        if number == 0 {
            return Told::new([head.as_bytes(), &body[..200_000]].concat());
        }
        let from = request.lines().find_map(|line| line.strip_prefix("Range: bytes=")).unwrap();
        let from: usize = from.trim_end_matches('-').parse().unwrap();
        let range = format!("Content-Range: bytes {from}-{}/{LEN}\r\n", LEN - 1);
        Told::answer("206 Partial Content", &range, &body[from..])
    });
    let pass = format!("location / {{ proxy_pass {}; }}", behind.url(""));
    let server = nginx(dir.path(), &pass);
    let url = format!("{}/app.bin", server.url());
    let mut client = Client::new();
    assert_eq!(client.fetch(&url), Err(SourceError::Broken));
    let came = client.taken.file.len();
    assert!(came <= 200_000 && file(LEN, 1).starts_with(&client.taken.file), "{came}");
    assert_eq!(client.fetch(&url), Ok(()));
    assert!(client.taken.file == file(LEN, 1));
    if came > 0 {
        assert_eq!(behind.header(1, "If-Range").as_deref(), Some("\"one\""));
    }
}

#[test]
fn nginx_refuses_with_a_status() {
    let dir = dir();
    let directives = "location /locked { return 401; } location /busy { return 503; }\n\
                      location /empty { return 204; } location /gone { return 410; }";
    let server = nginx(dir.path(), directives);
    for (path, status) in
        [("locked", 401), ("busy", 503), ("empty", 204), ("gone", 410), ("none.bin", 404)]
    {
        let ended = Client::new().fetch(&format!("{}/{path}", server.url()));
        assert_eq!(ended, Err(SourceError::Status(status)), "{path}");
    }
}

/// It answers with HTTP/1.0, and has no ranges, no tags and no chunks.
#[test]
fn pythons_server_sends_the_whole_file_each_time() {
    let dir = dir();
    let server = python_http_server(dir.path());
    let url = format!("{}/app.bin", server.url());
    let mut client = Client::new();
    client.fetch_first(100_000, &url);
    assert_eq!(client.fetch(&url), Ok(()));
    assert!(client.taken.file == file(LEN, 1));
    assert_eq!(client.last_begun(), (0, Some(300_000)));
    client.taken.file.truncate(100_000);
    replace(dir.path());
    assert_eq!(client.fetch(&url), Ok(()));
    assert!(client.taken.file == file(LEN, 9));
    // The path of a directory without the slash is redirected to the one with it, which is a
    // listing and not a file.
    fs::create_dir(dir.path().join("sub")).unwrap();
    let mut client = Client::new();
    assert_eq!(client.fetch(&format!("{}/sub", server.url())), Ok(()));
    assert_eq!(client.requests(), 2);
    let ended = Client::new().fetch(&format!("{}/none.bin", server.url()));
    assert_eq!(ended, Err(SourceError::Status(404)));
}
