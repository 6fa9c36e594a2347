//! The answer that a request has to get: by RFC 9110 for ranges and conditions, by the
//! documentation of [`FaultKind`] for faults.

use arbitrary::{Result, Unstructured};
use bootswap_serve::{ConnectionEnd, FaultKind, OfflineServer, ServerFault};

use super::answers::{Answer, check_end, next};
use super::ask::{Ask, Defect, IfRange, Range, Tag, etag, fault};
use super::{content, files};
use crate::cut::pieces;

/// Asks a server with faults for files, and checks every answer.
///
/// The input chooses how long the files are, the faults, and the requests.
pub fn serve_answers(input: &[u8]) {
    let _ = run(&mut Unstructured::new(input));
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let files = files(u.int_in_range(0..=3000)?);
    let find = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, file)| &file[..]);
    let mut faults = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        faults.push(fault(u)?);
    }
    let mut asks = Vec::new();
    for _ in 0..u.int_in_range(1..=5)? {
        asks.push(Ask::arbitrary(u)?);
    }
    let text: String = asks.iter().map(|ask| ask.text(find(ask.path.1))).collect();
    let lens: Vec<u8> = u.arbitrary()?;
    let sent: Vec<&[u8]> = pieces(text.as_bytes(), &lens).collect();

    let server = OfflineServer::new(content(&files), faults.clone()).expect("files in memory");
    let (answers, ending) = server.converse(&sent).expect("a connection in memory does not fail");
    let mut rules =
        Rules { faults: faults.into_iter().map(|fault| (fault, 0)).collect(), tags: Vec::new() };
    let (mut rest, mut expected_ending, mut last) = (&answers[..], ConnectionEnd::Gone, None);
    for ask in &asks {
        let expected = rules.expect(ask, find(ask.path.1));
        if expected.is_answered() {
            let answer = next(&mut rest, is_head(ask));
            rules.check(ask, &expected, &answer);
            last = Some(answer);
        }
        if let Some(ending) = expected.ending {
            expected_ending = ending;
            break;
        }
    }
    check_end(last.as_ref(), ending, rest);
    assert_eq!(ending, expected_ending, "{asks:#?}");
    Ok(())
}

/// An expected answer.
#[derive(Default, Debug)]
struct Expected {
    status: u16,
    /// `None` for a text for people.
    body: Option<Vec<u8>>,
    content_range: Option<String>,
    location: Option<String>,
    /// The entity tag, if it has one, and whether it changes.
    etag: Option<(String, bool)>,
    is_chunked: bool,
    ends_with_connection: bool,
    /// Bytes of the body after which it breaks off; the inner `None` is before the answer.
    broken: Option<Option<u64>>,
    /// How the connection ends after it, if it does.
    ending: Option<ConnectionEnd>,
}

impl Expected {
    fn is_answered(&self) -> bool {
        self.broken != Some(None)
    }
}

struct Rules {
    /// Each with the number of requests that it applied to.
    faults: Vec<(ServerFault, u32)>,
    /// Entity tags that were seen while they changed.
    tags: Vec<String>,
}

impl Rules {
    fn expect(&mut self, ask: &Ask, file: Option<&[u8]>) -> Expected {
        let refused = |status| Expected {
            status,
            ending: Some(ConnectionEnd::Closed),
            ..Expected::default()
        };
        match ask.defect {
            Defect::None => {}
            Defect::NoHost | Defect::NoSlash => return refused(400),
            Defect::Method => return refused(405),
            Defect::Body => return refused(413),
        }
        let close = (!ask.keep_alive).then_some(ConnectionEnd::Closed);
        if let Some(left) = ask.hops_left.and_then(|left| left.checked_sub(1)) {
            let location = Some(format!("{}?redirects-left={left}", ask.path.0));
            return Expected { status: 302, location, ending: close, ..Expected::default() };
        }
        let kinds = self.take(ask);
        let mut expected = subject(ask, file, &kinds);
        expected.ending = close;
        for kind in kinds {
            match kind {
                FaultKind::Chunked if ask.is_http_1_1 => expected.is_chunked = true,
                FaultKind::NoLength | FaultKind::Chunked => {
                    expected.ends_with_connection = true;
                    expected.ending.get_or_insert(ConnectionEnd::Closed);
                }
                _ => {}
            }
            let broken = match kind {
                FaultKind::Drop(after) => (after, ConnectionEnd::Reset),
                FaultKind::Stall(after) => (after, ConnectionEnd::Silent),
                FaultKind::Truncate(after) => (Some(after), ConnectionEnd::Closed),
                _ => continue,
            };
            (expected.broken, expected.ending) = (Some(broken.0), Some(broken.1));
        }
        expected
    }

