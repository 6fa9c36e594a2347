//! Where artifacts come from, as the engine sees it.
//!
//! A source pushes bytes into a [`Sink`]. That way round, a network client can keep its buffers and
//! connections in its own stack frame, and the engine needs no self-referential state.

use core::convert::Infallible;
use core::fmt;

use bootswap_plan::{ArtifactIndex, UrlError};
use heapless::String;

/// Redirections that are followed.
pub const MAX_REDIRECTS: u32 = 5;
/// Longest address that a redirection may lead to, in bytes. Presigned ones of the large object
/// stores have up to 2 KiB of query.
pub const MAX_REDIRECT_URL_LEN_BYTES: usize = 2560;
/// Most bytes of an answer's headers, those of interim answers among them: as much as the largest
/// that servers and proxies pass on by default (nginx, `large_client_header_buffers`; Node.js,
/// `--max-http-header-size`).
pub const MAX_HEAD_LEN_BYTES: usize = 16 * 1024;

/// Where artifacts come from: a network, or the migrator's own image.
pub trait Source {
    /// Sends the bytes of an artifact from [`Sink::wanted`] on, or from an earlier one if it cannot
    /// do otherwise, until the end or until the sink has enough.
    ///
    /// # Errors
    ///
    /// [`SourceError::Sink`] where the sink refused, anything else where the transfer broke; what
    /// was handed over before counts.
    fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> impl Future<Output = Result<(), SourceError<K::Error>>>;
}

/// Which artifact is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its place in the migration.
    pub artifact: ArtifactIndex,
    /// Its name.
    pub name: &'a str,
    /// Its address; `None` for an embedded one.
    pub url: Option<&'a str>,
}

/// What a source says of the bytes that it is about to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Place of the first byte in the file.
    pub offset: u32,
    /// Bytes of the whole file, if the source says.
    pub total_len_bytes: Option<u32>,
}

/// Whether a sink wants more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// More is welcome.
    Continue,
    /// The rest is known already; the transfer may end here.
    Enough,
}

/// Takes the bytes of an artifact.
pub trait Sink {
    /// Why it refuses bytes.
    type Error;

    /// Place in the file of the byte that is wanted next.
    fn wanted(&self) -> u32;

    /// Takes the place of the bytes that follow.
    ///
    /// # Errors
    ///
    /// Where the file is not what it should be, by its length.
    fn begin(&mut self, header: Header) -> Result<(), Self::Error>;

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// Where the bytes are not what they should be, or the flash does not take them.
    fn data(&mut self, bytes: &[u8]) -> impl Future<Output = Result<Flow, Self::Error>>;
}

/// How a body is packed, as its server calls it; cut off where that is long.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Encoding(String<12>);

impl Encoding {
    /// That name, as far as it can be printed.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut kept = Self::default();
        for byte in name.bytes() {
            let shown =
                if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '?' };
            if kept.0.push(shown).is_err() {
                break;
            }
        }
        kept
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a redirection is not followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RedirectFault {
    /// It says not where to.
    NoLocation,
    /// The address has more than [`MAX_REDIRECT_URL_LEN_BYTES`].
    TooLong,
    /// No device can fetch from the address.
    Url(UrlError),
    /// The address wants TLS, and this build has none.
    Tls,
}

impl fmt::Display for RedirectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLocation => f.write_str("without saying where to"),
            Self::TooLong => {
                write!(
                    f,
                    "to an address of more than {MAX_REDIRECT_URL_LEN_BYTES} bytes, the most that \
                     there is room for"
                )
            }
            Self::Url(error) => write!(f, "to an address that cannot be used: {error}"),
            Self::Tls => f.write_str(
                "to an https:// address, and this build has no TLS; let the server answer over \
                 http://",
            ),
        }
    }
}

/// Why a transfer ended early.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SourceError<E> {
    /// The sink refused.
    Sink(E),
    /// The address in the migration is not one that can be fetched.
    BadUrl(UrlError),
    /// The address wants TLS, and this build has none.
    NoTls,
    /// The host's name could not be resolved.
    Dns,
    /// No connection came about.
    Connect,
    /// The connection broke, was reset, or was closed before the end.
    Broken,
    /// Nothing came for too long.
    Stalled,
    /// A status that is neither success nor a redirection.
    Status(u16),
    /// More redirections than are followed.
    Redirects,
    /// A redirection without, or with an unusable, address.
    BadRedirect(RedirectFault),
    /// An answer that is not HTTP.
    Protocol,
    /// A partial answer to another question than was asked.
    WrongRange {
        /// Offset that was asked for.
        asked: u32,
        /// Offset that was answered, where one could be read.
        answered: Option<u32>,
    },
    /// The artifact is not among those embedded in the migrator.
    NotEmbedded,
    /// The embedded artifacts could not be read, or their directory is damaged.
    BadContainer,
    /// There is no network to reach the server by.
    NoNetwork,
    /// An answer whose headers have more than [`MAX_HEAD_LEN_BYTES`].
    HeadTooLong,
    /// The body is packed, which was not asked for.
    Encoded(Encoding),
}

