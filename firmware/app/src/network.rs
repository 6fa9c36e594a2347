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
///
/// One without a network, where the card does not start, is of the same type, so that the engine is not
/// built twice.
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
        if !network.join().await {
            return Err(SourceError::NoNetwork);
        }
        source.fetch(request, sink).await
    }
}
