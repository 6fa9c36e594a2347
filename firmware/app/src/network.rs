//! The network, joined when something has to be fetched and not before.
//!
//! A migration that has everything in flash already, after a reset at a late moment, needs no network and
//! does not wait for one.

use bootswap_engine::{Request, Sink, Source, SourceError};

/// A network that has to be joined before it is used.
pub trait Network {
    /// Joins the network, unless that is done; says on the console what comes in the way.
    ///
    /// Returns whether there is a network now.
    fn join(&mut self) -> impl Future<Output = bool>;
}

/// A source that joins its network first.
#[derive(Debug)]
pub struct Joining<N, S> {
    network: N,
    source: S,
}

impl<N: Network, S: Source> Joining<N, S> {
    /// A source in this network.
    pub const fn new(network: N, source: S) -> Self {
        Self { network, source }
    }
}

impl<N: Network, S: Source> Source for Joining<N, S> {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        if !self.network.join().await {
            return Err(SourceError::NoNetwork);
        }
        self.source.fetch(request, sink).await
    }
}

/// A network that is not there and will not come.
#[derive(Clone, Copy, Debug)]
pub struct Absent;

impl Network for Absent {
    async fn join(&mut self) -> bool {
        false
    }
}
