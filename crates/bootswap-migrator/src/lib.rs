//! The migrator without its chip: everything between the engine and a particular chip that can be
//! compiled and tested on a host.
//!
//! ```text
//!   Board, flash ---> facts ---> plan ---> engine ---> the chip is to be reset
//!                       ^                    |
//!       Identity, partition table            v when nothing helps any more
//!                                          back: the previous firmware, by otadata
//! ```
//!
//! Start reading at [`start()`], which a chip calls, and at [`Migrator::go_on`], which does the
//! rest.
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod back;
mod board;
mod commit;
mod container;
mod credentials;
mod facts;
mod image;
mod log;
mod migrator;
mod network;
mod news;
mod platform;
mod primary;
mod start;
mod table;
mod twice;

pub use board::{Hardware, Identity};
pub use commit::CommitWindow;
pub use container::ContainerPlace;
pub use credentials::{Credentials, CredentialsError};
pub use facts::{LiveFacts, LiveFactsError};
pub use log::{Log, LogSink};
pub use migrator::{Migrator, Ready, Room};
pub use network::{Card, JoinError, Joining, Network, Station, bring_up, candidates, join};
pub use news::News;
pub use start::{Given, Started, Unwatched, Watched, start};

#[cfg(test)]
extern crate std;
