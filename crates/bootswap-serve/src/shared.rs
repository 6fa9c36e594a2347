//! What the connections of a server share: content, faults, log and counters.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use jiff::Zoned;

use crate::access_log;
use crate::content::Store;
use crate::fault::{Rules, ServerFault};

/// Receives the lines of the access log, without a line end.
pub type AccessLog = Box<dyn FnMut(&str) + Send>;

/// What a server has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that were accepted.
    pub connections: u64,
    /// Requests, including those that were refused.
    pub requests: u64,
    /// Requests for which a fault was due.
    pub faults: u64,
    /// Bytes of bodies that were sent. If the client breaks a connection off, up to 16 KiB, and
    /// what was still on its way, are counted although they did not arrive.
    pub body_bytes: u64,
}

/// What the connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    state: Mutex<State>,
}

impl Shared {
    pub(crate) fn new(store: Store, faults: Vec<ServerFault>, log: Option<AccessLog>) -> Self {
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
    log: Option<AccessLog>,
}

impl State {
    /// Logs a request; `status` is `None` if nothing is answered.
    pub(crate) fn log_line(
        &mut self,
        peer: IpAddr,
        request: &str,
        status: Option<StatusCode>,
        fault: Option<&ServerFault>,
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
