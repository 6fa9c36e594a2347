//! The flash address of an address that the cache maps: so the chip itself says where it runs.

/// Chips whose table is in the address space. The masks are the bits of an address that it
/// translates: `SOC_MMU_VADDR_MASK` and the entries of data in
/// `components/hal/*/include/hal/mmu_ll.h` of `espressif/esp-idf`.
#[cfg(any(feature = "esp32", feature = "esp32s2", feature = "esp32s3", feature = "esp32c3"))]
mod table {
    use esp_hal::peripherals::MMU_TABLE;

    /// Bytes that one entry maps.
    const PAGE_BYTES: u32 = 64 * 1024;
    const VIRTUAL_MASK: u32 = if cfg!(feature = "esp32c3") {
        0x7f_ffff
    } else if cfg!(feature = "esp32s3") {
        0x1ff_ffff
    } else {
        // The 4 MB window of constants.
        0x3f_ffff
    };
    /// First entry of the window: on ESP32-S2 the entries of instructions are before it.
    const FIRST_ENTRY: u32 = if cfg!(feature = "esp32s2") { 0x80 } else { 0 };
    /// Bits of an entry that hold the number of the page in flash.
    const PAGE_MASK: u32 =
        if cfg!(feature = "esp32s2") || cfg!(feature = "esp32s3") { 0x3fff } else { 0xff };

    /// The flash address of the constant at `virtual_addr`.
    pub fn flash_addr(virtual_addr: u32) -> u32 {
        let index = FIRST_ENTRY + (virtual_addr & VIRTUAL_MASK) / PAGE_BYTES;
        let page = MMU_TABLE::regs().entry(index as usize).read().bits() & PAGE_MASK;
        page * PAGE_BYTES + virtual_addr % PAGE_BYTES
    }
}

/// Chips whose table is read through an index register.
#[cfg(any(feature = "esp32c6", feature = "esp32h2"))]
mod table {
    use esp_hal::peripherals::SPI0;

    /// Bytes of a page whose size code is 0; each step halves it.
    const LARGEST_PAGE_BYTES: u32 = 64 * 1024;
    /// Bits of an address that the table translates: 256 pages.
    const ENTRIES: u32 = 256;

    /// The flash address of the constant at `virtual_addr`.
    pub fn flash_addr(virtual_addr: u32) -> u32 {
        let spi0 = SPI0::regs();
        let code = spi0.mmu_power_ctrl().read().spi_mmu_page_size().bits();
        let page_bytes = LARGEST_PAGE_BYTES >> code;
        let index = virtual_addr / page_bytes % ENTRIES;
        // Safety: selects the entry that is read next; nothing else does that meanwhile.
        spi0.mmu_item_index().write(|w| unsafe { w.mmu_item_index().bits(index) });
        let page = u32::from(spi0.mmu_item_content().read().paddr().bits());
        page * page_bytes + virtual_addr % page_bytes
    }
}

pub use table::flash_addr;
