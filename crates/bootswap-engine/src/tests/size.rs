//! How much memory an engine needs.

use embedded_io_async::{ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};

use super::kit::*;
use crate::{Buffers, Engine, HTTP_BUFFER_BYTES, HttpSource};
use nor_sim::{Driver, NorMemory};

/// The engine's limit, without TLS.
const BUDGET_BYTES: usize = 16 * 1024;

/// A network stack of size zero, so that the engine's own part is measured.
struct NoNetwork;
struct NoConnection;

impl ErrorType for NoConnection {
    type Error = embedded_io_async::ErrorKind;
}

impl Read for NoConnection {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Self::Error> {
        Ok(0)
    }
}

impl Write for NoConnection {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl TcpConnect for NoNetwork {
    type Error = embedded_io_async::ErrorKind;
    type Connection<'a> = NoConnection;

    async fn connect(&self, _: core::net::SocketAddr) -> Result<NoConnection, Self::Error> {
        Ok(NoConnection)
    }
}

impl Dns for NoNetwork {
    type Error = ();

    async fn get_host_by_name(&self, _: &str, _: AddrType) -> Result<core::net::IpAddr, ()> {
        Err(())
    }

    async fn get_host_by_address(&self, _: core::net::IpAddr, _: &mut [u8]) -> Result<usize, ()> {
        Err(())
    }
}

/// On a host with pointers of 64 bits; a chip with 32 needs less.
#[test]
fn the_engine_with_http_stays_within_its_budget() {
    let scene = Scene::example();
    let mut flash = Driver::<NorMemory, 4, 4>::with_alignment(scene.flash.clone());
    let mut http = [0; HTTP_BUFFER_BYTES];
    let mut buffers = Buffers::new();
    let fixed = size_of_val(&http) + size_of_val(&buffers);
    let mut source = HttpSource::new(&NoNetwork, &NoNetwork, &mut http);
    let fixed = fixed + size_of_val(&source);
    let mut log = Log::default();
    let mut engine = Engine::new(&mut flash, &mut source, &mut log, &mut buffers, &mut []);
    let fixed = fixed + size_of_val(&engine);
    let future = scene.with_job(|job| size_of_val(&engine.run(job)));
    assert!(future + fixed <= BUDGET_BYTES, "future {future}, fixed {fixed}");
}
