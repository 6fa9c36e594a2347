//! The network, which is joined only when something must be fetched.
//!
//! A migration that has everything in flash already, after a late reset, needs no network and does
//! not wait for one.

mod start;

use core::fmt;

use bootswap_config::Wifi;
use bootswap_engine::{Request, Sink, Source, SourceError, apart};

use crate::Log;

pub use start::{Card, bring_up, candidates};

/// A network that must be joined before it is used.
pub trait Network {
    /// Joins the network, if that is not done yet; prints on the console what goes wrong.
    ///
    /// Returns whether there is a network now.
    fn join(&mut self) -> impl Future<Output = bool>;
}

/// A radio that can join one network at a time.
pub trait Station {
    /// Joins a network and waits for an address in it.
    fn enter(&mut self, wifi: &Wifi<'_>) -> impl Future<Output = Result<(), JoinError>>;

    /// Leaves it, or ends a failed attempt to join it.
    fn leave(&mut self) -> impl Future<Output = ()>;
}

/// Why a network could not be joined, and what to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// The radio does not accept the name or the password.
    Settings,
    /// There is no such network in range.
    NotFound,
    /// The password is wrong.
    Password,
    /// The radio does not support the network's encryption.
    Security,
    /// The connection to it was lost.
    Lost,
    /// There is no room in it for another station.
    Full,
    /// It does not accept the device, for another reason.
    NotLetIn,
    /// It did not answer.
    NoAnswer {
        /// Waiting time in seconds.
        within_s: u64,
    },
    /// It accepted the device, but assigned no address.
    NoAddress {
        /// Waiting time in seconds.
        within_s: u64,
    },
}

/// Tries one network after the other until one accepts the device and assigns an address; prints on
/// the console what goes wrong.
pub async fn join<'w, S: Station>(
    station: &mut S,
    candidates: impl Iterator<Item = Wifi<'w>>,
    log: Log<'_>,
) -> bool {
    for wifi in candidates {
        log.info(format_args!("      joining the network {}", wifi.shown_ssid()));
        match station.enter(&wifi).await {
            Ok(()) => return true,
            Err(error) => log.error(format_args!("{}: {error}", wifi.shown_ssid())),
        }
        station.leave().await;
    }
    false
}

/// A source that joins its network first.
///
/// A source without a network, for a radio that does not start, has the same type, so that the
/// engine is not compiled twice.
#[derive(Debug)]
pub struct Joining<N, S> {
    parts: Option<(N, S)>,
}

impl<N: Network, S: Source> Joining<N, S> {
    /// A source that uses this network.
    pub const fn new(network: N, source: S) -> Self {
        Self { parts: Some((network, source)) }
    }

    /// A source without a network.
    #[must_use]
    pub const fn absent() -> Self {
        Self { parts: None }
    }
}

impl<N: Network, S: Source> Source for Joining<N, S> {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        let Some((network, source)) = &mut self.parts else { return Err(SourceError::NoNetwork) };
        if !apart!(network.join()) {
            return Err(SourceError::NoNetwork);
        }
        apart!(source.fetch(request, sink))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Settings => {
                "the radio does not accept the name or password; correct [network] and pack again"
            }
            Self::NotFound => "no such network found; check its name and that it is in range",
            Self::Password => "access denied; check the password",
            Self::Security => "the network's encryption is not supported; use WPA or WPA2",
            Self::Lost => "the connection to it was lost; check that it is in range",
            Self::Full => "it has no room for another station; switch another one off",
            Self::NotLetIn => "access denied; check the network's settings",
            Self::NoAnswer { within_s } => {
                return write!(
                    f,
                    "no answer within {within_s} s; check that the network is in range"
                );
            }
            Self::NoAddress { within_s } => {
                return write!(
                    f,
                    "no address by DHCP within {within_s} s; check that the network has a DHCP \
                     server"
                );
            }
        })
    }
}

impl core::error::Error for JoinError {}

#[cfg(test)]
mod tests;
