//! A migration as its owner writes it, `migration.toml`, and as the planner uses it.
//!
//! ```text
//!   keys: which keys there are ──────┐
//!                                    v
//!   migration.toml ──> document ──> reader ──> spec ──> load ──> OwnedMigration
//!                                                        ^            |
//!             files that it names: content ──────────────┘            v
//!   dump of a device ──> facts ───────────────────────────────> plan: report
//!                                                                     |
//!   firmware of a migrator ──> pack: migration inside, container behind it
//! ```
//!
//! The planner decides whether the migration can be carried out, not this crate. What is refused
//! here cannot be read, makes no sense on any device, or is damaged.
//!
//! # Example
//!
//! What a migration would do to a device that is as its partition table says:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use bootswap_migration::{facts, load, plan};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let migration = load(Path::new("migration.toml"))?;
//! let found = facts::assumed(&migration)?;
//! let report = plan::report(&migration, &found, None);
//! for reason in &report.reasons {
//!     println!("refused, {}: {}", reason.code, reason.message);
//! }
//! for step in &report.steps {
//!     println!("{}, {:.1} ms", step.text, step.cost.typ_ms);
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(test)]
mod address_tests;
mod bootloader;
pub mod carrier;
pub mod container;
pub mod content;
pub mod document;
pub mod example;
pub mod facts;
mod fill;
mod identity;
pub mod image;
pub mod input;
pub mod judge;
pub mod key_file;
pub mod keys;
mod load;
mod network;
mod owned;
pub mod pack;
pub mod plan;
pub mod private;
mod problem;
mod reader;
mod sent;
mod served;
mod spec;
pub mod template;
#[cfg(test)]
mod tests;
pub mod text;
mod words;

pub use bootloader::Assumption;
pub use fill::{fill_map, map_of};
pub use identity::{IdentityError, MAX_IDENTITY_LEN_BYTES, OwnedIdentity, check_identity};
pub use keys::URL_HELP;
pub use load::{from_text, load, load_with_files, of_bytes, parse};
pub use owned::{
    OwnedArtifact, OwnedFacts, OwnedMap, OwnedMigration, OwnedNetwork, OwnedStaging, OwnedWifi,
    UnknownOverwrite,
};
pub use problem::{LoadError, Problem};
pub use sent::{SentImage, assumed_image_len_bytes};
pub use served::{ServedFile, served};
pub use spec::check;
