//! eFuses: what was burnt into the chip.

use esp_hal::efuse;

/// Whether the ROM starts signed bootloaders only.
#[cfg(not(feature = "esp32"))]
pub fn secure_boot() -> bool {
    efuse::read_bit(efuse::SECURE_BOOT_EN)
}

/// Whether the ROM starts signed bootloaders only: secure boot of the first kind, or of the second.
#[cfg(feature = "esp32")]
pub fn secure_boot() -> bool {
    efuse::read_bit(efuse::ABS_DONE_0) || efuse::read_bit(efuse::ABS_DONE_1)
}