    /// The kinds of the fault that applies, which is counted as used once.
    fn take(&mut self, ask: &Ask) -> Vec<FaultKind> {
        let redirects = |kind: &FaultKind| matches!(kind, FaultKind::Redirect(_));
        for (fault, used) in &mut self.faults {
            let concerns = fault.path.as_deref().is_none_or(|path| path == ask.path.1);
            let is_used_up = fault.times.is_some_and(|times| *used >= times.get());
            let again = ask.hops_left.is_some() && fault.kinds.iter().any(redirects);
            if concerns && !is_used_up && !again {
                *used += 1;
                return fault.kinds.clone();
            }
        }
        Vec::new()
    }

    fn check(&mut self, ask: &Ask, expected: &Expected, answer: &Answer) {
        let say = || format!("{ask:#?}\n{expected:#?}\n{answer:#?}");
        assert_eq!(answer.status, expected.status, "{}", say());
        assert_eq!(answer.header("Location"), expected.location.as_deref(), "{}", say());
        if expected.status != 416 {
            assert_eq!(
                answer.header("Content-Range"),
                expected.content_range.as_deref(),
                "{}",
                say()
            );
        }
        assert_eq!(answer.is_http_1_0, expected.ends_with_connection, "{}", say());
        let kept = answer.header("Connection") == Some("keep-alive");
        assert_eq!(
            kept,
            ask.keep_alive && ask.defect == Defect::None && !expected.ends_with_connection
        );
        let has_body = !matches!(expected.status, 204 | 304);
        let chunked = answer.header("Transfer-Encoding").is_some();
        assert_eq!(chunked, expected.is_chunked && has_body, "{}", say());
        let length = answer.header("Content-Length").map(|length| length.parse::<usize>());
        assert_eq!(length.is_some(), has_body && !chunked && !expected.ends_with_connection);
        match &expected.etag {
            Some((tag, false)) => assert_eq!(answer.header("ETag"), Some(&tag[..]), "{}", say()),
            Some((tag, true)) => {
                let found = answer.header("ETag").expect("a tag").to_owned();
                assert!(found != *tag && !self.tags.contains(&found), "{}", say());
                self.tags.push(found);
            }
            None => assert_eq!(answer.header("ETag"), None, "{}", say()),
        }
        let after = expected.broken.flatten().map_or(usize::MAX, |after| after as usize);
        let is_sent = has_body && !is_head(ask);
        match &expected.body {
            Some(body) => {
                assert!(length.is_none_or(|length| length == Ok(body.len())), "{}", say());
                let sent: &[u8] = if is_sent { &body[..after.min(body.len())] } else { &[] };
                assert!(answer.body == sent, "{}", say());
            }
            None => assert!(answer.body.len() <= after, "{}", say()),
        }
    }
}

fn is_head(ask: &Ask) -> bool {
    ask.is_head && ask.defect != Defect::Method
}

