//! The ways in which the server fails on request.

use std::fmt;
use std::num::NonZeroU32;

/// A rule that says for which requests the server fails, and how.
///
/// The first rule that matches the path of a request and is not used up applies to it. So rules can
/// follow one another: `none*1`, `drop=13000*2`, `status=503`. Only requests by GET and HEAD use up
/// rules.
///
/// Written out, as the command line takes it:
///
/// ```text
/// fault = [ path ":" ] kind { "+" kind } [ "*" times ]
/// path  = "/" ...                the decoded path of the request, without its query
/// kind  = name [ "=" number ]    decimal, or hexadecimal after 0x; see FaultKind for the names
/// times = 1, 2, ...              for that many requests only; without it for all
/// ```
///
/// ```
/// use bootswap_serve::{ServerFault, FaultKind};
///
/// let fault: ServerFault = "/app_upd.bin:no-length+truncate=5000*2".parse()?;
/// assert_eq!(fault.kinds, [FaultKind::NoLength, FaultKind::Truncate(5000)]);
/// # Ok::<(), bootswap_serve::FaultError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFault {
    /// The only path that it applies to; `None` for every path.
    pub path: Option<String>,
    /// What goes wrong. Each aspect of an answer (its contents, range, entity tag, bytes, framing,
    /// end) can have one kind: the text form refuses two, and of two in this list the last one
    /// applies.
    pub kinds: Vec<FaultKind>,
    /// For how many requests it applies; `None` for all.
    pub times: Option<NonZeroU32>,
}

/// What goes wrong with one answer.
///
/// Body bytes are counted from the start of each answer's body; only [`FaultKind::Corrupt`] counts
/// from the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// `none`: nothing. The request is served; for requests that are to pass before another rule
    /// applies.
    Pass,
    /// `status=CODE`: that status, 200 to 599, with a short text instead of the file.
    Status(u16),
    /// `html`: status 200 with the login page of a captive portal instead of the file.
    Html,
    /// `empty`: status 200 with `Content-Length: 0`.
    Empty,
    /// `redirect=N`: N redirections, at most [`FaultKind::MAX_REDIRECTS`], then the file.
    Redirect(u32),
    /// `redirect-loop`: a redirection to the same address, for ever.
    RedirectLoop,
    /// `range-ignored`: status 200 with the whole file, as by a server that does not support
    /// ranges.
    RangeIgnored,
    /// `range-wrong`: status 206 with a range that begins one byte before the one asked for (one
    /// byte after it, if that begins at 0); `Content-Range` says so.
    RangeWrong,
    /// `range-misplaced`: as `range-wrong`, but `Content-Range` claims the range asked for.
    RangeMisplaced,
    /// `etag-changes`: another entity tag with every answer, as if the file were replaced each
    /// time.
    EtagChanges,
    /// `corrupt` or `corrupt=OFFSET`: the lowest bit of one byte of the file is flipped. It is the
    /// byte at the offset, the last byte if the offset is past the end, the byte in the middle
    /// without an offset.
    Corrupt(Option<u64>),
    /// `oversize=N`: N bytes of 0xa5 after the file, announced as part of it; at most
    /// [`FaultKind::MAX_OVERSIZE_BYTES`].
    Oversize(u64),
    /// `no-length`: an HTTP/1.0 answer without `Content-Length`; the body ends with the connection.
    NoLength,
    /// `chunked`: the body in chunks, without `Content-Length`.
    Chunked,
    /// `drop=N`: the connection is reset after N body bytes; `drop` alone: instead of an answer.
    Drop(Option<u64>),
    /// `stall=N`: nothing more is sent after N body bytes, and the connection stays open; `stall`
    /// alone: nothing is sent at all.
    Stall(Option<u64>),
    /// `truncate=N`: the whole length is announced, and the connection is closed (not reset) after
    /// N body bytes.
    Truncate(u64),
}

/// The aspects of an answer. Each can have one fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    Nothing,
    Subject,
    Range,
    Validator,
    Bytes,
    Framing,
    Ending,
}

impl FaultKind {
    /// The most redirections that `redirect=N` can ask for.
    pub const MAX_REDIRECTS: u32 = 100;
    /// The most bytes that `oversize=N` puts after a file: 256 MiB, twice the largest flash that an
    /// ESP image header can name.
    pub const MAX_OVERSIZE_BYTES: u64 = 256 << 20;

