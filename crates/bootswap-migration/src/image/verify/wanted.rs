//! What a file must be, besides complete.

use esp_idf_format::Chip;
use esp_idf_format::image::FlashSize;
use mcuboot_format::SwapKind;
use mcuboot_format::key::PublicKey;
use mcuboot_format::trailer::TrailerConfig;

use crate::owned::OwnedMap;

/// What a file must be, besides complete; each requirement applies only to one or two kinds of
/// files.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Key that an MCUboot image must be signed with; without it, only the hash is checked.
    pub key: Option<&'a PublicKey>,
    /// Bytes of the slot that an MCUboot image must fit, trailer included.
    pub slot_len_bytes: Option<u32>,
    /// Trailer of the bootloader that an MCUboot image is for.
    pub trailer: TrailerConfig,
    /// Chip that an ESP image or a flash dump must be for.
    pub chip: Option<Chip>,
    /// Flash size that a partition table must fit.
    pub flash_size: Option<FlashSize>,
    /// Map that a bootloader must be built with.
    pub map: Option<&'a OwnedMap>,
}

impl Default for Wanted<'_> {
    /// No requirements, except a trailer like that of Espressif's MCUboot.
    fn default() -> Self {
        let trailer = TrailerConfig::espressif(SwapKind::Scratch);
        Self { key: None, slot_len_bytes: None, trailer, chip: None, flash_size: None, map: None }
    }
}
