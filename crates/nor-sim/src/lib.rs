//! A model of NOR flash that can be counted, timed, traced, broken and cut off from power.
//!
//! [`NorMemory`] holds the bytes and knows the rules: a page program only clears bits, an erase sets a
//! whole aligned unit. Everything else is a decorator that is itself a [`NorDevice`], so that a test
//! puts together the flash it needs:
//!
//! ```text
//!   Driver          embedded-storage(-async) traits: splits writes into pages, erases into units
//!     |
//!   Guarded         regions in which an operation is reported, refused, or crashes the device
//!     |
//!   PowerCut        power goes before, in the middle of (torn) or after operation n
//!     |
//!   Counted         how many operations and bytes
//!     |
//!   Timed           how long they take on a chip, from its datasheet
//!     |
//!   NorMemory       the bytes; cloning it is a snapshot, copied on write
//! ```
//!
//! An *operation* is one page program or one erase, numbered from 0 by whoever counts; reads are not
//! operations. [`Recorded`] remembers operations together with their bytes and gives back the flash
//! as it was before any of them, or as a power cut in any of them would have left it.
//!
//! ```
//! use embedded_storage::nor_flash::NorFlash;
//! use nor_sim::{Counted, Cut, Driver, NorError, NorMemory, PowerCut};
//!
//! let flash = PowerCut::new(Counted::new(NorMemory::erased(4 << 20))).with(Cut::before(16));
//! let mut driver = Driver::new(flash);
//! // The first operation erases a block, then the seventeenth page meets the cut.
//! driver.erase(0x10000, 0x20000)?;
//! assert_eq!(driver.write(0x10000, &[0; 0x1000]), Err(NorError::PowerLost));
//! assert_eq!(driver.device().inner().counts().pages_programmed, 15);
//! # Ok::<(), NorError>(())
//! ```
//!
//! What is not modelled: cells that read differently from one read to the next after a torn
//! operation, and cells that fade with time.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod counted;
mod device;
mod driver;
mod error;
mod executor;
mod faulty;
mod guarded;
mod memory;
mod noise;
mod op;
mod power;
mod recorded;
mod timed;
mod torn;
mod traced;

#[cfg(test)]
mod tests;

pub use counted::{Counted, Counts};
pub use device::{NorDevice, NorModel};
pub use driver::{Driver, WordDriver};
pub use error::NorError;
pub use executor::run_until_powered_off;
pub use faulty::{Fault, Faulty, ReadFault, StuckBits, When};
pub use guarded::{Guard, Guarded, Reaction, Trip};
pub use memory::NorMemory;
pub use noise::Noise;
pub use op::{EraseUnit, Op};
pub use power::{Cut, Phase, Power, PowerCut, PowerState};
pub use recorded::{Recorded, Recording};
pub use timed::{Clock, DatasheetTiming, Modelled, Timed, TypMax};
pub use traced::{Outcome, TraceEntry, Traced};
