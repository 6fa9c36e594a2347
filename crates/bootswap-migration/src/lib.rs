//! A migration as its owner wrote it, `migration.toml`, and as the planner takes it.
//!
//! ```text
//!   migration.toml ──> reader: fields with their places ──> spec: what it says
//!                                                            |
//!   partition table, key, artifacts (content) ──> load v
//!                                                       OwnedMigration ──> bootswap_plan::Migration
//! ```
//!
//! Whether the migration can be done is not decided here but by the planner; what is refused here is
//! what cannot be read, makes no sense on any device, or is damaged.

#[cfg(test)]
mod address_tests;
pub mod container;
pub mod content;
pub mod facts;
pub mod input;
mod load;
mod network;
mod owned;
mod problem;
mod reader;
mod spec;
#[cfg(test)]
mod tests;

pub use load::{from_text, load, parse};
pub use owned::{
    OwnedArtifact, OwnedFacts, OwnedMap, OwnedMigration, OwnedNetwork, OwnedStaging, OwnedWifi,
};
pub use problem::{LoadError, Problem};
pub use spec::{URL_HELP, check};
