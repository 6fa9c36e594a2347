//! What differs between the chips.

mod mmu;

use bootswap_app::Identity;
use esp_hal::efuse;
use esp_idf_format::Chip;
use esp_idf_format::app_desc::APP_DESC_OFFSET_BYTES;
use flash_region::FlashAddr;

/// The chip that this is built for.
#[cfg(feature = "esp32c3")]
pub const CHIP: Chip = Chip::Esp32c3;
/// The chip that this is built for.
#[cfg(feature = "esp32c6")]
pub const CHIP: Chip = Chip::Esp32c6;
/// The chip that this is built for.
#[cfg(feature = "esp32h2")]
pub const CHIP: Chip = Chip::Esp32h2;

/// What the chip says of itself. `descriptor` is where the app descriptor is mapped to.
pub fn identity(descriptor: *const u8, flash_len_bytes: u32) -> Identity {
    let addr = mmu::flash_addr(descriptor.addr() as u32);
    Identity {
        chip: CHIP,
        flash_len_bytes,
        image_start: FlashAddr(addr.saturating_sub(APP_DESC_OFFSET_BYTES)),
        secure_boot: secure_boot(),
        flash_encryption: efuse::flash_encryption(),
    }
}

fn secure_boot() -> bool {
    efuse::read_bit(efuse::SECURE_BOOT_EN)
}
