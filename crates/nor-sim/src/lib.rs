//! A model of NOR flash for tests: it counts, times and logs operations, fails, and loses power.
//!
//! ```
//! use embedded_storage::nor_flash::NorFlash;
//! use flash_region::{FlashAddr, Region};
//! use nor_sim::{Cut, Driver, NorError, NorMemory, PowerCut};
//!
//! // 4 MiB of erased flash. Power is cut in the middle of the third operation.
//! let flash = PowerCut::new(NorMemory::erased(4 << 20)).with(Cut::middle(2, 7));
//! let mut driver = Driver::new(flash);
//!
//! // Operation 0 erases a block of 64 KiB; 1 and 2 program a page each.
//! driver.erase(0x1_0000, 0x2_0000)?;
//! assert_eq!(driver.write(0x1_0000, &[0x55; 512]), Err(NorError::PowerLost));
//!
//! // What the next boot finds: the first page, and some bits of the second one.
//! let memory = driver.into_device().into_inner();
//! let page = |start| memory.bytes(Region::clamped(FlashAddr(start), 256));
//! assert_eq!(page(0x1_0000), [0x55; 256]);
//! assert_ne!(page(0x1_0100), [0x55; 256]);
//! # Ok::<(), NorError>(())
//! ```
//!
//! [`NorMemory`] holds the bytes and knows the rules: a page program only clears bits, an erase
//! sets a whole aligned unit. Everything else is a decorator that is itself a [`NorDevice`], so
//! that a test puts together the flash it needs:
//!
//! ```text
//!   Driver          embedded-storage(-async) traits: splits writes into pages, erases into units
//!     |
//!   Guarded         regions in which an operation is reported, refused, or crashes the device
//!     |
//!   PowerCut        power is lost before, in the middle of (torn) or after operation n
//!     |
//!   Counted         how many operations and bytes
//!     |
//!   Timed           how long they take on a chip, from its datasheet
//!     |
//!   NorMemory       the bytes; cloning it is a snapshot, copied on write
//! ```
//!
//! An *operation* is one page program or one erase, numbered from 0 by the decorator that counts;
//! reads are not operations. [`Recorded`] records operations with their bytes, and returns the
//! flash as it was before any of them, or as a power cut in any of them would have left it.
//!
//! What is not modelled: cells that read differently from one read to the next after a torn
//! operation, and cells that lose their charge over time.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod check;
mod counted;
mod device;
mod driver;
mod error;
mod executor;
mod faulty;
mod guarded;
mod memory;
mod model;
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
pub use device::NorDevice;
pub use driver::{Driver, WordDriver};
pub use error::NorError;
pub use executor::run_until_powered_off;
pub use faulty::{Faulty, OpFault, ReadFault, StuckBits, When};
pub use guarded::{Guard, Guarded, Reaction, Trip};
pub use memory::NorMemory;
pub use model::NorModel;
pub use noise::Noise;
pub use op::{EraseUnit, Op};
pub use power::{Cut, Phase, Power, PowerCut, PowerState};
pub use recorded::{Recorded, Recording};
pub use timed::{Clock, DatasheetTiming, Modelled, Timed, TypMax};
pub use traced::{OpOutcome, TraceEntry, Traced};

/// The example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
