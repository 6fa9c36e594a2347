//! What a bootloader's file says about itself.
//!
//! ```text
//!   file ── segments ──> memory ──┬─> records and tables in data: map, kind of swap, key
//!                                 ├─> texts of logs and asserts
//!                                 └─> constants in code: sectors, counter
//! ```
//!
//! A bootloader has no description of its configuration, but the configuration leaves evidence in
//! it. Each fact is a [`Found`], which says what the evidence is and where in the file it is.
//! `None` means that nothing was found, so neither yes nor no: which evidence there is depends on
//! what else was compiled in.
//!
//! | fact | survives without logs | without asserts, too |
//! | --- | --- | --- |
//! | whose bootloader, chip, flash map, key, alignment | yes | yes |
//! | kind of swap | yes | not move and fast overwriting |
//! | sectors | on RISC-V | on RISC-V |
//! | downgrade prevention | by counter, on RISC-V | by counter, on RISC-V |
//! | primary validated | no | no |
//! | fast overwriting | yes | no |
//!
//! The rules were found on builds of MCUboot 2.2.0 and 2.4.0 for ESP32-C3, ESP32-C6 and ESP32-H2 in
//! many configurations, and on prebuilt ones for ESP32, ESP32-S3 and from Zephyr.

mod code;
mod downgrade;
mod found;
mod key;
mod map;
mod memory;
mod sectors;
mod swap;
mod system;
#[cfg(test)]
mod tests;

pub use found::{Found, Location};
pub use key::{CompiledKey, Signature};
pub use map::{CompiledMap, MapForm};
pub use swap::SwapKinds;
pub use system::System;

use esp_idf_format::app_desc::AppDescription;
use esp_idf_format::image::{EspImageHeader, ImageError};
use esp_idf_format::{Chip, FixedText};

use crate::{DowngradePrevention, SwapKind};
use code::{Code, Cpu};
use memory::Memory;
use system::TrailerMagic;

/// What was read from a bootloader's file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BootloaderFile {
    /// The header: chip and settings of the flash are in it.
    pub header: EspImageHeader,
    /// Whose bootloader it is; `None` for an app, and for one without any evidence.
    pub system: Option<Found<System>>,
    /// Version of ESP-IDF that its own bootloader names.
    pub esp_idf_version: Option<Found<FixedText<32>>>,
    /// How MCUboot was built, if it is MCUboot for a chip that is supported.
    pub build: Option<McubootBuild>,
}

/// How MCUboot was built; a field is `None` where that was not found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct McubootBuild {
    /// Its flash map.
    pub map: Option<Found<CompiledMap>>,
    /// How it brings an update to the primary slot.
    pub swap: Option<Found<SwapKinds>>,
    /// Whether, if it overwrites, it copies no more than the image.
    pub overwrites_fast: Option<Found<bool>>,
    /// How it checks signatures.
    pub signature: Option<Found<Signature>>,
    /// For how many sectors of a slot it has room.
    pub max_sectors: Option<Found<u32>>,
    /// Alignment of the fields in a trailer, in bytes.
    pub max_align: Option<Found<u32>>,
    /// What it compares before it replaces an image.
    pub downgrade_prevention: Option<Found<DowngradePrevention>>,
    /// Whether it validates the primary slot at every boot.
    pub validates_primary: Option<Found<bool>>,
}

impl BootloaderFile {
    /// Reads a bootloader's file. Bytes after its image, as in a merged image, are ignored.
    ///
    /// # Errors
    ///
    /// An [`ImageError`] if it is not an ESP image, or is cut off within a segment. Checksums are
    /// not checked.
    pub fn read(file: &[u8]) -> Result<Self, ImageError> {
        let header = EspImageHeader::parse(file)?;
        let memory = Memory::of(file)?;
        let esp_idf_version = system::description(&memory);
        let chip = header.chip();
        let code = Code::of(&memory, Cpu::of(chip));
        let trailer = TrailerMagic::find(&memory);
        // An app may contain anything, also MCUboot's code.
        let is_app =
            memory.segments().next().is_some_and(|(_, data)| AppDescription::parse(data).is_ok());
        let system = system::system(&memory, &code, trailer.as_ref()).filter(|_| !is_app);
        let is_mcuboot = system.as_ref().is_some_and(|found| found.value == System::Mcuboot);
        let trailer = trailer.filter(|_| is_mcuboot);
        let build = trailer
            .zip(chip)
            .map(|(trailer, chip)| McubootBuild::read(&memory, &code, chip, &trailer));
        Ok(Self { header, system, esp_idf_version, build })
    }
}

impl McubootBuild {
    fn read(memory: &Memory<'_>, code: &Code, chip: Chip, trailer: &TrailerMagic) -> Self {
        let map = map::map(memory, chip);
        let swap = swap::swap(memory, code, trailer.addr);
        let kind = swap.as_ref().and_then(|swap| swap.value.only());
        let fast = || swap::overwrites_fast(memory, map.as_ref().map(|map| &map.value));
        let max_align =
            Found::sure(trailer.max_align, memory.place(trailer.addr), "magic of trailers");
        Self {
            overwrites_fast: (kind == Some(SwapKind::Overwrite)).then(fast).flatten(),
            signature: key::signature(memory),
            max_sectors: sectors::max_sectors(memory, code, kind, trailer.addr),
            max_align: Some(max_align),
            downgrade_prevention: downgrade::downgrade_prevention(memory, code, kind),
            validates_primary: downgrade::validates_primary(memory),
            map,
            swap,
        }
    }
}