impl<E> SourceError<E> {
    /// Separates what the sink said from what went wrong on the way.
    pub(crate) fn split(self) -> Result<E, SourceError<Infallible>> {
        Err(match self {
            Self::Sink(refusal) => return Ok(refusal),
            Self::BadUrl(error) => SourceError::BadUrl(error),
            Self::NoTls => SourceError::NoTls,
            Self::Dns => SourceError::Dns,
            Self::Connect => SourceError::Connect,
            Self::Broken => SourceError::Broken,
            Self::Stalled => SourceError::Stalled,
            Self::Status(status) => SourceError::Status(status),
            Self::Redirects => SourceError::Redirects,
            Self::BadRedirect(fault) => SourceError::BadRedirect(fault),
            Self::Protocol => SourceError::Protocol,
            Self::WrongRange { asked, answered } => SourceError::WrongRange { asked, answered },
            Self::NotEmbedded => SourceError::NotEmbedded,
            Self::BadContainer => SourceError::BadContainer,
            Self::NoNetwork => SourceError::NoNetwork,
            Self::HeadTooLong => SourceError::HeadTooLong,
            Self::Encoded(encoding) => SourceError::Encoded(encoding),
        })
    }

    /// The error's number, as reports from devices carry it. Never reordered.
    #[must_use]
    pub const fn number(&self) -> u16 {
        match self {
            Self::Sink(_) => 0,
            Self::BadUrl(_) => 1,
            Self::NoTls => 2,
            Self::Dns => 3,
            Self::Connect => 4,
            Self::Broken => 5,
            Self::Stalled => 6,
            Self::Status(_) => 7,
            Self::Redirects => 8,
            Self::BadRedirect(_) => 9,
            Self::Protocol => 10,
            Self::WrongRange { .. } => 11,
            Self::NotEmbedded => 12,
            Self::BadContainer => 13,
            Self::NoNetwork => 14,
            Self::HeadTooLong => 15,
            Self::Encoded(_) => 16,
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::BadUrl(_)
                | Self::NoTls
                | Self::BadRedirect(RedirectFault::Tls)
                | Self::NotEmbedded
                | Self::BadContainer
        )
    }
}

impl<E: fmt::Display> fmt::Display for SourceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sink(error) => error.fmt(f),
            Self::BadUrl(error) => write!(f, "no device can fetch from the address: {error}"),
            Self::NoTls => {
                f.write_str("the address wants TLS, which this build does not have; use http://")
            }
            Self::Dns => f.write_str(
                "the host's name could not be resolved; check url and the network's DNS",
            ),
            Self::Connect => {
                f.write_str("no connection to the server; check that it runs and can be reached")
            }
            Self::Broken => f.write_str("the connection broke before the end"),
            Self::Stalled => f.write_str("the server stopped sending"),
            Self::Status(status) => {
                write!(f, "the server answered with status {status}; check path and server")
            }
            Self::Redirects => {
                write!(f, "the server redirected more often than is followed ({MAX_REDIRECTS})")
            }
            Self::BadRedirect(fault) => write!(f, "the server redirected {fault}"),
            Self::Protocol => f.write_str("the answer is not HTTP"),
            Self::HeadTooLong => write!(
                f,
                "the answer's headers have more than {MAX_HEAD_LEN_BYTES} bytes, the most that are \
                 read"
            ),
            Self::Encoded(encoding) => write!(
                f,
                "the server answered with Content-Encoding {encoding} although only identity was \
                 asked for; turn compression off there, or in a proxy before it"
            ),
            Self::WrongRange { asked, answered: Some(answered) } => {
                write!(f, "the server answered from byte {answered}, asked for {asked}")
            }
            Self::WrongRange { asked, answered: None } => {
                write!(
                    f,
                    "the server's partial answer does not say where it begins, asked for byte \
                     {asked}"
                )
            }
            Self::NotEmbedded => {
                f.write_str("the artifact is not embedded in the migrator; pack it with --embed")
            }
            Self::BadContainer => {
                f.write_str("the embedded artifacts are damaged; pack the migrator again")
            }
            Self::NoNetwork => f.write_str(
                "no network could be joined; check names, passwords and range of the networks",
            ),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for SourceError<E> {}
