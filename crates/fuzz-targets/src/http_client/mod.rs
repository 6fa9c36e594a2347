//! The HTTP client with good servers and with hostile ones.
//!
//! - [`http_client`]: for any answers, in any pieces, the client comes to an end, sends well-formed
//!   requests, and passes on only the body that was sent;
//! - [`http_download`]: a good server over connections that break: after one more try than there
//!   are breaks, the file is there, byte for byte.

mod honest;
mod hostile;
mod net;
mod sink;

pub use honest::http_download;
pub use hostile::http_client;

use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// Headers that a request may have.
const KNOWN: [&str; 7] =
    ["Host", "User-Agent", "Connection", "Accept-Encoding", "Accept", "Range", "If-Range"];

/// Runs a future that never has to wait.
fn run<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("waits, although nothing is missing"),
    }
}

/// A request as a server reads it.
#[derive(Debug)]
struct Question {
    path: String,
    range: Option<u32>,
    if_range: Option<String>,
}

/// Reads a request, which must be complete, with nothing behind it.
fn question(bytes: &[u8]) -> Question {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(bytes).expect("a request");
    assert_eq!(parsed, httparse::Status::Complete(bytes.len()), "more than a request");
    assert_eq!(request.method, Some("GET"));
    for header in request.headers.iter() {
        assert!(KNOWN.iter().any(|known| known.eq_ignore_ascii_case(header.name)), "{header:?}");
    }
    let value = |name: &str| {
        let mut all = request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        let first = all.next().map(|h| String::from_utf8(h.value.to_vec()).expect("text"));
        assert!(all.next().is_none(), "{name} is there twice");
        first
    };
    assert!(value("Host").is_some_and(|host| !host.is_empty()), "without a host");
    assert_eq!(value("Accept-Encoding").as_deref(), Some("identity"));
    let range = value("Range").map(|range| {
        let first = range.strip_prefix("bytes=").and_then(|rest| rest.strip_suffix('-'));
        first.and_then(|first| first.parse().ok()).expect("an open range")
    });
    let path = request.path.expect("complete").to_owned();
    Question { path, range, if_range: value("If-Range") }
}
