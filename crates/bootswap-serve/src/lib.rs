//! A small HTTP/1.1 server for the lab, which can also fail on request.
//!
//! It gives reflashing images to devices on the bench, to the simulator and to the tests. It serves
//! files from a directory or from memory, with everything that a resuming download needs (ranges,
//! `If-Range`, strong entity tags), and it can fail in the ways in which servers, proxies and
//! captive portals fail in the field: see [`ServerFault`].
//!
//! ```text
//!  Server::start ──> thread ─── accept ──┬── connection: request ─> answer ─> faults ─> wire
//!                                        ├── connection: ...
//!  Server::stats <── counters ───────────┘
//!  drop(Server) ───> connections are closed, the thread is joined, the port is free
//! ```
//!
//! ```
//! use bootswap_serve::{Files, Server, ServerConfig};
//!
//! let content = Files::memory([("app_upd.bin", vec![0xff; 4096])]);
//! let faults = vec!["/app_upd.bin:drop=1000*2".parse().unwrap()];
//! let server = Server::start(ServerConfig { faults, ..ServerConfig::on_loopback(content) })?;
//! assert!(server.url().starts_with("http://127.0.0.1:"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It is not a server for the open internet: there is no limit on connections and no encryption.
//! Files on disk are read piece by piece as they are sent, however long they are.

mod access_log;
mod answer;
mod body;
mod connection;
mod content;
mod fault;
mod offline;
mod parse_fault;
mod range;
mod request;
mod server;
mod shared;
mod wire;

pub use content::{File, Files, Listing, Withheld};
pub use fault::{FaultKind, ServerFault};
pub use offline::OfflineServer;
pub use parse_fault::FaultError;
pub use server::{Server, ServerConfig};
pub use shared::{AccessLog, Stats};
pub use wire::ConnectionEnd;
