//! Simulated migrations: a device in memory, real HTTP on loopback, the firmware's own code in between.
//!
//! ```text
//!   scene:   flash and board, from a migration or a dump      lab:  HTTP server with the artifacts
//!      \                                                       /
//!       '--> life: power on, boot, migrator (bootswap-migrator), reset, MCUboot, target --> report, picture
//! ```

pub mod demo;
mod lab;
mod life;
mod metered;
mod migrator;
mod net;
pub mod report;
mod scene;
pub mod simulate;
pub mod story;
mod summary;
mod svg;
pub mod sweep;

#[cfg(test)]
mod hazards;
#[cfg(test)]
mod tests;

pub use lab::Lab;
pub use life::{Ending, Run, Settings, run};
pub use report::Report;
pub use scene::{MIGRATOR_NAME, Scene, SceneError};
