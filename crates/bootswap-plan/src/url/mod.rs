//! Addresses of artifacts: one rule for what a device can fetch from.
//!
//! ```text
//!   http://192.168.100.101:8070/images/app.bin?v=2
//!   scheme '----- host ---' port '------ path ----'
//!          '---- authority ----'
//! ```
//!
//! It is the subset of RFC 3986 that the migrator's HTTP client can ask for: the migration reader
//! refuses what the client would refuse on the device.

use core::fmt;
use core::net::Ipv4Addr;

/// Longest address in bytes; the client keeps redirections in a buffer of that size.
pub const MAX_URL_LEN_BYTES: usize = 512;

/// Longest host name in bytes, without a dot at its end (RFC 1035, 2.3.4: 255 with the lengths of
/// the labels).
const MAX_HOST_LEN_BYTES: usize = 253;
/// Longest part of a host name between dots in bytes (RFC 1035, 2.3.4).
const MAX_LABEL_LEN_BYTES: usize = 63;

/// How a server is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The port where an address names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// An address that a device can fetch from.
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
    /// Checks an address and splits it into its parts.
    ///
    /// Whether a build of the migrator has TLS is not decided here: [`Scheme::Https`] is accepted.
    ///
    /// # Errors
    ///
    /// [`UrlError`], with the place in the text, if no device can fetch from it.
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_LEN_BYTES {
            return Err(UrlError::TooLong { len_bytes: text.len() });
        }
        // A request line ends at a space or a line break.
        if let Some((offset, found)) = text.char_indices().find(|(_, c)| !c.is_ascii_graphic()) {
            return Err(UrlError::Character { offset, found });
        }
        if let Some(offset) = text.find('#') {
            return Err(UrlError::Fragment { offset });
        }
        let (scheme, rest) = split_scheme(text).ok_or(UrlError::Scheme)?;
        let start = text.len() - rest.len();
        let len_bytes = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(len_bytes).unwrap_or((rest, ""));
        let path = match path.as_bytes().first() {
            None => "/",
            Some(b'/') => path,
            Some(_) => return Err(UrlError::NoPath { offset: start + len_bytes }),
        };
        if authority.contains('@') {
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
        let port = match port {
            Some(text) => {
                port_number(text).ok_or(UrlError::Port { offset: start + host.len() + 1 })?
            }
            None => scheme.default_port(),
        };
        Ok(Self { text, scheme, authority, host, port, path })
    }

    /// The whole address, as it was written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// How the server is spoken to.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and port as they were written, which is what a `Host` header holds.
    #[must_use]
    pub const fn authority(&self) -> &'a str {
        self.authority
    }

    /// The server's name or IPv4 address.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The server's port: the one that was written, or else the scheme's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query as a request line holds them; `/` if the address ends with the host.
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
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else if scheme.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else {
        None
    }
}

/// Whether a device's resolver can look for this name, or it is an IPv4 address.
fn is_host(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        let mut bytes = label.bytes();
        (1..=MAX_LABEL_LEN_BYTES).contains(&label.len())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > MAX_HOST_LEN_BYTES || !name.split('.').all(is_label) {
        return false;
    }
    // No top-level domain is a number, so a name that ends with one is an IPv4 address.
    let is_number =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    !is_number || host.parse::<Ipv4Addr>().is_ok()
}

/// A port from 1 to 65535; a sign, which [`u16::from_str`](core::str::FromStr) accepts, is none.
fn port_number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

/// Why no device can fetch from an address. Offsets are in bytes from its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UrlError {
    /// It is longer than [`MAX_URL_LEN_BYTES`].
    TooLong {
        /// Its length in bytes.
        len_bytes: usize,
    },
    /// It has a space, a control character, or one that is not ASCII.
    Character {
        /// Where.
        offset: usize,
        /// The character.
        found: char,
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
    /// The host is an IPv6 address; devices have IPv4 alone.
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
                write!(f, "it has {len_bytes} bytes, at most {MAX_URL_LEN_BYTES} are possible")
            }
            Self::Character { offset, found } => {
                write!(f, "the character {found:?} at byte {offset} is not allowed")
            }
            Self::Scheme => f.write_str("it does not begin with http:// or https://"),
            Self::NoHost { offset } => write!(f, "there is no host at byte {offset}"),
            Self::UserInfo { offset } => {
                write!(f, "there is a user name at byte {offset}, which devices cannot send")
            }
            Self::Ipv6 { offset } => {
                write!(f, "the host at byte {offset} is an IPv6 address, devices use IPv4")
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
