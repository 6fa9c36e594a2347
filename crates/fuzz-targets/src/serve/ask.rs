//! Good requests, and faults, from bytes.

use std::num::NonZeroU32;

use arbitrary::{Result, Unstructured};
use bootswap_serve::{FaultKind, ServerFault};
use flash_region::Hex;
use sha2::{Digest, Sha256};

use super::{BEFORE, MODIFIED};

/// What is wrong with a request, if anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Defect {
    None,
    NoHost,
    Method,
    Body,
    NoSlash,
}

/// The range that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Range {
    From(u64),
    Between(u64, u64),
    Last(u64),
    /// Something that a server may ignore.
    Odd(&'static str),
}

/// The tag of the file that the client has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tag {
    Same,
    Weak,
    Other,
    Any,
}

/// The condition of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IfRange {
    Tag(Tag),
    SameDate,
    OtherDate,
}

#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) is_head: bool,
    pub(super) defect: Defect,
    /// As written in the request, and decoded.
    pub(super) path: (&'static str, &'static str),
    pub(super) hops_left: Option<u32>,
    pub(super) is_http_1_1: bool,
    pub(super) keep_alive: bool,
    pub(super) range: Option<Range>,
    pub(super) if_range: Option<IfRange>,
    pub(super) if_none_match: Option<Tag>,
    /// Whether the date is that of the file, or earlier.
    pub(super) if_modified_since: Option<bool>,
}

impl Ask {
    pub(super) fn arbitrary(u: &mut Unstructured<'_>) -> Result<Self> {
        let defects = [Defect::NoHost, Defect::Method, Defect::Body, Defect::NoSlash];
        let paths = [
            ("/app.bin", "/app.bin"),
            ("/dir/b%201.bin", "/dir/b 1.bin"),
            ("/%61pp.bin", "/app.bin"),
            ("/none", "/none"),
        ];
        let is_http_1_1 = u.ratio(3, 4)?;
        let range = if u.arbitrary()? { Some(range(u)?) } else { None };
        Ok(Self {
            is_head: u.ratio(1, 8)?,
            defect: if u.ratio(1, 16)? { *u.choose(&defects)? } else { Defect::None },
            path: *u.choose(&paths)?,
            hops_left: if u.ratio(1, 8)? { Some(u.int_in_range(0..=100)?) } else { None },
            is_http_1_1,
            keep_alive: if u.ratio(7, 8)? { is_http_1_1 } else { !is_http_1_1 },
            range,
            if_range: match u.int_in_range(0..=7)? {
                0..=3 => None,
                4 => Some(IfRange::SameDate),
                5 => Some(IfRange::OtherDate),
                _ => Some(IfRange::Tag(*u.choose(&[Tag::Same, Tag::Weak, Tag::Other])?)),
            },
            if_none_match: if u.ratio(1, 8)? {
                Some(*u.choose(&[Tag::Same, Tag::Weak, Tag::Other, Tag::Any])?)
            } else {
                None
            },
            if_modified_since: if u.ratio(1, 8)? { Some(u.arbitrary()?) } else { None },
        })
    }

    /// The request as text; `file` is the server's file with this path.
    pub(super) fn text(&self, file: Option<&[u8]>) -> String {
        let method = match self.defect {
            Defect::Method => "POST",
            _ if self.is_head => "HEAD",
            _ => "GET",
        };
        let path = if self.defect == Defect::NoSlash { "app.bin" } else { self.path.0 };
        let query = self.hops_left.map_or(String::new(), |left| format!("?redirects-left={left}"));
        let version = u8::from(self.is_http_1_1 || self.defect == Defect::NoHost);
        let mut text = format!("{method} {path}{query} HTTP/1.{version}\r\n");
        let mut header = |name: &str, value: &str| text += &format!("{name}: {value}\r\n");
        if self.defect != Defect::NoHost {
            header("Host", "lab");
        }
        if self.defect == Defect::Body {
            header("Content-Length", "3");
        }
        if self.keep_alive != self.is_http_1_1 {
            header("Connection", if self.keep_alive { "keep-alive" } else { "close" });
        }
        let tag = etag(file.unwrap_or_default());
        let tag = |which: Tag| match which {
            Tag::Same => tag.clone(),
            Tag::Weak => format!("W/{tag}"),
            Tag::Other => "\"other\"".to_owned(),
            Tag::Any => "*".to_owned(),
        };
        if let Some(range) = self.range {
            let value = match range {
                Range::From(first) => format!("bytes={first}-"),
                Range::Between(first, last) => format!("bytes={first}-{last}"),
                Range::Last(count) => format!("bytes=-{count}"),
                Range::Odd(value) => value.to_owned(),
            };
            header("Range", &value);
        }
        match self.if_range {
            Some(IfRange::Tag(which)) => header("If-Range", &tag(which)),
            Some(IfRange::SameDate) => header("If-Range", MODIFIED),
            Some(IfRange::OtherDate) => header("If-Range", BEFORE),
            None => {}
        }
        if let Some(which) = self.if_none_match {
            header("If-None-Match", &format!("\"x\", {}", tag(which)));
        }
        if let Some(is_same) = self.if_modified_since {
            header("If-Modified-Since", if is_same { MODIFIED } else { BEFORE });
        }
        text + "\r\n"
    }
}

