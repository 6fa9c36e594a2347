//! Simulated migrations: a device in memory, real HTTP on loopback, the firmware's own code in between.
//!
//! ```text
//!   scene:   flash and board, from a migration or a dump      lab:  HTTP server with the artifacts
//!      \\                                                       /
//!       '--> life: power on, boot, migrator (bootswap-migrator), reset, MCUboot, target --> report, picture
//! ```

pub mod example;
mod kept;
pub mod lab;
mod life;
mod metered;
mod migrator;
mod monitor;
mod net;
pub mod report;
mod scene;
pub mod summary;
pub mod svg;
pub mod sweep;

#[cfg(test)]
mod hazards;

pub use example::{ExampleError, example};
pub use kept::kept;
pub use lab::Lab;
pub use life::{Ending, Run, Settings, Until, run};
pub use monitor::{Monitor, Unwatched};
pub use report::Report;
pub use scene::{MIGRATOR_NAME, Scene, SceneError};
