//! The planner: from a [`Migration`] (what the owner wants) and [`DeviceFacts`] (what is true of
//! one device) to a [`Plan`], or to every [`Reason`] why there is none.
//!
//! It is pure: no I/O, no clock, no allocation. The command line, the simulator and the device run
//! this same code, so what `bootswap plan` prints is what the device will do.
//!
//! ```text
//!  Migration ----+                       +--> Plan: steps in order, the commit last
//!  (a fleet's)   |                       |
//!                +--> plan(..) ----------+
//!  DeviceFacts --+      |                |
//!  (a device's)         v                +--> Reasons: all of them, each with code and remedy
//!               Layout: what lies where, what must stay
//! ```
//!
//! Start reading at [`plan`].
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
#![allow(clippy::result_large_err, reason = "without an allocator, reasons travel by value")]

mod check;
mod cleaned;
mod cost;
mod erase;
mod facts;
mod image_rules;
mod layout;
mod migration;
mod objections;
mod otadata;
mod planner;
mod reason;
mod relocate;
mod staging;
mod step;
mod strategy;
mod url;
mod way_back;

pub use cost::{Cost, CostModel};
pub use erase::{
    CHECKPOINT_BYTES, ERASE_4K, ERASE_32K, ERASE_64K, Erase, EraseBounds, HalfBlock, OpTime,
    PROGRAM_PAGE, cheapest_erase,
};
pub use facts::{DeviceFacts, previous_firmware};
pub use image_rules::ImageRules;
pub use migration::{
    Allow, Artifact, Content, McubootMap, Migration, Origin, PARTITION_TABLE, Role, Staging,
};
pub use objections::{objections, preferred};
pub use otadata::app_in;
pub use reason::{MAX_REASONS, Reason, Reasons};
pub use step::{
    App, ArtifactIndex, MAX_ROUTES, MAX_STEPS, Merge, Place, Plan, Purpose, Route, Step, StepText,
    Strategy, Target,
};
pub use strategy::plan;
pub use url::{MAX_URL_LEN_BYTES, Scheme, Url, UrlError};
pub use way_back::WayBack;

#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
