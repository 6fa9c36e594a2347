//! Bytes received before each flash operation: how much a loss of power there costs.

use std::cell::Cell;

use bootswap_engine::{Flow, Header, Request, Sink, Source, SourceError};
use flash_region::FlashAddr;
use nor_sim::{EraseUnit, NorDevice, NorError, NorMemory, NorModel};

/// Records for every flash operation how many body bytes the device had received by then.
#[derive(Debug)]
pub struct Metered<'a, D> {
    inner: D,
    received: &'a Cell<u64>,
    received_before: Vec<u64>,
}

impl<'a, D> Metered<'a, D> {
    /// Reads the count in `received`.
    pub const fn new(inner: D, received: &'a Cell<u64>) -> Self {
        Self { inner, received, received_before: Vec::new() }
    }

    /// The flash underneath, and the count before every operation.
    pub fn into_parts(self) -> (D, Vec<u64>) {
        (self.inner, self.received_before)
    }

    fn note(&mut self, result: Result<(), NorError>) -> Result<(), NorError> {
        if result.is_ok() {
            self.received_before.push(self.received.get());
        }
        result
    }
}

impl<D: NorDevice> NorDevice for Metered<'_, D> {
    fn capacity_bytes(&self) -> u32 {
        self.inner.capacity_bytes()
    }

    fn read(&mut self, addr: FlashAddr, out: &mut [u8]) -> Result<(), NorError> {
        self.inner.read(addr, out)
    }

    fn program_page(&mut self, addr: FlashAddr, bytes: &[u8]) -> Result<(), NorError> {
        let result = self.inner.program_page(addr, bytes);
        self.note(result)
    }

    fn erase(&mut self, unit: EraseUnit, addr: FlashAddr) -> Result<(), NorError> {
        let result = self.inner.erase(unit, addr);
        self.note(result)
    }
}

impl<D: NorModel> NorModel for Metered<'_, D> {
    fn memory(&self) -> &NorMemory {
        self.inner.memory()
    }

    fn memory_mut(&mut self) -> &mut NorMemory {
        self.inner.memory_mut()
    }
}

/// A source whose body bytes are counted before they are used.
#[derive(Debug)]
pub struct Tallied<'a, S> {
    inner: S,
    received: &'a Cell<u64>,
}

impl<'a, S> Tallied<'a, S> {
    /// Adds to `received`.
    pub const fn new(inner: S, received: &'a Cell<u64>) -> Self {
        Self { inner, received }
    }

    /// The source.
    pub const fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: Source> Source for Tallied<'_, S> {
    async fn fetch<K: Sink>(
        &mut self,
        request: &Request<'_>,
        sink: &mut K,
    ) -> Result<(), SourceError<K::Error>> {
        let mut sink = Tallied { inner: sink, received: self.received };
        self.inner.fetch(request, &mut sink).await
    }
}

impl<K: Sink> Sink for Tallied<'_, &mut K> {
    type Error = K::Error;

    fn wanted(&self) -> u32 {
        self.inner.wanted()
    }

    fn begin(&mut self, header: Header) -> Result<(), K::Error> {
        self.inner.begin(header)
    }

    async fn data(&mut self, bytes: &[u8]) -> Result<Flow, K::Error> {
        self.received.set(self.received.get() + bytes.len() as u64);
        self.inner.data(bytes).await
    }
}
