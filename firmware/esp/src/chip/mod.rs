//! What differs between the chips.

mod brownout;
mod core;
mod efuse;
mod mmu;

use bootswap_migrator::Identity;
use esp_idf_format::Chip;
use esp_idf_format::app_desc::APP_DESC_OFFSET_BYTES;
use flash_region::FlashAddr;

pub use brownout::reset_on_brownout;
pub use core::enable_floating_point;

/// The chip that this is built for.
pub const CHIP: Chip = chosen();

const fn chosen() -> Chip {
    if cfg!(feature = "esp32") {
        Chip::Esp32
    } else if cfg!(feature = "esp32s2") {
        Chip::Esp32s2
    } else if cfg!(feature = "esp32s3") {
        Chip::Esp32s3
    } else if cfg!(feature = "esp32c3") {
        Chip::Esp32c3
    } else if cfg!(feature = "esp32c6") {
        Chip::Esp32c6
    } else {
        Chip::Esp32h2
    }
}

/// The chip's identity. `descriptor` is the address that the app descriptor is mapped to.
pub fn identity(descriptor: *const u8, flash_len_bytes: u32) -> Identity {
    let addr = mmu::flash_addr(u32::try_from(descriptor.addr()).unwrap_or_default());
    Identity {
        chip: CHIP,
        chip_revision: Some(esp_hal::efuse::chip_revision().combined()),
        flash_len_bytes,
        image_start: FlashAddr(addr.saturating_sub(APP_DESC_OFFSET_BYTES)),
        secure_boot: efuse::secure_boot(),
        flash_encryption: esp_hal::efuse::flash_encryption(),
    }
}
