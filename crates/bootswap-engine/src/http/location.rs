//! Resolves a `Location` against the URL that was requested.
//!
//! The two are never in memory at the same time: a device has room for one long URL. What the new
//! one keeps of the old is always its beginning, so the old one is cut there, and the rest is
//! appended as it arrives.
//!
//! ```text
//!   http://lab:8070/images/app.bin?v=1        kept of it before
//!        |          |      |      '-- query      ?v=2
//!        |          |      '--------- directory  v2.bin
//!        |          '---------------- authority  /v2.bin
//!        '--------------------------- scheme     //cdn/v2.bin
//! ```

use bootswap_plan::{Scheme, Url, UrlError};

use crate::source::{MAX_REDIRECT_URL_LEN_BYTES, RedirectFault};

/// Bytes at the start of a `Location` by which its kind is recognised: more than a scheme has.
const PEEK: usize = 24;

/// A URL, in its buffer.
pub(super) struct Address<'b> {
    area: &'b mut [u8; MAX_REDIRECT_URL_LEN_BYTES],
    len: usize,
}

impl<'b> Address<'b> {
    /// The URL of the migration.
    pub(super) fn new(
        area: &'b mut [u8; MAX_REDIRECT_URL_LEN_BYTES],
        url: &str,
    ) -> Result<Self, UrlError> {
        // Checked by the rule for migrations, which has a stricter limit for the length.
        let url = Url::parse(url)?;
        let mut address = Self { area, len: 0 };
        for byte in url.as_str().bytes() {
            // There is room for more than that.
            let _ = address.push(byte);
        }
        Ok(address)
    }

    /// The URL in its parts.
    pub(super) fn url(&self) -> Result<Url<'_>, UrlError> {
        let bytes = self.area.get(..self.len).unwrap_or_default();
        let text = core::str::from_utf8(bytes).map_err(|error| {
            let offset = error.valid_up_to();
            let found = bytes.get(offset).copied().unwrap_or_default();
            UrlError::Character { offset, found }
        })?;
        Url::parse_within(text, MAX_REDIRECT_URL_LEN_BYTES)
    }

    /// Begins to receive a `Location`.
    pub(super) fn location<'a>(&'a mut self) -> Location<'a, 'b> {
        let kept = self.url().map_or_else(|_| Kept::default(), |url| Kept::of(&url));
        let peek = heapless::Vec::new();
        Location { address: self, kept, peek, state: State::Peeking, is_full: false }
    }

    /// Whether there was room.
    fn push(&mut self, byte: u8) -> bool {
        let place = self.area.get_mut(self.len);
        let has_room = place.is_some();
        if let Some(place) = place {
            *place = byte;
            self.len += 1;
        }
        has_room
    }
}

/// Bytes of a URL that a relative reference keeps, by the kind of reference.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// With its colon.
    scheme: usize,
    authority: usize,
    /// Without its last slash.
    directory: usize,
    /// All but the query.
    path: usize,
}

impl Kept {
    fn of(url: &Url<'_>) -> Self {
        let text = url.as_str();
        let scheme = match url.scheme() {
            Scheme::Http => "http:".len(),
            Scheme::Https => "https:".len(),
        };
        let authority = scheme + "//".len() + url.authority().len();
        let query = text.bytes().position(|byte| byte == b'?');
        let path = query.unwrap_or(text.len());
        let behind = text.as_bytes().get(authority..path).unwrap_or_default();
        let slash = behind.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Self { scheme, authority, directory: authority + slash, path }
    }
}

/// Position in a `Location`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At its start; it may still be of any kind.
    Peeking,
    /// In it; the buffer no longer has the requested URL.
    Taking,
    /// After the URL: a fragment is not sent to the server.
    Fragment,
    /// After the end.
    Ended,
}

/// A `Location` that is received byte by byte, and replaces the URL by the one that it means (RFC
/// 9110, 10.2.2). [`Url::parse_within`] decides whether a device can fetch from it.
pub(super) struct Location<'a, 'b> {
    address: &'a mut Address<'b>,
    kept: Kept,
    peek: heapless::Vec<u8, PEEK>,
    state: State,
    is_full: bool,
}

impl Location<'_, '_> {
    /// Whether none was received yet: of several, the first is used.
    pub(super) fn is_empty(&self) -> bool {
        self.state == State::Peeking
    }