/// The answer before it is framed and broken off.
fn subject(ask: &Ask, file: Option<&[u8]>, kinds: &[FaultKind]) -> Expected {
    let see = |query: String| Expected {
        status: 302,
        location: Some(format!("{}{query}", ask.path.0)),
        ..Expected::default()
    };
    for kind in kinds {
        match *kind {
            FaultKind::Status(status) => return Expected { status, ..Expected::default() },
            FaultKind::Html => return Expected { status: 200, ..Expected::default() },
            FaultKind::Empty => {
                return Expected { status: 200, body: Some(Vec::new()), ..Expected::default() };
            }
            FaultKind::Redirect(hops) => return see(format!("?redirects-left={}", hops - 1)),
            FaultKind::RedirectLoop => return see(String::new()),
            _ => {}
        }
    }
    let Some(file) = file else { return Expected { status: 404, ..Expected::default() } };
    let etag_changes = kinds.contains(&FaultKind::EtagChanges);
    let etag = Some((etag(file), etag_changes));
    if not_modified(ask, etag_changes) {
        return Expected { status: 304, etag, ..Expected::default() };
    }
    let file = altered(file, kinds);
    let ignored =
        kinds.contains(&FaultKind::RangeIgnored) || ask.is_head || !holds(ask, etag_changes);
    match ask.range.filter(|_| !ignored).map(|range| select(range, file.len() as u64)) {
        None | Some(Selection::Whole) => {
            Expected { status: 200, body: Some(file), etag, ..Expected::default() }
        }
        // No tag: the file is not what the answer is about.
        Some(Selection::Nothing) => Expected { status: 416, ..Expected::default() },
        Some(Selection::Part(first, end)) => {
            let moved = if first > 0 { (first - 1, end - 1) } else { (1, end + 1) };
            // A file of one byte has only one range.
            let total = file.len() as u64;
            let moved = (moved.0.min(total - 1), moved.1.min(total));
            let wrong = |kind| kinds.contains(&kind);
            let (sent, said) = if wrong(FaultKind::RangeWrong) {
                (moved, moved)
            } else if wrong(FaultKind::RangeMisplaced) {
                (moved, (first, end))
            } else {
                ((first, end), (first, end))
            };
            let content_range = Some(format!("bytes {}-{}/{total}", said.0, said.1 - 1));
            let body = Some(file[sent.0 as usize..sent.1 as usize].to_vec());
            Expected { status: 206, body, content_range, etag, ..Expected::default() }
        }
    }
}

fn altered(file: &[u8], kinds: &[FaultKind]) -> Vec<u8> {
    let mut file = file.to_vec();
    for kind in kinds {
        match *kind {
            FaultKind::Oversize(count) => file.extend((0..count).map(|_| 0xa5)),
            FaultKind::Corrupt(at) if !file.is_empty() => {
                let at = at.map_or(file.len() / 2, |at| at as usize).min(file.len() - 1);
                file[at] ^= 1;
            }
            _ => {}
        }
    }
    file
}

/// RFC 9110, 13.1.2 and 13.1.3: the tag decides if there is one, by weak comparison.
fn not_modified(ask: &Ask, etag_changes: bool) -> bool {
    match (ask.if_none_match, ask.if_modified_since) {
        (Some(Tag::Any), _) => true,
        (Some(Tag::Same | Tag::Weak), _) => !etag_changes,
        (Some(Tag::Other), _) | (None, None) => false,
        (None, Some(is_same)) => is_same,
    }
}

/// RFC 9110, 13.1.5: by strong comparison.
fn holds(ask: &Ask, etag_changes: bool) -> bool {
    match ask.if_range {
        None | Some(IfRange::SameDate) => true,
        Some(IfRange::Tag(tag)) => tag == Tag::Same && !etag_changes,
        Some(IfRange::OtherDate) => false,
    }
}

enum Selection {
    Whole,
    Nothing,
    /// First byte, and the one behind the last.
    Part(u64, u64),
}

/// RFC 9110, 14.1.2.
fn select(range: Range, total: u64) -> Selection {
    let (first, end) = match range {
        Range::Odd(_) => return Selection::Whole,
        Range::Between(first, last) if last < first => return Selection::Whole,
        Range::Between(first, last) => (first, last.saturating_add(1).min(total)),
        Range::From(first) => (first, total),
        Range::Last(count) => (total.saturating_sub(count), total),
    };
    if first < end { Selection::Part(first, end) } else { Selection::Nothing }
}