    /// The names of all kinds, as the text form has them.
    pub(crate) const NAMES: [&str; 17] = [
        "none",
        "status",
        "html",
        "empty",
        "redirect",
        "redirect-loop",
        "range-ignored",
        "range-wrong",
        "range-misplaced",
        "etag-changes",
        "corrupt",
        "oversize",
        "no-length",
        "chunked",
        "drop",
        "stall",
        "truncate",
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pass => "none",
            Self::Status(_) => "status",
            Self::Html => "html",
            Self::Empty => "empty",
            Self::Redirect(_) => "redirect",
            Self::RedirectLoop => "redirect-loop",
            Self::RangeIgnored => "range-ignored",
            Self::RangeWrong => "range-wrong",
            Self::RangeMisplaced => "range-misplaced",
            Self::EtagChanges => "etag-changes",
            Self::Corrupt(_) => "corrupt",
            Self::Oversize(_) => "oversize",
            Self::NoLength => "no-length",
            Self::Chunked => "chunked",
            Self::Drop(_) => "drop",
            Self::Stall(_) => "stall",
            Self::Truncate(_) => "truncate",
        }
    }

    const fn value(self) -> Option<u64> {
        match self {
            Self::Status(code) => Some(code as u64),
            Self::Redirect(hops) => Some(hops as u64),
            Self::Oversize(n) | Self::Truncate(n) => Some(n),
            Self::Corrupt(n) | Self::Drop(n) | Self::Stall(n) => n,
            _ => None,
        }
    }

    pub(crate) const fn aspect(self) -> Aspect {
        match self {
            Self::Pass => Aspect::Nothing,
            Self::Status(_) | Self::Html | Self::Empty | Self::Redirect(_) | Self::RedirectLoop => {
                Aspect::Subject
            }
            Self::RangeIgnored | Self::RangeWrong | Self::RangeMisplaced => Aspect::Range,
            Self::EtagChanges => Aspect::Validator,
            Self::Corrupt(_) | Self::Oversize(_) => Aspect::Bytes,
            Self::NoLength | Self::Chunked => Aspect::Framing,
            Self::Drop(_) | Self::Stall(_) | Self::Truncate(_) => Aspect::Ending,
        }
    }

    const fn is_redirection(self) -> bool {
        matches!(self, Self::Redirect(_))
    }
}

impl From<FaultKind> for ServerFault {
    /// The fault of this kind for every request.
    fn from(kind: FaultKind) -> Self {
        Self { path: None, kinds: vec![kind], times: None }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{path}:")?;
        }
        for (index, kind) in self.kinds.iter().enumerate() {
            write!(f, "{}{kind}", if index == 0 { "" } else { "+" })?;
        }
        self.times.map_or(Ok(()), |times| write!(f, "*{times}"))
    }
}

/// The rules of a server, and how often each of them applied.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<(ServerFault, u32)>,
}

impl Rules {
    pub(crate) fn new(faults: Vec<ServerFault>) -> Self {
        Self { rules: faults.into_iter().map(|fault| (fault, 0)).collect() }
    }

    /// The rule that applies to a request for `path`, which counts as used once.
    ///
    /// `redirected` says that the request is the last of a chain of redirections; it must not be
    /// redirected again.
    pub(crate) fn take(&mut self, path: &str, redirected: bool) -> Option<ServerFault> {
        let applies = |(fault, used): &&mut (ServerFault, u32)| {
            fault.path.as_deref().is_none_or(|only| only == path)
                && fault.times.is_none_or(|times| *used < times.get())
                && !(redirected && fault.kinds.iter().any(|kind| kind.is_redirection()))
        };
        let (fault, used) = self.rules.iter_mut().find(applies)?;
        *used = used.saturating_add(1);
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Rules {
        Rules::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn take(rules: &mut Rules, path: &str, redirected: bool) -> String {
        rules.take(path, redirected).map_or("-".to_owned(), |fault| fault.to_string())
    }

    #[test]
    fn rules_are_used_up_one_after_the_other() {
        let mut rules = rules(&["none*1", "drop=7*2", "html"]);
        let taken: Vec<_> = (0..5).map(|_| take(&mut rules, "/a", false)).collect();
        assert_eq!(taken, ["none*1", "drop=7*2", "drop=7*2", "html", "html"]);
    }

    #[test]
    fn a_rule_applies_to_its_path_only() {
        let mut rules = rules(&["/a:html*1"]);
        assert_eq!(take(&mut rules, "/b", false), "-");
        assert_eq!(take(&mut rules, "/a", false), "/a:html*1");
        assert_eq!(take(&mut rules, "/a", false), "-");
    }

    #[test]
    fn the_end_of_a_redirection_is_not_redirected_again() {
        let mut rules = rules(&["redirect=3", "drop=1"]);
        assert_eq!(take(&mut rules, "/a", false), "redirect=3");
        assert_eq!(take(&mut rules, "/a", true), "drop=1");
    }
}
