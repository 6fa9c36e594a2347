//! The network: a card, and a TCP/IP stack over it.

#[cfg(feature = "openeth")]
pub mod openeth;
mod stack;

pub use stack::*;
