//! The planner: computes from a [`Migration`] (what the owner wants) and [`DeviceFacts`] (what is
//! true of one device) a [`Plan`], or every [`Reason`] why there is none.
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
//! A migrator in `ota_1` of a device with 4 MB of flash, and MCUboot as the target bootloader:
//!
//! ```
//! use bootswap_plan::*;
//! use esp_idf_format::Chip;
//! use esp_idf_format::partition::{Label, Partition, PartitionType, subtype};
//! use flash_region::{FlashAddr, Region};
//! use mcuboot_format::SwapKind;
//!
//! let at = |start, len_bytes| Region::clamped(FlashAddr(start), len_bytes);
//! let part = |label, kind, subtype, region| {
//!     let label = Label::new(label).unwrap();
//!     Partition { label, kind, subtype, region, flags: 0 }
//! };
//! let (data, app) = (PartitionType::Data, PartitionType::App);
//! let partitions = [
//!     part("otadata", data, subtype::OTADATA, at(0xd000, 0x2000)),
//!     part("factory", app, subtype::FACTORY, at(0x1_0000, 0x10_0000)),
//!     part("ota_0", app, subtype::OTA_0, at(0x11_0000, 0x10_0000)),
//!     part("ota_1", app, subtype::OTA_0 + 1, at(0x21_0000, 0x10_0000)),
//! ];
//! let running = partitions[3].region;
//! let facts = DeviceFacts {
//!     previous: previous_firmware(&partitions, running),
//!     ..DeviceFacts::new(Chip::Esp32c3, 0x40_0000, &partitions, running, 0xa_0000)
//! };
//!
//! let app = Artifact::new("app", Role::Application, Origin::Url("http://lab/app.bin"));
//! let boot = Artifact::new("mcuboot", Role::Bootloader, Origin::Url("http://lab/mcuboot.bin"));
//! let artifacts =
//!     [app, Artifact { len_bytes: Some(27_376), ..boot }];
//! let map = McubootMap {
//!     primary: at(0x1_0000, 0x10_0000),
//!     secondary: at(0x11_0000, 0x10_0000),
//!     scratch: Some(at(0x31_0000, 0x4_0000)),
//!     swap: SwapKind::Scratch,
//!     ..McubootMap::ESPRESSIF
//! };
//! let migration = Migration { mcuboot: Some(map), ..Migration::new(Chip::Esp32c3, &artifacts) };
//!
//! let plan = plan(&migration, &facts).expect("nothing is in the way");
//! assert_eq!(plan.strategy, Strategy::SecondaryAndSwap);
//! let commit = plan.steps.iter().rev().nth(1).unwrap();
//! assert_eq!(commit.describe("mcuboot").to_string(), "commit mcuboot to 0x0..0x6af0");
//! let window = CostModel::new(&migration).commit_window(&plan).unwrap();
//! assert_eq!((window.erases(), window.typ_us() / 1000), (1, 162));
//! ```
//!
//! Start reading at [`plan`].
#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
#![allow(clippy::result_large_err, reason = "without an allocator, reasons travel by value")]

mod blanks;
mod carrier;
mod check;
mod cleaned;
mod commit_way;
mod cost;
mod erase;
mod facts;
mod host;
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

pub use blanks::Blanks;
pub use carrier::{CARRIER, CarrierContent, Misfit};
pub use commit_way::{CommitWay, UnknownCommitWay};
pub use cost::{Cost, CostModel};
pub use erase::{
    CHECKPOINT_BYTES, ERASE_4K, ERASE_32K, ERASE_64K, Erase, EraseBounds, HalfBlock, OpTime,
    PROGRAM_PAGE, cheapest_erase,
};
pub use facts::{DeviceFacts, ESP_IDF_APP, previous_firmware, primary_rank, running_partition};
pub use image_rules::{ImageRules, Replaced};
pub use layout::MAX_ARTIFACTS;
pub use migration::{
    Allow, Artifact, Content, DEFAULT_MAX_SECTORS, McubootMap, Migration, Origin, PARTITION_TABLE,
    Role, SECURE_BOOT_DATA, Staging,
};
pub use objections::{objections, preferred};
pub use otadata::{app_in, goes_back, reach_end, successor, ways_to_go_back};
pub use reason::{MAX_REASONS, Name, Reason, Reasons, name};
pub use step::{
    App, ArtifactIndex, MAX_ROUTES, MAX_STEPS, Merge, Place, Plan, Purpose, Route, Step, StepText,
    Strategy, Target,
};
pub use strategy::plan;
pub use url::{MAX_URL_LEN_BYTES, MaskedUrl, Scheme, Url, UrlError};
pub use way_back::WayBack;

#[cfg(test)]
mod test_support;
