//! What a file has to be besides whole.

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::SwapKind;
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::TrailerConfig;

use crate::owned::OwnedMap;

/// What a file has to be besides whole; each wish matters to one or two kinds of files only.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Key that an MCUboot image has to be signed with; without it, the hash alone is checked.
    pub key: Option<&'a PublicKey>,
    /// Bytes of the slot that an MCUboot image has to fit, trailer included.
    pub slot_len_bytes: Option<u32>,
    /// Trailer of the bootloader that an MCUboot image is for.
    pub trailer: TrailerConfig,
    /// Chip that an ESP image or a flash dump has to be for.
    pub chip: Option<Chip>,
    /// Flash that a partition table has to fit.
    pub flash_size: Option<FlashSize>,
    /// Map that a bootloader has to be built with.
    pub map: Option<&'a OwnedMap>,
}

impl Default for Wanted<'_> {
    /// Nothing but a trailer as Espressif's MCUboot has it.
    fn default() -> Self {
        let trailer = TrailerConfig::espressif(SwapKind::Scratch);
        Self { key: None, slot_len_bytes: None, trailer, chip: None, flash_size: None, map: None }
    }
}
