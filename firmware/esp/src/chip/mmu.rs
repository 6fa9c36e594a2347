//! Where in flash an address lies that the cache maps: the chip's own word on where it runs.

#[cfg(feature = "esp32c3")]
mod table {
    use esp_hal::peripherals::MMU_TABLE;

    /// Bytes that one entry maps.
    const PAGE_BYTES: u32 = 64 * 1024;
    /// Bits of an address that the table translates (ESP32-C3 TRM, "External Memory Controller").
    const VIRTUAL_MASK: u32 = 0x7f_ffff;

    pub fn flash_addr(virtual_addr: u32) -> u32 {
        let index = (virtual_addr & VIRTUAL_MASK) / PAGE_BYTES;
        let page = u32::from(MMU_TABLE::regs().entry(index as usize).read().paddr().bits());
        page * PAGE_BYTES + virtual_addr % PAGE_BYTES
    }
}

#[cfg(any(feature = "esp32c6", feature = "esp32h2"))]
mod table {
    use esp_hal::peripherals::SPI0;

    /// Bits of an address that the table translates (ESP32-C6 TRM, "External Memory Controller").
    const VIRTUAL_MASK: u32 = 0xff_ffff;

    pub fn flash_addr(virtual_addr: u32) -> u32 {
        let spi0 = SPI0::regs();
        let code = spi0.mmu_power_ctrl().read().spi_mmu_page_size().bits();
        let page_bytes = 0x1_0000 >> code;
        let index = (virtual_addr & VIRTUAL_MASK) / page_bytes;
        // Safety: selects the entry that is read next; interrupts that do the same are not in use.
        spi0.mmu_item_index().write(|w| unsafe { w.mmu_item_index().bits(index) });
        let page = u32::from(spi0.mmu_item_content().read().paddr().bits());
        page * page_bytes + virtual_addr % page_bytes
    }
}

pub use table::flash_addr;
