//! The server: its configuration and its thread.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::connection;
use crate::content::{Files, Listing, Store};
use crate::fault::ServerFault;
use crate::shared::{AccessLog, Shared, Stats};

/// What a server serves, where, and how it fails.
pub struct ServerConfig {
    /// Address and port to listen on; port 0 for any free port.
    pub listen: SocketAddr,
    /// What it serves.
    pub content: Files,
    /// How it fails: rules, in the order in which they are tried.
    pub faults: Vec<ServerFault>,
    /// Receives the access log; `None` for no log. It is called from the server's thread, which
    /// waits for it.
    pub log: Option<AccessLog>,
}

impl ServerConfig {
    /// A free port of the loopback interface, no faults, no log.
    #[must_use]
    pub const fn on_loopback(content: Files) -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self { listen, content, faults: Vec::new(), log: None }
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("listen", &self.listen)
            .field("content", &self.content)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

/// A server that runs until it is dropped.
///
/// Dropping it closes its connections, also in the middle of an answer, and waits until its port is
/// free.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server; it accepts connections when this returns.
    ///
    /// # Errors
    ///
    /// If it cannot listen on the address, or the directory does not exist; the message names
    /// which.
    pub fn start(config: ServerConfig) -> io::Result<Self> {
        let ServerConfig { listen, content, faults, log } = config;
        let store = Store::open(content)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
        })?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared::new(store, faults, log));
        let (stop, stopped) = oneshot::channel();
        let accepting = accept(listener, Arc::clone(&shared));
        let thread = thread::Builder::new().name("bootswap-serve".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accepting => {}
                    // Nothing is ever sent: this ends when the server drops the sender.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { addr, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address as a URL, without a slash at its end: `http://127.0.0.1:8070`.
    ///
    /// A server that listens on all interfaces is named by the loopback address.
    #[must_use]
    pub fn url(&self) -> String {
        let ip = match self.addr.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        format!("http://{}", SocketAddr::new(ip, self.addr.port()))
    }

    /// The files that it gives out, and those that it does not.
    #[must_use]
    pub fn listing(&self) -> Listing {
        self.shared.lock().store.list()
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It fails only if the log panicked, and the panic was reported then.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    /// Accepting fails when descriptors run out, which passes as connections end.
    const PAUSE: Duration = Duration::from_millis(10);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connection::serve(stream, peer, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
