//! Where artifacts come from, as the engine sees it.
//!
//! A source pushes bytes into a [`Sink`]. In this direction, a network client can keep its buffers
//! and connections in its own stack frame, and the engine needs no self-referential state.

use core::convert::Infallible;
use core::fmt;

use bootswap_plan::{ArtifactIndex, UrlError};
use heapless::String;

/// Number of redirections that are followed.
pub const MAX_REDIRECTS: u32 = 5;
/// Longest URL that a redirection may lead to, in bytes. Presigned URLs of the large object stores
/// have up to 2 KiB of query.
pub const MAX_REDIRECT_URL_LEN_BYTES: usize = 2560;
/// Most bytes of an answer's headers, including those of interim answers: as much as the most that
/// servers and proxies pass on by default (nginx, `large_client_header_buffers`; Node.js,
/// `--max-http-header-size`).
pub const MAX_HEAD_LEN_BYTES: usize = 16 * 1024;

/// Where artifacts come from: a network, or the migrator's own image.
pub trait Source {
    /// Sends the bytes of an artifact from [`Sink::wanted`] on, or from an earlier one if it cannot
    /// do otherwise, until the end or until the sink has enough.
    ///
    /// # Errors
    ///
    /// [`SourceError::Sink`] if the sink refused, another error if the transfer broke; bytes that
    /// were passed on before remain received.
    fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> impl Future<Output = Result<(), SourceError<K::Error>>>;
}

/// The requested artifact.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its index in the migration.
    pub artifact: ArtifactIndex,
    /// Its name.
    pub name: &'a str,
    /// Its URL; `None` if it is embedded.
    pub url: Option<&'a str>,
}

/// What a source says about the bytes that it is going to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Offset of the first byte in the file.
    pub offset: u32,
    /// Bytes of the whole file, if known.
    pub total_len_bytes: Option<u32>,
}

/// Whether a sink needs more bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// Send more.
    Continue,
    /// The rest is known already; the transfer may end here.
    Enough,
}

/// Receives the bytes of an artifact.
pub trait Sink {
    /// Why it refuses bytes.
    type Error;

    /// Offset in the file of the next byte that is needed.
    fn wanted(&self) -> u32;

    /// Receives the offset of the bytes that follow.
    ///
    /// # Errors
    ///
    /// If the file has the wrong length.
    fn begin(&mut self, header: Header) -> Result<(), Self::Error>;

    /// Receives the next bytes.
    ///
    /// # Errors
    ///
    /// If the bytes are not what they should be, or the flash cannot be written.
    fn data(&mut self, bytes: &[u8]) -> impl Future<Output = Result<Flow, Self::Error>>;
}

/// The content encoding of a body, as its server names it; cut off if the name is long.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Encoding(String<12>);

impl Encoding {
    /// This name, as far as it can be printed.
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
    /// It has no `Location`.
    NoLocation,
    /// The URL has more than [`MAX_REDIRECT_URL_LEN_BYTES`].
    TooLong,
    /// No device can fetch from the URL.
    Url(UrlError),
    /// The URL needs TLS, and this build has none.
    Tls,
}

impl fmt::Display for RedirectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLocation => f.write_str("without saying where to"),
            Self::TooLong => {
                write!(
                    f,
                    "to a URL of more than {MAX_REDIRECT_URL_LEN_BYTES} bytes, which is the limit"
                )
            }
            Self::Url(error) => write!(f, "to a URL that cannot be used: {error}"),
            Self::Tls => f.write_str(
                "to an https:// URL, but this build has no TLS; make the server answer over \
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
    /// No device can fetch from the URL in the migration.
    BadUrl(UrlError),
    /// The URL needs TLS, and this build has none.
    NoTls,
    /// The host's name could not be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// The connection broke, was reset, or was closed before the end.
    Broken,
    /// Nothing was received for too long.
    Stalled,
    /// A status that is neither success nor a redirection.
    Status(u16),
    /// More redirections than are followed.
    Redirects,
    /// A redirection without a URL, or to one that cannot be used.
    BadRedirect(RedirectFault),
    /// An answer that is not HTTP.
    Protocol,
    /// A partial answer to another request.
    WrongRange {
        /// The requested offset.
        asked: u32,
        /// The answered offset, if it could be read.
        answered: Option<u32>,
    },
    /// The artifact is not among those embedded in the migrator.
    NotEmbedded,
    /// The embedded artifacts could not be read, or their directory is damaged.
    BadContainer,
    /// There is no network to reach the server through.
    NoNetwork,
    /// An answer whose headers have more than [`MAX_HEAD_LEN_BYTES`].
    HeadTooLong,
    /// The body has a content encoding, which was not requested.
    Encoded(Encoding),
}

impl<E> SourceError<E> {
    /// Separates the sink's error from what went wrong on the way.
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

    /// The error's number, as in reports from devices. Never reordered.
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

    /// Whether a retry cannot help.
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
            Self::BadUrl(error) => write!(f, "no device can fetch from the URL: {error}"),
            Self::NoTls => {
                f.write_str("the URL needs TLS, which this build does not have; use http://")
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
                write!(f, "the server redirected more than {MAX_REDIRECTS} times")
            }
            Self::BadRedirect(fault) => write!(f, "the server redirected {fault}"),
            Self::Protocol => f.write_str("the answer is not HTTP"),
            Self::HeadTooLong => write!(
                f,
                "the answer's headers have more than {MAX_HEAD_LEN_BYTES} bytes, which is the limit"
            ),
            Self::Encoded(encoding) => write!(
                f,
                "the server answered with Content-Encoding {encoding} although only identity was \
                requested; turn compression off there, or in a proxy before it"
            ),
            Self::WrongRange { asked, answered: Some(answered) } => {
                write!(
                    f,
                    "the server answered from byte {answered}, but byte {asked} was \
                requested"
                )
            }
            Self::WrongRange { asked, answered: None } => {
                write!(
                    f,
                    "the server's partial answer does not say where it begins; byte {asked} was \
                    requested"
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
