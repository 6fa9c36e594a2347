//! The network, joined when something has to be fetched and not before.
//!
//! A migration that has everything in flash already, after a reset at a late moment, needs no
//! network and does not wait for one.

use core::fmt;

use bootswap_config::Wifi;
use bootswap_engine::{Request, Sink, Source, SourceError, apart};

use crate::Log;

/// A network that has to be joined before it is used.
pub trait Network {
    /// Joins the network, unless that is done; says on the console what goes wrong.
    ///
    /// Returns whether there is a network now.
    fn join(&mut self) -> impl Future<Output = bool>;
}

/// A card that can be in one network or another.
pub trait Station {
    /// Enters a network and waits for an address in it.
    fn enter(&mut self, wifi: &Wifi<'_>) -> impl Future<Output = Result<(), JoinError>>;

    /// Leaves it, or what there was of it.
    fn leave(&mut self) -> impl Future<Output = ()>;
}

/// Why a network could not be joined, and what to do about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// The card does not accept the name or the password.
    Settings,
    /// There is no such network in range.
    NotFound,
    /// The password is not the one that the network wants.
    Password,
    /// The network's encryption is not supported by the card.
    Security,
    /// The connection to it was lost.
    Lost,
    /// There is no room in it for another station.
    Full,
    /// It does not let the card in, for a reason of its own.
    NotLetIn,
    /// Nothing came back from it.
    NoAnswer {
        /// How long was waited, in seconds.
        within_s: u64,
    },
    /// It let the card in, and gave it no address.
    NoAddress {
        /// How long was waited, in seconds.
        within_s: u64,
    },
}

/// Tries one network after the other until one lets the device in and gives it an address; says on
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
/// One without a network, where the card does not start, is of the same type, so that the engine is
/// not built twice.
#[derive(Debug)]
pub struct Joining<N, S> {
    parts: Option<(N, S)>,
}

impl<N: Network, S: Source> Joining<N, S> {
    /// A source in this network.
    pub const fn new(network: N, source: S) -> Self {
        Self { parts: Some((network, source)) }
    }

    /// A source in a network that is not there and will not come.
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
            Self::Password => "not let in; check the password",
            Self::Security => "the network's encryption is not supported; use WPA or WPA2",
            Self::Lost => "the connection to it was lost; check that it is in range",
            Self::Full => "it has no room for another station; switch another one off",
            Self::NotLetIn => "not let in; check the network's settings",
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
