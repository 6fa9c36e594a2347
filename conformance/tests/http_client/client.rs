//! The device's HTTP client, and the file that it gets.

use std::time::Duration;

use bootswap_engine::{
    Flow, HTTP_BUFFER_BYTES, Header, HttpSource, Request, Sink, Source, SourceError,
};
use bootswap_plan::ArtifactIndex;
use bootswap_sim::HostNetwork;
use nor_sim::{Power, run_until_powered_off};

/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that fetches one file, at several attempts.
pub struct Client {
    source: HttpSource<'static, HostNetwork, HostNetwork>,
    pub taken: Taken,
}

/// What was received so far.
#[derive(Default)]
pub struct Taken {
    pub file: Vec<u8>,
    /// The places that answers began at.
    pub begun: Vec<Header>,
    /// Bytes at which the connection is given up.
    pub enough_at: Option<usize>,
}

impl Sink for Taken {
    type Error = &'static str;

    fn wanted(&self) -> u32 {
        u32::try_from(self.file.len()).unwrap()
    }

    fn begin(&mut self, header: Header) -> Result<(), &'static str> {
        self.begun.push(header);
        self.file.truncate(header.offset as usize);
        Ok(())
    }

    async fn data(&mut self, bytes: &[u8]) -> Result<Flow, &'static str> {
        self.file.extend_from_slice(bytes);
        let enough = self.enough_at.is_some_and(|at| self.file.len() >= at);
        Ok(if enough { Flow::Enough } else { Flow::Continue })
    }
}

impl Client {
    pub fn new() -> Self {
        Self::waiting(PATIENCE)
    }

    /// A client that waits this long for the next bytes.
    pub fn waiting(timeout: Duration) -> Self {
        // A test ends soon, and its memory with it.
        let network = &*Box::leak(Box::new(HostNetwork { timeout, server: None }));
        let buffer = Box::leak(Box::new([0; HTTP_BUFFER_BYTES]));
        Self { source: HttpSource::new(network, network, buffer), taken: Taken::default() }
    }

    /// Fetches what is missing of the file.
    pub fn fetch(&mut self, url: &str) -> Result<(), SourceError<&'static str>> {
        let request = Request { artifact: ArtifactIndex(0), name: "app", url: Some(url) };
        // Without power cuts it runs to its end.
        run_until_powered_off(self.source.fetch(&request, &mut self.taken), &Power::new()).unwrap()
    }

    /// Fetches the first bytes of a file, and gives the connection up.
    pub fn fetch_first(&mut self, len_bytes: usize, url: &str) {
        self.taken.enough_at = Some(len_bytes);
        self.fetch(url).unwrap();
        self.taken.enough_at = None;
        self.taken.file.truncate(len_bytes);
        assert_eq!(self.taken.file.len(), len_bytes);
    }

    /// Requests sent so far.
    pub fn requests(&self) -> u32 {
        self.source.requests()
    }

    /// Where the last answer began, and how long it said that the file is.
    pub fn last_begun(&self) -> (u32, Option<u32>) {
        let header = self.taken.begun.last().unwrap();
        (header.offset, header.total_len_bytes)
    }
}
