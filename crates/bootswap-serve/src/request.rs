//! The head of a request, as far as the server needs it.

use std::fmt;

use percent_encoding::percent_decode_str;

/// A request without a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The request line as it came, for the log.
    pub(crate) line: String,
    /// The path, decoded; begins with a slash.
    pub(crate) path: String,
    /// The path as it came, for redirections.
    pub(crate) raw_path: String,
    /// Path and query as they came.
    pub(crate) raw_target: String,
    /// Redirections that are still to come, from the query of a request that the server itself
    /// redirected here.
    pub(crate) hops_left: Option<u32>,
    pub(crate) is_http_1_1: bool,
    pub(crate) keep_alive: bool,
    pub(crate) range: Option<String>,
    pub(crate) if_range: Option<String>,
    pub(crate) if_none_match: Option<String>,
    pub(crate) if_modified_since: Option<String>,
}

/// The methods that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
}

/// Why a request is not served; the connection ends after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// The bytes are not HTTP, or lack a header that they must have.
    Malformed(&'static str),
    /// The head is longer than the server reads.
    TooLong,
    /// Another method than GET and HEAD.
    Method,
    /// There is a body, which neither GET nor HEAD has.
    Body,
}

impl BadRequest {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TooLong => 431,
            Self::Method => 405,
            Self::Body => 413,
        }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed request: {what}"),
            Self::TooLong => write!(f, "request head longer than {MAX_HEAD_BYTES} bytes"),
            Self::Method => f.write_str("only GET and HEAD are served"),
            Self::Body => f.write_str("a request for a file has no body"),
        }
    }
}

/// The longest head that is read.
pub(crate) const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// The query in which redirections are counted down.
pub(crate) const HOPS_QUERY: &str = "redirects-left=";

/// What the bytes received so far are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a head.
    Partial,
    /// A head, and its length in bytes.
    Complete(usize, Box<Request>),
    /// Bytes that cannot become a request: their first line, and the reason.
    Bad(String, BadRequest),
}

/// Reads a request's head from the beginning of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => Parsed::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Parsed::Bad(first_line(bytes), BadRequest::TooLong)
        }
        Ok(httparse::Status::Complete(len_bytes)) => match from_head(&head) {
            Ok(request) => Parsed::Complete(len_bytes, Box::new(request)),
            Err(bad) => Parsed::Bad(first_line(bytes), bad),
        },
        Err(_) => Parsed::Bad(first_line(bytes), BadRequest::Malformed("it is not HTTP/1.1")),
    }
}

fn from_head(head: &httparse::Request<'_, '_>) -> Result<Request, BadRequest> {
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(BadRequest::Malformed("its first line is incomplete"));
    };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).trim().to_owned())
    };
    let is_http_1_1 = version == 1;
    if is_http_1_1 && header("host").is_none() {
        return Err(BadRequest::Malformed("it names no host"));
    }
    let line = format!("{method} {target} HTTP/1.{version}");
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => return Err(BadRequest::Method),
    };
    let has_length = header("content-length").is_some_and(|length| length != "0");
    if has_length || header("transfer-encoding").is_some() {
        return Err(BadRequest::Body);
    }
    let (raw_path, query) = split_target(target)
        .ok_or(BadRequest::Malformed("its target is not a path that begins with a slash"))?;
    let path = percent_decode_str(raw_path)
        .decode_utf8()
        .map_err(|_| BadRequest::Malformed("its path is not UTF-8"))?;
    let connection = header("connection").unwrap_or_default();
    let has_token =
        |token: &str| connection.split(',').any(|word| word.trim().eq_ignore_ascii_case(token));
    Ok(Request {
        method,
        line,
        path: path.into_owned(),
        raw_path: raw_path.to_owned(),
        raw_target: if query.is_empty() {
            raw_path.to_owned()
        } else {
            format!("{raw_path}?{query}")
        },
        hops_left: query.strip_prefix(HOPS_QUERY).and_then(|hops| hops.parse().ok()),
        is_http_1_1,
        keep_alive: if is_http_1_1 { !has_token("close") } else { has_token("keep-alive") },
        range: header("range"),
        if_range: header("if-range"),
        if_none_match: header("if-none-match"),
        if_modified_since: header("if-modified-since"),
    })
}

