//! Where in flash this program is, as an app: the cache's table shows it, because ESP-IDF's
//! bootloader has mapped the app's constants.
//!
//! A carrier's first segment lies at the first byte of the window that the cache maps, and in the
//! first 64 KiB of a partition that begins at a multiple of that. So the table's first entry is the
//! page that the app begins with.

use flash_region::FlashAddr;

use crate::chip;

/// The flash address of this app.
#[cfg(feature = "esp32c3")]
pub fn of_this_app() -> FlashAddr {
    /// First entry, `DR_REG_MMU_TABLE` (`components/soc/esp32c3/include/soc/reg_base.h` of
    /// `espressif/esp-idf`).
    const TABLE: u32 = 0x600c_5000;
    /// Bits of an entry that hold the page, `SOC_MMU_VALID_VAL_MASK`
    /// (`components/soc/esp32c3/include/soc/ext_mem_defs.h`).
    const PAGE_MASK: u32 = 0xff;
    // Safety: a register, and reading it changes nothing.
    let page = unsafe { chip::read(TABLE) } & PAGE_MASK;
    FlashAddr(page * 0x1_0000)
}

/// The flash address of this app.
#[cfg(any(feature = "esp32c6", feature = "esp32h2"))]
pub fn of_this_app() -> FlashAddr {
    /// `SPI_MEM_MMU_ITEM_CONTENT_REG(0)`, `_INDEX_REG(0)` and `SPI_MEM_MMU_POWER_CTRL_REG(0)`
    /// (`components/soc/CHIP/include/soc/spi_mem_reg.h` of `espressif/esp-idf`).
    const CONTENT: u32 = 0x6000_237c;
    const INDEX: u32 = 0x6000_2380;
    const POWER: u32 = 0x6000_2384;
    /// Bits of an entry that hold the page (`MMU_MAX_PADDR_PAGE_NUM`,
    /// `components/soc/CHIP/include/soc/ext_mem_defs.h`).
    const PAGE_MASK: u32 = 0xff;
    // Safety: selects the entry that is read next; nothing else does that meanwhile.
    unsafe { chip::write(INDEX, 0) };
    // Safety: registers, and reading them changes nothing.
    let (page, power) = unsafe { (chip::read(CONTENT) & PAGE_MASK, chip::read(POWER)) };
    // `SPI_MEM_MMU_PAGE_SIZE`: 64 KiB, or that halved so often.
    FlashAddr(page * (0x1_0000 >> (power >> 3 & 3)))
}
