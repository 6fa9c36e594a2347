//! Packing: puts a migration into a prebuilt firmware image, which makes it a migrator.
//!
//! ```text
//!   migration.toml ──> OwnedMigration ──> configuration ───┐
//!                            |                             v
//!   bootswap-CHIP.bin ──> Firmware ──> | ESP image: ... | section | ... | sums | container |
//!                            |                                             (if embedded)
//!                            v
//!                 Rehearsal: the planner, with the image's true length ──> accepted or refused
//! ```

mod firmware;
mod given;
mod migrator;
mod rehearsal;
mod sources;

pub use firmware::{Firmware, FirmwareError};
pub use given::{GivenError, given};
pub use migrator::{PackError, Packed, pack};
pub use rehearsal::Rehearsal;
pub use sources::{SourcesError, check_network, choose_sources};
