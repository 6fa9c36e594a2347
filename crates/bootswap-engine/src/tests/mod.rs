//! Whole migrations on a small device.

pub(crate) mod kit;

mod attempts;
mod cuts;
mod example;
mod forgetful;
mod layouts;
mod network;
mod refused;
#[cfg(feature = "http")]
mod size;
