//! The HTTP server, with third-party clients and compared with third-party servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use bootswap_serve::{Files, Server, ServerConfig, ServerFault};
use conformance::{python, web};

/// Sends requests, one a line, and prints what has to be the same for all servers.
///
/// Headers of a request follow its path, as `Name: value`; `ETAG` and `DATE` are replaced by the
/// tag and the date that the server gave the file.
const CLIENT: &str = r"
import hashlib, http.client, sys

connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
known = {}
for line in sys.argv[2:]:
    method, path, *headers = line.split(' | ')
    for name, value in known.items():
        headers = [header.replace(name, value) for header in headers]
    connection.request(method, path, headers=dict(header.split(': ', 1) for header in headers))
    response = connection.getresponse()
    body = response.read()
    if response.status == 200:
        known = {'ETAG': response.headers['ETag'], 'DATE': response.headers['Last-Modified']}
    shown = ['Content-Range', 'Last-Modified']
    if response.status < 400:
        shown += ['Content-Length', 'Content-Type']
        body = hashlib.sha256(body).hexdigest()
    else:
        body = 'some text' if body else None
    print(line, '->', response.status, *(response.headers[name] for name in shown), body)
";

/// Requests that all servers answer alike, because RFC 9110 leaves no choice.
const REQUESTS: &[&str] = &[
    "GET | /app.bin",
    "HEAD | /app.bin",
    "GET | /an%20image.bin",
    "GET | /app.bin?query",
    "GET | /app.bin | Range: bytes=0-0",
    "GET | /app.bin | Range: bytes=100-199",
    "GET | /app.bin | Range: bytes=99000-",
    "GET | /app.bin | Range: bytes=-1000",
    "GET | /app.bin | Range: bytes=-1000000",
    "GET | /app.bin | Range: bytes=99999-200000",
    "GET | /app.bin | Range: bytes=100000-",
    "GET | /app.bin | Range: bytes=5- | If-Range: ETAG",
    "GET | /app.bin | Range: bytes=5- | If-Range: DATE",
    "GET | /app.bin | Range: bytes=5- | If-Range: \"another\"",
    "GET | /app.bin | Range: bytes=5- | If-Range: Mon, 01 Jan 2001 00:00:00 GMT",
    "GET | /app.bin | If-None-Match: ETAG",
    "GET | /app.bin | If-None-Match: \"another\", ETAG",
    "GET | /app.bin | If-None-Match: \"another\"",
    "GET | /app.bin | If-None-Match: *",
    "GET | /empty.bin",
    "GET | /none.bin",
    "GET | /sub/inner.bin",
];

fn files() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at * 7 + at / 251) as u8).collect();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    for (name, len_bytes) in
        [("app.bin", 100_000), ("an image.bin", 5), ("empty.bin", 0), ("sub/inner.bin", 4096)]
    {
        std::fs::write(dir.path().join(name), &bytes[..len_bytes]).unwrap();
    }
    dir
}

fn serve(dir: &Path, faults: &[&str]) -> Server {
    let faults: Vec<ServerFault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let content = Files::dir(dir);
    Server::start(ServerConfig { faults, ..ServerConfig::on_loopback(content) }).unwrap()
}

fn answers(host: &str, requests: &[&str]) -> String {
    python::run(["-c", CLIENT, host].iter().chain(requests)).expect_success().stdout
}

#[test]
fn it_answers_as_nginx_does() {
    let dir = files();
    let (ours, theirs) = (serve(dir.path(), &[]), web::nginx(dir.path(), ""));
    let answered = [ours.addr(), theirs.addr()].map(|addr| answers(&addr.to_string(), REQUESTS));
    let [answered, expected] = answered.each_ref().map(|text| text.lines().collect::<Vec<_>>());
    assert_eq!(answered, expected);
    assert_eq!(answered.len(), REQUESTS.len());
    assert_eq!(ours.stats().connections, 1, "the connection is kept");
}

#[test]
fn it_answers_as_python_does_without_ranges() {
    let dir = files();
    let (ours, theirs) = (serve(dir.path(), &[]), web::python_http_server(dir.path()));
    let without_ranges = "
import sys, urllib.error, urllib.request

for path in sys.argv[2:]:
    try:
        with urllib.request.urlopen(sys.argv[1] + path) as answer:
            print(path, answer.status, answer.headers['Last-Modified'], len(answer.read()))
    except urllib.error.HTTPError as error:
        print(path, error.code)
";
    let paths = ["/app.bin", "/an%20image.bin", "/empty.bin", "/sub/inner.bin", "/none.bin"];
    let answered = |url: &str| {
        let ran = python::run(["-c", without_ranges, url].iter().chain(&paths));
        ran.expect_success().stdout
    };
    let (ours, theirs) = (answered(&ours.url()), answered(&theirs.url()));
    assert_eq!(ours, theirs);
    assert_eq!(ours.lines().count(), paths.len());
}

/// How `urllib` reacts to a fault: the name of the exception, or type and length of the answer.
fn urllib(fault: &str) -> String {
    let dir = files();
    let server = serve(dir.path(), &[fault]);
    let script = "
import sys, urllib.request

try:
    with urllib.request.urlopen(sys.argv[1], timeout=float(sys.argv[2])) as answer:
        print(answer.headers.get_content_type(), len(answer.read()))
except Exception as error:
    print(type(error).__name__)
";
    // Only a stall has a short timeout; the others must not depend on how fast the machine is.
    let timeout = if fault.starts_with("stall") { "0.3" } else { "60" };
    let url = server.url() + "/app.bin";
    let ran = python::run(["-c", script, &url, timeout]).expect_success();
    assert_eq!(server.stats().faults > 0, fault != "none");
    ran.stdout.trim().to_owned()
}

#[test]
fn a_client_reports_broken_answers() {
    assert_eq!(urllib("drop=13000"), "ConnectionResetError");
    assert_eq!(urllib("drop"), "ConnectionResetError");
    assert_eq!(urllib("stall=13000"), "TimeoutError");
    assert_eq!(urllib("stall"), "TimeoutError");
    assert_eq!(urllib("truncate=13000"), "IncompleteRead");
    assert_eq!(urllib("chunked+truncate=13000"), "IncompleteRead");
    assert_eq!(urllib("status=503"), "HTTPError");
    assert_eq!(urllib("redirect-loop"), "HTTPError");
}

#[test]
fn a_client_accepts_unusual_answers() {
    for fault in ["none", "no-length", "chunked", "redirect=3", "corrupt", "etag-changes"] {
        assert_eq!(urllib(fault), "application/octet-stream 100000", "{fault}");
    }
    assert_eq!(urllib("oversize=1"), "application/octet-stream 100001");
    assert_eq!(urllib("empty"), "application/octet-stream 0");
    assert_eq!(urllib("no-length+truncate=13000"), "application/octet-stream 13000");
    assert!(urllib("html").starts_with("text/html "));
}