    /// Receives the next byte.
    pub(super) fn push(&mut self, byte: u8) {
        match self.state {
            State::Peeking if self.peek.is_empty() && matches!(byte, b' ' | b'\t') => {}
            State::Peeking => {
                // Room is made below before the buffer is full.
                let _ = self.peek.push(byte);
                if self.peek.is_full() {
                    self.begin();
                }
            }
            State::Taking if byte == b'#' => self.state = State::Fragment,
            State::Taking => self.is_full |= !self.address.push(byte),
            State::Fragment | State::Ended => {}
        }
    }

    /// It has ended.
    pub(super) fn end(&mut self) {
        if self.state == State::Peeking {
            self.begin();
        }
        self.state = State::Ended;
        let text = self.address.area.get(..self.address.len).unwrap_or_default();
        let blank = text.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.address.len -= blank;
    }

    /// Whether a URL was received, and fits.
    pub(super) fn fault(&self) -> Result<(), RedirectFault> {
        match self.state {
            State::Ended if self.is_full => Err(RedirectFault::TooLong),
            State::Ended if self.address.len > 0 => Ok(()),
            _ => Err(RedirectFault::NoLocation),
        }
    }

    /// Cuts the URL to what is kept of it, and appends what was received so far.
    fn begin(&mut self) {
        self.state = State::Taking;
        let peek = core::mem::take(&mut self.peek);
        let delimiter = peek.iter().find(|byte| matches!(byte, b':' | b'/' | b'?' | b'#'));
        let Kept { scheme, authority, directory, path } = self.kept;
        let (kept, slash) = match (peek.as_slice(), delimiter) {
            // Empty, or the same URL again.
            ([] | [b'#', ..], _) => (0, false),
            // A relative path has no colon in its first part (RFC 3986, 4.2).
            (_, Some(b':')) => (0, false),
            ([b'/', b'/', ..], _) => (scheme, false),
            ([b'/', ..], _) => (authority, false),
            ([b'?', ..], _) => (path, path == authority),
            _ => (directory, true),
        };
        self.address.len = kept;
        if slash {
            self.is_full |= !self.address.push(b'/');
        }
        for byte in peek {
            self.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};

    use super::*;

    fn resolved(base: &str, location: &str) -> Result<String, RedirectFault> {
        let mut area = [0; MAX_REDIRECT_URL_LEN_BYTES];
        let mut address = Address::new(&mut area, base).unwrap();
        let mut taken = address.location();
        for byte in location.bytes() {
            taken.push(byte);
        }
        taken.end();
        taken.fault()?;
        address.url().map(|url| url.to_string()).map_err(RedirectFault::Url)
    }

    #[test]
    fn resolves_locations() {
        let base = "http://lab:8070/images/app.bin?v=1/2";
        for (location, wanted) in [
            ("http://other/app.bin", "http://other/app.bin"),
            ("HTTPS://other/app.bin#top", "HTTPS://other/app.bin"),
            ("/app.bin", "http://lab:8070/app.bin"),
            ("/", "http://lab:8070/"),
            ("v2.bin", "http://lab:8070/images/v2.bin"),
            ("sub/v2.bin?x", "http://lab:8070/images/sub/v2.bin?x"),
            (
                "a-name-that-is-longer-than-what-is-peeked-at",
                "http://lab:8070/images/\
              a-name-that-is-longer-than-what-is-peeked-at",
            ),
            ("?v=3", "http://lab:8070/images/app.bin?v=3"),
            ("//cdn/app.bin", "http://cdn/app.bin"),
            ("/to?url=http://x/", "http://lab:8070/to?url=http://x/"),
            (" \t/app.bin \t", "http://lab:8070/app.bin"),
        ] {
            assert_eq!(resolved(base, location).as_deref(), Ok(wanted), "{location}");
        }
        assert_eq!(resolved("http://lab", "app.bin").as_deref(), Ok("http://lab/app.bin"));
        assert_eq!(resolved("http://lab", "?a").as_deref(), Ok("http://lab/?a"));
        for nothing in ["", " ", "#top"] {
            assert_eq!(resolved(base, nothing), Err(RedirectFault::NoLocation));
        }
        assert_eq!(resolved(base, "ftp://a/b"), Err(RedirectFault::Url(UrlError::Scheme)));
        let odd = UrlError::Character { offset: 16, found: 0xc3 };
        assert_eq!(resolved(base, "/\u{e4}"), Err(RedirectFault::Url(odd)));
    }

    #[test]
    fn what_does_not_fit_is_too_long() {
        let room = MAX_REDIRECT_URL_LEN_BYTES - "http://lab".len();
        let path = |len| std::format!("/{}", "a".repeat(len - 1));
        assert!(resolved("http://lab/", &path(room)).is_ok());
        assert_eq!(resolved("http://lab/", &path(room + 1)), Err(RedirectFault::TooLong));
    }
}
