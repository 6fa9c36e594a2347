//! What MCUboot does at boot, as a model: what it runs, what it refuses, and what it destroys.
//!
//! ```
//! use flash_region::{FlashAddr, Region};
//! use mcuboot_boot::{BootConfig, FlashMap, boot};
//! use mcuboot_format::SwapKind;
//! use mcuboot_format::builder::{Padding, SignOptions, sign};
//! use mcuboot_format::trailer::{SwapType, TrailerConfig};
//! use nor_sim::{Driver, NorMemory};
//!
//! let map = FlashMap {
//!     primary: Region::clamped(FlashAddr(0x1_0000), 0x10_0000),
//!     secondary: Region::clamped(FlashAddr(0x11_0000), 0x10_0000),
//!     scratch: Some(Region::clamped(FlashAddr(0x21_0000), 0x4_0000)),
//! };
//! let config = BootConfig::new(map, TrailerConfig::espressif(SwapKind::Scratch))?;
//!
//! // A confirmed image in the secondary slot, nothing in the primary one.
//! let options = SignOptions::espressif(map.secondary.len_bytes(), SwapKind::Scratch);
//! let image = sign(&[0; 5000], &SignOptions { padding: Padding::Confirmed, ..options })?;
//! let mut memory = NorMemory::erased(4 << 20);
//! memory.load(map.secondary.start(), &image);
//!
//! // MCUboot swaps it into the primary slot and runs it. The events are its log.
//! let outcome = boot(&mut Driver::new(memory), &config, &mut |event| println!("{event}"))?;
//! let running = outcome.running().ok_or("nothing runs")?;
//! assert_eq!((running.slot, running.swapped), (map.primary, SwapType::Permanent));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! ```text
//! flash + BootConfig ── boot() ──> McubootOutcome: Run, Nothing or Crash
//!                         │
//!                         └──> BootEvent, BootEvent, ...   what MCUboot would log
//! ```
//!
//! The model follows bootutil in mcu-tools/mcuboot with the configuration of its Espressif port: it
//! reads, erases and programs the same flash in the same order, so that power can be cut anywhere
//! and the next [`boot`] finds what the next boot of a device would find. That includes what goes
//! wrong there: a migration that leaves flash which MCUboot erases, or on which it crashes, is
//! found here first.
//!
//! Every function names the function of bootutil that it models, with the path in that repository.
//!
//! # What is done, by kind of swap
//!
//! | | primary must have a header | slots | old image afterwards | at a cut |
//! | --- | --- | --- | --- | --- |
//! | scratch | no | equal | in the secondary | resumes |
//! | move | yes | equal, or the primary one sector longer | in the secondary | resumes |
//! | offset | yes | equal, or the secondary one longer | at the secondary's start | resumes |
//! | overwrite | no | equal | gone; if fast, its end stays | begins anew |
//!
//! Slots of more than [`max_sectors`](BootConfig::max_sectors) are not swapped: MCUboot logs that
//! and boots what is in the primary; with far too many sectors it [`Crash`]es. A bootloader that
//! [prevents downgrades](BootConfig::with_downgrade_prevention) erases a secondary that would be
//! one.
//!
//! # What is left out
//!
//! Encrypted and compressed images, several images, direct XIP, RAM load, bootstrap, security
//! counters that are kept outside of flash (`MCUBOOT_HW_ROLLBACK_PROT`), serial recovery; and what
//! follows the jump, see [`RunningImage`]. An image that is malformed in ways that no tool produces
//! may be refused here and not by MCUboot, see [`mcuboot_format::ImageValidator`]. Where MCUboot
//! reads past the end of its tables, the model does what the tables hold and then [`Crash`]es;
//! MCUboot goes on with whatever follows them in memory.
//!
//! # Power-fail safety
//!
//! Any flash error ends [`boot`] at once and is returned; nothing is retried or cleaned up. A power
//! cut is such an error. What flash may look like then, and why the next boot can handle it, is
//! documented at each function that writes. MCUboot, and so the model, does not handle all cases:
//!
//! - scratch: an image that reaches into the sectors of the trailer, and a torn erase of the
//!   scratch area's last sector that spares its magic: nothing boots;
//! - scratch: a torn program of the primary's swap info, and another cut just after the erase of
//!   the scratch area at the next boot: crash;
//! - offset: both images inside their first sector: nothing boots after some cuts;
//! - offset: a cut in the last sectors of an old image that is longer than the new one: its end is
//!   lost;
//! - a revert that is cut twice: it may not happen, and with offset the bootloader may crash.
//!
//! Each of these was seen with the real bootutil, and has a test.
//!
//! # Memory
//!
//! Nothing is allocated. One buffer of 1 KiB is on the stack, and an
//! [`mcuboot_format::ImageValidator`].
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

#[cfg(test)]
extern crate std;

mod application;
mod area_name;
mod areas;
mod config;
mod decide;
mod downgrade;
mod event;
mod headers;
mod limits;
mod loader;
mod outcome;
mod progress;
mod slot_header;
mod swap;
mod trailers;
mod validate;

#[cfg(test)]
mod tests;

pub use application::{confirm, request_swap};
pub use area_name::AreaName;
pub use config::{BootConfig, BootConfigError, FlashMap};
pub use decide::{StatusSource, swap_type};
pub use event::BootEvent;
pub use outcome::{Crash, McubootOutcome, RunningImage, Unbootable};

use embedded_storage::nor_flash::NorFlash;

/// Boots once, from reset to the jump into an image, or to where it stops.
///
/// `observer` is called for each event as it happens, so that it knows how far a boot came before
/// power was cut. The flash must read words of 4 bytes, program units of the configured
/// `write_unit_bytes`, and erase sectors of 4 KiB.
///
/// # Errors
/// The first error of the flash. Failures of MCUboot itself are outcomes.
pub fn boot<F: NorFlash>(
    flash: &mut F,
    config: &BootConfig,
    observer: &mut impl FnMut(BootEvent),
) -> Result<McubootOutcome, F::Error> {
    loader::Loader::new(flash, config, observer).boot()
}

/// The example of the README.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
