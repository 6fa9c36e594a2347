//! URLs of artifacts: one rule for what a device can fetch from.
//!
//! ```text
//!   http://192.168.100.101:8070/images/app.bin?v=2
//!   scheme '----- host ---' port '------ path ----'
//!          '---- authority ----'
//! ```
//!
//! It is the subset of RFC 3986 that the migrator's HTTP client supports: the migration reader
//! refuses what the client would refuse on the device.

mod masked;

use core::fmt;
use core::net::Ipv4Addr;

pub use masked::MaskedUrl;

/// Longest URL in a migration, in bytes: a migrator has room for eight of them.
pub const MAX_URL_LEN_BYTES: usize = 512;

/// Longest host name in bytes, without a dot at its end (RFC 1035, 2.3.4: 255 with the lengths of
/// the labels).
const MAX_HOST_LEN_BYTES: usize = 253;
/// Longest part of a host name between dots in bytes (RFC 1035, 2.3.4).
const MAX_LABEL_LEN_BYTES: usize = 63;

/// The protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The port if a URL names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL that a device can fetch from.
///
/// ```
/// use bootswap_plan::{Scheme, Url, UrlError};
///
/// let url = Url::parse("http://lab:8070/app.bin")?;
/// assert_eq!((url.scheme(), url.host()), (Scheme::Http, "lab"));
/// assert_eq!((url.port(), url.path()), (8070, "/app.bin"));
///
/// let error = Url::parse("http://lab:99999/app.bin").unwrap_err();
/// assert_eq!(error, UrlError::Port { offset: 11 });
/// # Ok::<(), UrlError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Url<'a> {
    text: &'a str,
    scheme: Scheme,
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Url<'a> {
    /// Checks a URL and splits it into its parts.
    ///
    /// It is not decided here whether a build of the migrator has TLS: [`Scheme::Https`] is
    /// accepted.
    ///
    /// # Errors
    ///
    /// [`UrlError`], with the position in the text, if no device can fetch from it.
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        Self::parse_within(text, MAX_URL_LEN_BYTES)
    }

    /// As [`Url::parse`], for a URL of at most this many bytes: a server may redirect to a longer
    /// one than a migration may name.
    ///
    /// # Errors
    ///
    /// As [`Url::parse`].
    pub fn parse_within(text: &'a str, max_len_bytes: usize) -> Result<Self, UrlError> {
        if text.len() > max_len_bytes {
            return Err(UrlError::TooLong { len_bytes: text.len() });
        }
        // A request line ends at a space or a line break.
        let mut bytes = text.bytes().enumerate();
        if let Some((offset, found)) = bytes.find(|(_, byte)| !byte.is_ascii_graphic()) {
            return Err(UrlError::Character { offset, found });
        }
        if let Some(offset) = find(text, |byte| byte == b'#') {
            return Err(UrlError::Fragment { offset });
        }
        let (scheme, rest) = split_scheme(text).ok_or(UrlError::Scheme)?;
        let start = text.len() - rest.len();
        let end = find(rest, |byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let path = match path.as_bytes().first() {
            None => "/",
            Some(b'/') => path,
            Some(_) => return Err(UrlError::NoPath { offset: start + end }),
        };
        if find(authority, |byte| byte == b'@').is_some() {
            return Err(UrlError::UserInfo { offset: start });
        }
        if authority.starts_with('[') {
            return Err(UrlError::Ipv6 { offset: start });
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if host.is_empty() {
            return Err(UrlError::NoHost { offset: start });
        }
        if !is_host(host) {
            return Err(UrlError::Host { offset: start });
        }
        let port = match port.map(port_number) {
            Some(Some(port)) => port,
            Some(None) => return Err(UrlError::Port { offset: start + host.len() + 1 }),
            None => scheme.default_port(),
        };
        Ok(Self { text, scheme, authority, host, port, path })
    }

    /// The whole URL, as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The protocol.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port as they were written, as in a `Host` header.
    #[must_use]
    pub const fn authority(&self) -> &'a str {
        self.authority
    }

    /// The server's name or IPv4 address.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The server's port: the one in the URL, or else the scheme's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query as in a request line; `/` if the URL ends with the host.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    // In two steps: searching for a string of several characters costs a device 2 KB of code.
    let (scheme, rest) = text.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    if scheme.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else if scheme.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else {
        None
    }
}

