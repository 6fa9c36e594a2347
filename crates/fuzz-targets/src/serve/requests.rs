//! Any bytes as a request.

use bootswap_serve::{ConnectionEnd, OfflineServer};

use super::answers::{Answer, check_end, next};
use super::{content, files};
use crate::cut::{lens, pieces};

/// The statuses of answers without a file.
const OTHERS: [u16; 8] = [302, 304, 400, 404, 405, 413, 416, 431];

/// Sends bytes to a server, in one piece and in many.
///
/// The input is what a client sends: one request after the other.
pub fn serve_requests(input: &[u8]) {
    let files = files(1000);
    let converse = |sent: &[&[u8]]| {
        let server = OfflineServer::new(content(&files), Vec::new()).expect("files in memory");
        let (answers, ending) =
            server.converse(sent).expect("a connection in memory does not fail");
        (answers, ending, server.stats())
    };
    let (sent, ending, stats) = converse(&[input]);
    let many: Vec<&[u8]> = pieces(input, lens(input)).collect();
    let (in_pieces, ..) = converse(&many);
    assert_eq!(undated(&sent), undated(&in_pieces), "pieces change the answers");

    let mut answers = Vec::new();
    let (mut rest, mut questions) = (&sent[..], input);
    while !rest.is_empty() {
        let question = Question::next(&mut questions);
        let answer = next(&mut rest, question.is_head);
        question.check(&answer, &files);
        answers.push(answer);
    }
    assert_eq!(stats.requests as usize, answers.len());
    assert!(
        ending == ConnectionEnd::Gone || ending == ConnectionEnd::Closed,
        "{ending:?} without a fault"
    );
    check_end(answers.last(), ending, rest);
}

/// The answers without their dates.
fn undated(answers: &[u8]) -> Vec<u8> {
    let lines = answers.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| !line.starts_with(b"Date: ")).flatten().copied().collect()
}

/// The parts of a request that matter here, read without a library.
#[derive(Default, Debug)]
struct Question {
    is_head: bool,
    /// The path, if it is a GET of a path without escapes over HTTP/1.1.
    plain_path: Option<String>,
    /// The first and last byte of the only range, if it names both.
    range: Option<(u64, u64)>,
    /// Whether it has no headers besides these.
    is_simple: bool,
}

impl Question {
    /// Reads up to the empty line; what is not simple is skipped.
    fn next(bytes: &mut &[u8]) -> Self {
        // Empty lines before a request are ignored.
        while let Some(rest) = bytes.strip_prefix(b"\r\n").or_else(|| bytes.strip_prefix(b"\n")) {
            *bytes = rest;
        }
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            // A malformed request is refused before its first line ends.
            let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
            let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
            *bytes = &bytes[bytes.len().min(end + 1)..];
            if line.is_empty() {
                break;
            }
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
        let mut lines = lines.iter();
        let first: Vec<&str> =
            lines.next().map(|line| line.split(' ').collect()).unwrap_or_default();
        let mut question = Self { is_simple: true, ..Self::default() };
        question.is_head = first.len() > 1 && first[0] == "HEAD";
        if let ["GET", path, "HTTP/1.1"] = first[..]
            && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.".contains(&byte))
        {
            question.plain_path = Some(path.to_owned());
        }
        for line in lines {
            match line.split_once(": ") {
                Some(("Host", host)) if !host.contains(|c: char| !c.is_ascii_alphanumeric()) => {}
                Some(("Range", range)) if question.range.is_none() => {
                    question.range = bounds(range);
                    question.is_simple &= question.range.is_some();
                }
                _ => question.is_simple = false,
            }
        }
        question
    }

    fn check(&self, answer: &Answer, files: &[(&'static str, Vec<u8>)]) {
        let known = matches!(answer.status, 200 | 206) || OTHERS.contains(&answer.status);
        assert!(known, "{answer:?}");
        assert!(answer.is_whole && !answer.is_http_1_0, "{answer:?}");
        if matches!(answer.status, 200 | 206) && !self.is_head {
            let part = |file: &[u8]| match answer.header("Content-Range") {
                Some(range) => {
                    let (part, total) = range.split_once('/').expect("of so many bytes");
                    let (first, last) = bounds(&part.replacen(' ', "=", 1)).expect("bytes from to");
                    total == file.len().to_string()
                        && file.get(first as usize..=last as usize) == Some(&answer.body[..])
                }
                None => answer.status == 200 && file == answer.body,
            };
            assert!(files.iter().any(|(_, file)| part(file)), "of no file: {answer:?}");
        }
        // Simple requests are understood without a library.
        let Some(path) = self.plain_path.as_ref().filter(|_| self.is_simple) else { return };
        let Some((_, file)) = files.iter().find(|(name, _)| name == path) else {
            // Without a host it is refused, too.
            return assert!(!matches!(answer.status, 200 | 206), "{self:?}: {answer:?}");
        };
        match (answer.status, self.range) {
            (200, None) => assert_eq!(&answer.body, file),
            (206, Some((first, last))) => {
                let last = last.min(file.len() as u64 - 1);
                assert_eq!(answer.body, file[first as usize..=last as usize]);
            }
            (416, Some((first, _))) => assert!(first >= file.len() as u64, "{self:?}"),
            (200, Some((first, last))) => assert!(last < first, "{self:?}"),
            (400, _) => {}
            _ => panic!("{self:?}: {answer:?}"),
        }
    }
}

/// `bytes=first-last`, both of a few digits.
fn bounds(range: &str) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| {
        let digits = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().expect("a few digits"))
    };
    Some((number(first)?, number(last)?))
}
