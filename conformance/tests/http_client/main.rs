//! The device's HTTP client over real sockets: with nginx, with Python's `http.server`, and with a
//! server of these tests that answers byte for byte as it is told.
//!
//! ```text
//!   client    HttpSource over the host's sockets, and a sink that keeps the file
//!   told      the server that answers as it is told
//!   answers   heads, framing, broken answers      redirects   chains and long addresses
//!   resuming  ranges, changed files               servers     the same rules with real servers
//! ```

// Helpers are test code as much as tests are: a failure has no caller to be reported to.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod client;
mod redirects;
mod resuming;
mod servers;
mod told;

/// A file of that many bytes, none of which are where another file has the same ones.
fn file(len_bytes: usize, seed: usize) -> Vec<u8> {
    (0..len_bytes).map(|at| ((at + seed) * 7 + at / 251) as u8).collect()
}