/// The entity tag that the documentation of files promises.
pub(super) fn etag(file: &[u8]) -> String {
    let digest = Hex(&Sha256::digest(file)).to_string();
    let (begin, _) = digest.split_at(32);
    format!("\"{begin}\"")
}

fn range(u: &mut Unstructured<'_>) -> Result<Range> {
    const ODD: [&str; 6] = ["bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=-", "bytes=a-", "0-5"];
    let number = |u: &mut Unstructured<'_>| match u.int_in_range(0..=7)? {
        0 => u.arbitrary(),
        1 => u.int_in_range(0..=2),
        _ => u.int_in_range(0..=3100),
    };
    Ok(match u.int_in_range(0..=7)? {
        0..=2 => Range::From(number(u)?),
        3..=5 => Range::Between(number(u)?, number(u)?),
        6 => Range::Last(number(u)?),
        _ => Range::Odd(u.choose(&ODD)?),
    })
}

/// A fault whose kinds can be combined.
pub(super) fn fault(u: &mut Unstructured<'_>) -> Result<ServerFault> {
    let mut kinds = Vec::new();
    if u.ratio(1, 4)? {
        kinds.push(match u.int_in_range(0..=5)? {
            0 => FaultKind::Status(*u.choose(&[200, 204, 206, 302, 304, 404, 416, 500, 599])?),
            1 => FaultKind::Html,
            2 => FaultKind::Empty,
            3 => FaultKind::RedirectLoop,
            _ => FaultKind::Redirect(u.int_in_range(1..=FaultKind::MAX_REDIRECTS)?),
        });
    }
    if u.ratio(1, 3)? {
        let ranges = [FaultKind::RangeIgnored, FaultKind::RangeWrong, FaultKind::RangeMisplaced];
        kinds.push(*u.choose(&ranges)?);
    }
    if u.ratio(1, 6)? {
        kinds.push(FaultKind::EtagChanges);
    }
    let number = |u: &mut Unstructured<'_>| u.int_in_range(0..=3200);
    let maybe = |u: &mut Unstructured<'_>| {
        if u.ratio(3, 4)? { number(u).map(Some) } else { Ok(None) }
    };
    if u.ratio(1, 4)? {
        let oversize = u.arbitrary()?;
        kinds.push(if oversize {
            FaultKind::Oversize(number(u)?)
        } else {
            FaultKind::Corrupt(maybe(u)?)
        });
    }
    if u.ratio(1, 3)? {
        kinds.push(*u.choose(&[FaultKind::NoLength, FaultKind::Chunked])?);
    }
    if u.ratio(1, 3)? {
        kinds.push(match u.int_in_range(0..=2)? {
            0 => FaultKind::Drop(maybe(u)?),
            1 => FaultKind::Stall(maybe(u)?),
            _ => FaultKind::Truncate(number(u)?),
        });
    }
    if kinds.is_empty() {
        kinds.push(FaultKind::Pass);
    }
    let path = *u.choose(&[None, None, Some("/app.bin"), Some("/none")])?;
    let times = NonZeroU32::new(u.int_in_range(0..=3)?);
    let fault = ServerFault { path: path.map(str::to_owned), kinds, times };
    assert_eq!(fault.to_string().parse().as_ref(), Ok(&fault), "of kinds that can be combined");
    Ok(fault)
}
