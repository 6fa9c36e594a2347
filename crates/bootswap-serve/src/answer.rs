//! The answer to a request: the file, or what a fault puts in its place.
//!
//! An answer is decided here in full, before its first byte is sent: which bytes, how their end is
//! marked, and where the connection breaks. [`crate::wire`] only sends it.

use std::ops::Range;
use std::time::SystemTime;

use http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

use crate::body::Body;
use crate::content::{Opened, Store};
use crate::fault::{Aspect, FaultKind};
use crate::range::{Selection, select};
use crate::request::{BadRequest, HOPS_QUERY, Method, Request};

/// An answer, ready to be sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// All headers except those about the connection and the end of the body.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    /// Whether only the head is sent, as for HEAD.
    pub(crate) head_only: bool,
    pub(crate) framing: Framing,
    /// Where the connection breaks, if it does.
    pub(crate) broken: Option<Broken>,
}

/// How the client learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `Content-Length`.
    Length,
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The connection ends, as in HTTP/1.0.
    Connection,
}

/// A connection that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Body bytes that are sent before; `None` if the head is not sent either.
    pub(crate) after_bytes: Option<u64>,
    pub(crate) how: Break,
}

/// In which way a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Break {
    Reset,
    Silence,
    Close,
}

impl Answer {
    /// The answer to a request that is not served.
    pub(crate) fn to_bad(bad: BadRequest) -> Self {
        let mut answer = Self::text(status(bad.status()), &format!("{bad}\n"));
        if bad == BadRequest::Method {
            answer.headers.push(("Allow", "GET, HEAD".to_owned()));
        }
        answer
    }

