//! The host's TCP and DNS, behind the traits that the engine's HTTP client uses.
//!
//! Calls block; the client never makes two at a time. A read that takes too long fails with
//! `TimedOut`, like the socket of a chip's network stack.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};

/// The host's network.
#[derive(Clone, Copy, Debug)]
pub struct HostNetwork {
    /// How long a connection may stay silent.
    pub timeout: Duration,
    /// The server to which every connection goes, whatever host it names; `None` for real hosts.
    pub server: Option<SocketAddr>,
}

/// A connection.
#[derive(Debug)]
pub struct HostConnection(TcpStream);

/// An error of the host's network.
#[derive(Debug)]
pub struct HostError(io::Error);

impl std::fmt::Display for HostError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for HostError {}

impl embedded_io_async::Error for HostError {
    fn kind(&self) -> ErrorKind {
        match self.0.kind() {
            // The error kind of a timeout depends on the platform.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            io::ErrorKind::ConnectionRefused => ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
            io::ErrorKind::ConnectionAborted => ErrorKind::ConnectionAborted,
            io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            _ => ErrorKind::Other,
        }
    }
}

impl ErrorType for HostConnection {
    type Error = HostError;
}

impl Read for HostConnection {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, HostError> {
        self.0.read(buf).map_err(HostError)
    }
}

impl Write for HostConnection {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, HostError> {
        self.0.write(buf).map_err(HostError)
    }

    async fn flush(&mut self) -> Result<(), HostError> {
        self.0.flush().map_err(HostError)
    }
}

impl TcpConnect for HostNetwork {
    type Error = HostError;
    type Connection<'a> = HostConnection;

    async fn connect(&self, remote: SocketAddr) -> Result<HostConnection, HostError> {
        let remote = self.server.unwrap_or(remote);
        let connection = TcpStream::connect_timeout(&remote, self.timeout).map_err(HostError)?;
        connection.set_read_timeout(Some(self.timeout)).map_err(HostError)?;
        connection.set_write_timeout(Some(self.timeout)).map_err(HostError)?;
        // Requests are written in pieces; none of them should wait for an acknowledgement of the
        // one before.
        connection.set_nodelay(true).map_err(HostError)?;
        Ok(HostConnection(connection))
    }
}

impl Dns for HostNetwork {
    type Error = io::Error;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> Result<IpAddr, io::Error> {
        if let Some(server) = self.server {
            return Ok(server.ip());
        }
        let wanted = |ip: &IpAddr| match kind {
            AddrType::IPv4 => ip.is_ipv4(),
            AddrType::IPv6 => ip.is_ipv6(),
            AddrType::Either => true,
        };
        let mut found = (host, 0).to_socket_addrs()?.map(|addr| addr.ip()).filter(wanted);
        found.next().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, io::Error> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}
