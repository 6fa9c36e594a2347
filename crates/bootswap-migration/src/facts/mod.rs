//! The facts of a device, read from a dump of its flash or assumed from a migration.
//!
//! ```text
//!   dump:  bootloader header ──> chip, flash size and mode
//!          partition table ────> partitions
//!          otadata ────────────> the order in which the bootloader tries apps
//!          app images ─────────> which one runs, how long it is, which one was there before
//!                                  └──> where the old firmware's update brings the migrator
//! ```
//!
//! A dump shows the device before its update: the old firmware runs in it, and the migrator is
//! [delivered](deliver) before anything is planned or simulated.
//!
//! A dump does not contain the eFuses. They are assumed to be those of a device that can be
//! migrated: secure boot and flash encryption off. The migrator on the device reads the eFuses.

mod assumed;
mod delivery;
mod dump;
mod error;
mod found;
mod primary;
mod table;
#[cfg(test)]
mod tests;
mod unseen;
mod warning;

pub use assumed::{ASSUMED_FLASH_SIZE, assumed, assumed_with, assumed_with_image};
pub use delivery::{Delivered, deliver};
pub use dump::{bytes, bytes_from, read_flash};
pub use error::FactsError;
pub use found::FoundFacts;
pub(crate) use primary::with_primary;
pub use table::{Tables, find as find_table};
pub(crate) use unseen::{assumptions, assumptions_alone};
pub use warning::FactsWarning;