    /// The answer to a request for which these faults are due.
    ///
    /// `serial` is different for every answer of a server.
    pub(crate) fn to_request(
        request: &Request,
        store: &mut Store,
        faults: &[FaultKind],
        serial: u64,
    ) -> Self {
        let due = |aspect| faults.iter().rev().find(|kind| kind.aspect() == aspect);
        let mut answer = match due(Aspect::Subject) {
            Some(FaultKind::Status(code)) => Self::plain(status(*code)),
            Some(FaultKind::Html) => Self::typed(StatusCode::OK, HTML, LOGIN_PAGE),
            Some(FaultKind::Empty) => Self::octets(StatusCode::OK, Body::from([])),
            Some(FaultKind::Redirect(hops)) => Self::redirection(request, hops.saturating_sub(1)),
            Some(FaultKind::RedirectLoop) => Self::see(request.raw_path.clone()),
            _ => match store.find(request) {
                Ok(Some(mut file)) => {
                    if due(Aspect::Validator).is_some() {
                        file.etag = format!("\"{serial:032x}\"");
                    }
                    Self::file(request, file, due(Aspect::Bytes), due(Aspect::Range))
                }
                Ok(None) => Self::not_found(&request.path, &store.list().files),
                Err(error) => Self::text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("{} cannot be read: {error}\n", request.path),
                ),
            },
        };
        answer.head_only = request.method == Method::Head;
        answer.framing = match due(Aspect::Framing) {
            Some(FaultKind::Chunked) if request.is_http_1_1 => Framing::Chunked,
            Some(_) => Framing::Connection,
            None => Framing::Length,
        };
        answer.broken = due(Aspect::Ending).and_then(broken);
        answer
    }

    /// A redirection of the request to its own path, which `hops_left` more will follow.
    pub(crate) fn redirection(request: &Request, hops_left: u32) -> Self {
        Self::see(format!("{}?{HOPS_QUERY}{hops_left}", request.raw_path))
    }

    fn file(
        request: &Request,
        file: Opened,
        altered: Option<&FaultKind>,
        fault: Option<&FaultKind>,
    ) -> Self {
        let modified = timestamp(file.modified);
        let etag = file.etag.clone();
        let not_modified = is_not_modified(request, &etag, modified);
        let range = request.range.as_deref().filter(|_| {
            fault != Some(&FaultKind::RangeIgnored)
                && request.method == Method::Get
                && range_holds(request, &etag, modified)
        });
        let mut validators = vec![("ETag", etag)];
        validators.extend(modified.and_then(http_date).map(|date| ("Last-Modified", date)));

        let mut body = Body::of(file);
        match altered {
            Some(FaultKind::Oversize(count)) => {
                body.lengthen((*count).min(FaultKind::MAX_OVERSIZE_BYTES));
            }
            Some(FaultKind::Corrupt(offset)) => body.flip(*offset),
            _ => {}
        }
        let total_bytes = body.len_bytes();
        let selection = range.map_or(Selection::Whole, |range| select(range, total_bytes));
        let mut answer = match selection {
            _ if not_modified => Self::new(StatusCode::NOT_MODIFIED, Body::from([])),
            Selection::Whole => Self::octets(StatusCode::OK, body),
            Selection::Part(asked) => {
                let sent =
                    if fault.is_some() { misplaced(&asked, total_bytes) } else { asked.clone() };
                let claimed =
                    if fault == Some(&FaultKind::RangeMisplaced) { &asked } else { &sent };
                let content_range =
                    format!("bytes {}-{}/{total_bytes}", claimed.start, claimed.end - 1);
                body.cut(sent);
                let mut answer = Self::octets(StatusCode::PARTIAL_CONTENT, body);
                answer.headers.push(("Content-Range", content_range));
                answer
            }
            Selection::Unsatisfiable => {
                let mut answer = Self::plain(StatusCode::RANGE_NOT_SATISFIABLE);
                answer.headers.push(("Content-Range", format!("bytes */{total_bytes}")));
                return answer;
            }
        };
        if fault != Some(&FaultKind::RangeIgnored) && !not_modified {
            answer.headers.push(("Accept-Ranges", "bytes".to_owned()));
        }
        answer.headers.append(&mut validators);
        answer
    }

    fn not_found(path: &str, files: &[String]) -> Self {
        let mut text = format!("there is no {path} here\n");
        if !files.is_empty() {
            text += "\nthe files are:\n";
            for file in files {
                text += &format!("  {file}\n");
            }
        }
        Self::text(StatusCode::NOT_FOUND, &text)
    }

    fn see(location: String) -> Self {
        let mut answer = Self::plain(StatusCode::FOUND);
        answer.headers.push(("Location", location));
        answer
    }

    /// An answer whose body is its status in words.
    fn plain(status: StatusCode) -> Self {
        Self::text(status, &format!("{status}\n"))
    }

    fn text(status: StatusCode, text: &str) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", text)
    }

    fn typed(status: StatusCode, content_type: &str, body: &str) -> Self {
        let mut answer = Self::new(status, Body::from(body.as_bytes()));
        answer.headers.push(("Content-Type", content_type.to_owned()));
        answer
    }

    fn octets(status: StatusCode, body: Body) -> Self {
        let mut answer = Self::new(status, body);
        answer.headers.push(("Content-Type", "application/octet-stream".to_owned()));
        answer
    }

    fn new(status: StatusCode, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            head_only: false,
            framing: Framing::Length,
            broken: None,
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";
const LOGIN_PAGE: &str = "<!DOCTYPE html>
<html><head><title>Welcome</title></head>
<body><h1>Please log in to use this network</h1>
<form method=\"post\" action=\"/login\"><input name=\"room\"><button>Connect</button></form>
</body></html>
";

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn broken(kind: &FaultKind) -> Option<Broken> {
    match *kind {
        FaultKind::Drop(after_bytes) => Some(Broken { after_bytes, how: Break::Reset }),
        FaultKind::Stall(after_bytes) => Some(Broken { after_bytes, how: Break::Silence }),
        FaultKind::Truncate(n) => Some(Broken { after_bytes: Some(n), how: Break::Close }),
        _ => None,
    }
}

/// The range that begins one byte before `asked`, or one byte after it if `asked` begins at 0.
fn misplaced(asked: &Range<u64>, total_bytes: u64) -> Range<u64> {
    if asked.start > 0 {
        asked.start - 1..asked.end - 1
    } else {
        1.min(total_bytes - 1)..(asked.end + 1).min(total_bytes)
    }
}

/// `If-None-Match` and, without it, `If-Modified-Since`: RFC 9110 section 13.2.2.
fn is_not_modified(request: &Request, etag: &str, modified: Option<Timestamp>) -> bool {
    match (&request.if_none_match, &request.if_modified_since) {
        (Some(tags), _) => tags.split(',').map(str::trim).any(|tag| {
            // Weak comparison: the mark of a weak tag is ignored.
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        }),
        (None, Some(since)) => match (parse_http_date(since), modified) {
            (Some(since), Some(modified)) => modified.as_second() <= since.as_second(),
            _ => false,
        },
        (None, None) => false,
    }
}

/// `If-Range`, RFC 9110 section 13.1.5: whether the client has this file, so that it may get a
/// range of it.
fn range_holds(request: &Request, etag: &str, modified: Option<Timestamp>) -> bool {
    let Some(condition) = &request.if_range else { return true };
    // Strong comparison, so a weak tag matches nothing.
    condition == etag
        || parse_http_date(condition)
            .is_some_and(|date| modified.is_some_and(|at| at.as_second() == date.as_second()))
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

/// A date as HTTP writes it: RFC 9110 section 5.6.7; `None` for years that it cannot write.
pub(crate) fn http_date(time: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}