/// Position of the first such byte. Searching for characters would cost a device more code.
fn find(text: &str, is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    text.bytes().position(is_wanted)
}

/// Whether a device's resolver can resolve this name, or it is an IPv4 address.
fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let (mut label_len_bytes, mut is_number) = (0, true);
    for byte in name.bytes() {
        match byte {
            b'.' if label_len_bytes > 0 => (label_len_bytes, is_number) = (0, true),
            b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                label_len_bytes += 1;
                is_number &= byte.is_ascii_digit();
            }
            _ => return false,
        }
        if label_len_bytes > MAX_LABEL_LEN_BYTES {
            return false;
        }
    }
    // No top-level domain is a number, so a name that ends with a number is an IPv4 address.
    let is_name = label_len_bytes > 0 && !is_number && name.len() <= MAX_HOST_LEN_BYTES;
    is_name || host.parse::<Ipv4Addr>().is_ok()
}

/// A port from 1 to 65535, only digits.
fn port_number(text: &str) -> Option<u16> {
    let port = text.bytes().try_fold(0u16, |port, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        port.checked_mul(10)?.checked_add(u16::from(digit))
    });
    port.filter(|&port| port != 0)
}

/// Why no device can fetch from a URL. Offsets are in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UrlError {
    /// It is longer than [`MAX_URL_LEN_BYTES`].
    TooLong {
        /// Its length in bytes.
        len_bytes: usize,
    },
    /// It has a space, a control character, or a character that is not ASCII.
    Character {
        /// Where.
        offset: usize,
        /// The character, or the first byte of one that is not ASCII.
        found: u8,
    },
    /// It does not begin with `http://` or `https://`.
    Scheme,
    /// It names no host.
    NoHost {
        /// Where the host should be.
        offset: usize,
    },
    /// It has a user name or password, which the client does not send.
    UserInfo {
        /// Where.
        offset: usize,
    },
    /// The host is an IPv6 address; devices have only IPv4.
    Ipv6 {
        /// Where.
        offset: usize,
    },
    /// The host is neither a name that can be resolved nor an IPv4 address.
    Host {
        /// Where the host begins.
        offset: usize,
    },
    /// The port is not a number from 1 to 65535.
    Port {
        /// Where the port begins.
        offset: usize,
    },
    /// A query follows the host without a slash between them.
    NoPath {
        /// Where the slash is missing.
        offset: usize,
    },
    /// It has a fragment, which is never sent to a server.
    Fragment {
        /// Where the `#` is.
        offset: usize,
    },
}

impl core::error::Error for UrlError {}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { len_bytes } => {
                write!(
                    f,
                    "it has {len_bytes} bytes, more than the {MAX_URL_LEN_BYTES} that are \
                possible"
                )
            }
            Self::Character { offset, found } if found.is_ascii() => {
                let found = char::from(*found);
                write!(f, "the character {found:?} at byte {offset} is not allowed")
            }
            Self::Character { offset, .. } => {
                write!(f, "the character at byte {offset} is not ASCII")
            }
            Self::Scheme => f.write_str("it does not begin with http:// or https://"),
            Self::NoHost { offset } => write!(f, "there is no host at byte {offset}"),
            Self::UserInfo { offset } => {
                write!(f, "there is a user name at byte {offset}, which devices cannot send")
            }
            Self::Ipv6 { offset } => {
                write!(f, "the host at byte {offset} is an IPv6 address, but devices use IPv4")
            }
            Self::Host { offset } => {
                write!(f, "the host at byte {offset} is neither a name nor an IPv4 address")
            }
            Self::Port { offset } => {
                write!(f, "the port at byte {offset} is not a number from 1 to 65535")
            }
            Self::NoPath { offset } => write!(f, "there is no / before the ? at byte {offset}"),
            Self::Fragment { offset } => {
                write!(f, "there is a # at byte {offset}, and fragments are not sent to servers")
            }
        }
    }
}

#[cfg(test)]
mod tests;
