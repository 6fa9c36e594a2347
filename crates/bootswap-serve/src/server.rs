//! The server: its configuration, its thread, its counters.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use http::StatusCode;
use jiff::Zoned;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::content::{Content, Store};
use crate::fault::{Fault, Rules};
use crate::{access_log, connection};

/// What takes the lines of the access log, which come without a line end.
pub type Log = Box<dyn FnMut(&str) + Send>;

/// What a server serves, where, and how it fails.
pub struct ServerConfig {
    /// Address and port to listen on; port 0 for one that is free.
    pub listen: SocketAddr,
    /// What it serves.
    pub content: Content,
    /// How it fails, in the order in which the rules are tried.
    pub faults: Vec<Fault>,
    /// What takes the access log; `None` for none. It is called from the server's thread, which
    /// waits for it.
    pub log: Option<Log>,
}

impl ServerConfig {
    /// A free port of the loopback interface, no faults, no log.
    #[must_use]
    pub const fn on_loopback(content: Content) -> Self {
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

/// What a server did since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests, those that were refused among them.
    pub requests: u64,
    /// Requests for which a fault was due.
    pub faults: u64,
    /// Bytes of bodies that were sent. Of a connection that the client broke off, up to 16 KiB and
    /// what was under way are counted though they never arrived.
    pub body_bytes: u64,
}

/// A server that runs until it is dropped.
///
/// Dropping it closes its connections, whatever they are at, and waits until its port is free.
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
    /// Where the address cannot be listened on or the directory is not there; the message names it.
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
                    // Nothing is ever sent: the sender goes with the server.
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

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It fails only if the log panicked, which has been reported where it happened.
            let _ = thread.join();
        }
    }
}

/// What the connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(store: Store, faults: Vec<Fault>, log: Option<Log>) -> Self {
        let state = State { store, rules: Rules::new(faults), log };
        Self { counters: Counters::default(), state: Mutex::new(state) }
    }

    pub(crate) fn stats(&self) -> Stats {
        let Counters { connections, requests, faults, body_bytes } = &self.counters;
        Stats {
            connections: connections.load(Relaxed),
            requests: requests.load(Relaxed),
            faults: faults.load(Relaxed),
            body_bytes: body_bytes.load(Relaxed),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // The state has no invariant that a panic of the log could have broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) faults: AtomicU64,
    pub(crate) body_bytes: AtomicU64,
}

pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) rules: Rules,
    log: Option<Log>,
}

impl State {
    /// Logs a request; `status` is `None` where nothing is answered.
    pub(crate) fn log_line(
        &mut self,
        peer: IpAddr,
        request: &str,
        status: Option<StatusCode>,
        fault: Option<&Fault>,
    ) {
        if let Some(log) = &mut self.log {
            log(&access_log::line(peer, &Zoned::now(), request, status, fault));
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("store", &self.store)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
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