/// Path and query of a target in origin form (`/a?b`) or absolute form (`http://host/a?b`).
fn split_target(target: &str) -> Option<(&str, &str)> {
    let target = match target.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    let target = target.split_once('#').map_or(target, |(before, _)| before);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    path.starts_with('/').then_some((path, query))
}

/// The first line of whatever came, made printable and short, for the log.
fn first_line(mut bytes: &[u8]) -> String {
    // Empty lines before a request are ignored (RFC 9112, 2.2); anything similar is malformed.
    while let Some(rest) = bytes.strip_prefix(b"\r\n").or_else(|| bytes.strip_prefix(b"\n")) {
        bytes = rest;
    }
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter().take(120).flat_map(|byte| byte.escape_ascii()).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(head: &str) -> Request {
        match parse(head.as_bytes()) {
            Parsed::Complete(len_bytes, request) => {
                assert_eq!(len_bytes, head.len());
                *request
            }
            other => panic!("{head:?} is {other:?}"),
        }
    }

    fn bad(head: &str) -> BadRequest {
        match parse(head.as_bytes()) {
            Parsed::Bad(_, bad) => bad,
            other => panic!("{head:?} is {other:?}"),
        }
    }

    #[test]
    fn the_fields_of_a_request_are_read() {
        let got = request(
            "GET /a%20b?redirects-left=3 HTTP/1.1\r\nhost: x\r\n\
             RANGE: bytes=1-2\r\nIf-Range: \"t\"\r\n\r\n",
        );
        assert_eq!(got.line, "GET /a%20b?redirects-left=3 HTTP/1.1");
        assert_eq!((got.path.as_str(), got.raw_path.as_str()), ("/a b", "/a%20b"));
        assert_eq!(got.hops_left, Some(3));
        assert_eq!(got.range.as_deref(), Some("bytes=1-2"));
        assert_eq!(got.if_range.as_deref(), Some("\"t\""));
        assert!(got.keep_alive);
    }

    #[test]
    fn connections_are_kept_as_their_version_says() {
        assert!(!request("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n").keep_alive);
        assert!(!request("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn absolute_targets_are_understood() {
        assert_eq!(request("GET http://h:1/a?b HTTP/1.1\r\nHost: h\r\n\r\n").path, "/a");
        assert_eq!(request("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n").path, "/");
    }

    #[test]
    fn requests_that_are_not_served_have_their_reason() {
        assert_eq!(bad("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), BadRequest::Method);
        assert_eq!(bad("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"), BadRequest::Body);
        assert!(matches!(bad("GET / HTTP/1.1\r\n\r\n"), BadRequest::Malformed(_)));
        assert!(matches!(bad("GET a HTTP/1.0\r\n\r\n"), BadRequest::Malformed(_)));
        assert!(matches!(bad("GET /%ff HTTP/1.0\r\n\r\n"), BadRequest::Malformed(_)));
        assert!(matches!(bad("\x16\x03\x01"), BadRequest::Malformed(_)));
        assert_eq!(bad(&format!("GET /{} HTTP/1.0", "a".repeat(20_000))), BadRequest::TooLong);
        assert_eq!(
            bad(&format!("GET / HTTP/1.0\r\n{}", "a: b\r\n".repeat(65))),
            BadRequest::TooLong
        );
    }

    #[test]
    fn the_first_line_is_printable() {
        assert_eq!(first_line(b"\x16\x03\"\r\nrest"), "\\x16\\x03\\\"");
        assert_eq!(first_line(b"\r\n\nGET x\r\nrest"), "GET x");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Parsed::Complete(len_bytes, _) = parse(&bytes) {
                prop_assert!(len_bytes <= bytes.len());
            }
        }

        #[test]
        fn every_beginning_of_a_request_is_partial(cut in 1usize..36) {
            let head = b"GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n";
            prop_assert_eq!(parse(&head[..cut]), Parsed::Partial);
        }
    }
}
