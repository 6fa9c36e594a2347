//! The network: a card, and TCP/IP on it.
//!
//! | feature | card | joined by |
//! | --- | --- | --- |
//! | `wifi` | the chip's radio | the configuration's networks in order, the rescue network last |
//! | `openeth` | the emulators' Ethernet card | nothing |
//! | neither | none | - |
//!
//! Each is a module `card` with the same contents: [`Off`], whose start gives a driver for the
//! TCP/IP stack and a [`Radio`], which joins a network and leaves it again.

#[cfg(not(any(feature = "wifi", feature = "openeth")))]
#[path = "none.rs"]
mod card;
#[cfg(feature = "openeth")]
#[path = "openeth.rs"]
mod card;
#[cfg(feature = "wifi")]
#[path = "wifi.rs"]
mod card;
#[cfg(feature = "wifi")]
mod left_out;
#[cfg(feature = "_network")]
mod stack;

#[cfg(all(feature = "wifi", feature = "openeth"))]
compile_error!("choose one network: wifi or openeth");

#[cfg(feature = "_network")]
pub use card::Off;
pub use card::Radio;
#[cfg(feature = "_network")]
pub use stack::{Connections, Resources, TIMEOUT, config};
