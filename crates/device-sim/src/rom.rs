//! The mask ROM: loads the second-stage bootloader from its fixed address, or nothing.

use esp_idf_format::image::{self, EspImageHeader, ImageError};
use flash_region::{FlashAddr, Region};
use nor_sim::{NorDevice, NorError};
use sha2::{Digest, Sha256};

use crate::board::Bootloader;
use crate::{Board, DeviceEvent, RomFailure};

/// Longer than any bootloader: no chip has that much RAM to load it into.
const MAX_BOOTLOADER_BYTES: u32 = 512 * 1024;

/// What the ROM jumps to.
pub(crate) struct Loaded {
    pub(crate) bootloader: Bootloader,
    pub(crate) header: EspImageHeader,
}

impl Loaded {
    /// The flash size in the bootloader's header; 2 MB if that is unknown (`update_flash_config` in
    /// `components/bootloader_support/src` of `espressif/esp-idf`).
    pub(crate) fn flash_len_bytes(&self) -> u32 {
        self.header.flash_size().unwrap_or(image::FlashSize::Mb2).bytes()
    }
}

/// Loads the bootloader. Magic, segments and checksum must be right; a wrong SHA-256 is reported
/// and the image is started nevertheless, as on the most lenient of the chips.
pub(crate) fn load(
    flash: &mut dyn NorDevice,
    board: &Board,
    tell: &mut dyn FnMut(DeviceEvent),
) -> Result<Loaded, RomFailure> {
    let chip = board.chip();
    let addr = chip.bootloader_addr();
    let flash_region = Region::clamped(FlashAddr::ZERO, flash.capacity_bytes());
    let region = flash_region.from(addr).prefix(MAX_BOOTLOADER_BYTES);
    let checked =
        crate::image::check(flash, region).map_err(|error: NorError| RomFailure::Flash(error))?;
    let len_bytes = match checked.result {
        Ok(info) => info.total_len_bytes,
        Err(error @ ImageError::Digest { offset_bytes, .. }) => {
            tell(DeviceEvent::RomDigestMismatch(error));
            offset_bytes.saturating_add(image::DIGEST_LEN_BYTES)
        }
        Err(error) => return Err(RomFailure::Image(error)),
    };
    let header = EspImageHeader::parse(&checked.bytes).map_err(RomFailure::Image)?;
    if header.chip_id != chip.image_chip_id() {
        return Err(RomFailure::WrongChip { found: header.chip_id, chip });
    }
    match header.flash_mode() {
        Some(mode) if board.can_read_in(mode) => {}
        mode => return Err(RomFailure::FlashMode { mode }),
    }
    tell(DeviceEvent::RomLoads { chip, addr, len_bytes });

    let bytes = checked.bytes.get(..len_bytes as usize).unwrap_or(&checked.bytes);
    let digest = Sha256::digest(bytes).into();
    if !board.is_prepared(&digest) {
        return Err(RomFailure::NotPrepared);
    }
    let bootloader = board.bootloader(&digest, bytes)?;
    Ok(Loaded { bootloader, header })
}
