//! An ESP32 device around a modelled NOR flash: the judge of what a migration leaves behind.
//!
//! ```text
//!   power on ──> mask ROM ──> whose bytes are at the bootloader's offset?
//!      ^            │ none that it loads   │ ESP-IDF's    │ a first stage's   │ a known MCUboot's
//!      │            v                      v              v                   │
//!      │         bricked       partition table, otadata   loader ──> copies ──┤
//!      │                         │              │           ^                 v
//!      │                         v              └─ carrier ─┘           swap, validate
//!      │                   app [Software]                                     v
//!      │<── power lost, ─────────┤                        target application [TargetAct]
//!      └─── reset, crash ────────┴────────────────────────────────────────────┘
//! ```
//!
//! [`Device`] boots once or until something stays running: the only reboot loop there is, which an
//! [observer](Device::live_observed) watches and can end. Each result has one name:
//!
//! | of | result |
//! | --- | --- |
//! | one run of an app | [`AppExit`] |
//! | one boot | [`BootOutcome`]; [`BootFailure`] if nothing starts, [`ResetCause`] of the next |
//! | MCUboot's part of it | [`McubootOutcome`](mcuboot_boot::McubootOutcome) |
//! | a life: boots until something stays | [`LifeOutcome`], and [`Life`] with what was counted |
//!
//! [`Board`] is what cannot be read from flash: the chip, its eFuses, which bytes are which
//! bootloader, and what was compiled into it. Apps are a [`Software`] of the caller, which gets the
//! flash behind a guard: erasing the code that runs crashes the device, as on a real one. What the
//! target application does once it runs is a list of [`TargetAct`]s. [`FlashBuilder`] makes a flash
//! as a factory and some years in the field leave it.
//!
//! The judge shares only the formats with the code that it judges.
//!
//! Everything in the ESP-IDF bootloader that decides what starts is modelled: partition table,
//! otadata with rollback, image checks, the order of attempts. Not modelled: anti-rollback, checks
//! left out after deep sleep, GPIO-triggered factory reset, where an app's segments go. Secure boot
//! and flash encryption are facts of the board, and make the ROM refuse bootloaders that were not
//! [prepared](Board::prepared) for them; nothing is encrypted.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod app;
mod board;
mod boot;
mod builder;
mod device;
mod esp_idf;
mod event;
mod failure;
mod image;
mod life;
mod limited;
mod loader;
mod mcuboot;
mod mcuboot_config;
mod ram;
mod rom;
mod stages;
pub mod synthetic;
mod target;

#[cfg(test)]
mod tests;

pub use app::{AppExit, Machine, RunningApp, Software};
pub use board::{Board, BootloaderKind, Efuses, EspIdfConfig, UnknownLoader, UnknownMcuboot};
pub use boot::{BootOutcome, BootStage, ResetCause};
pub use builder::{FlashBuildError, FlashBuilder, OldData};
pub use device::Device;
pub use event::{Console, DeviceEvent, Line};
pub use failure::{
    BootFailure, EspIdfFailure, ImageRefusal, LoaderFailure, McubootFailure, RomFailure,
};
pub use life::{Boot, Life, LifeOutcome};
pub use loader::LoaderEvent;
pub use mcuboot_config::McubootConfig;
pub use ram::LoadFailure;
pub use target::{TargetAct, TargetApp, TargetStart};
