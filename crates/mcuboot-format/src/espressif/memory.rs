//! The memories that Espressif's loader loads applications to, for each chip.

use esp_idf_format::Chip;
use esp_idf_format::memory::MemoryRange;

/// The memories of a chip that Espressif's loader compares addresses with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ChipMemory {
    /// Instruction RAM (`esp_ptr_in_iram`).
    pub iram: MemoryRange,
    /// Data RAM (`esp_ptr_in_dram`).
    pub dram: MemoryRange,
    /// Instructions that are kept in deep sleep (`esp_ptr_in_rtc_iram_fast`).
    pub lp_iram: MemoryRange,
    /// Data that is kept in deep sleep (`esp_ptr_in_rtc_slow`). Where it is `None` the loader does
    /// not look at the address, and copies all the same: it may be anywhere in `lp_iram`.
    pub lp_dram: Option<MemoryRange>,
}

impl ChipMemory {
    /// The memories of that chip.
    ///
    /// `SOC_IRAM_LOW`, `SOC_DRAM_LOW`, `SOC_RTC_IRAM_LOW`, `SOC_RTC_DATA_LOW` and their `_HIGH` in
    /// `components/soc/<chip>/include/soc/soc.h`; `SOC_RTC_SLOW_MEM_SUPPORTED` in `soc_caps.h`
    /// beside it; `components/bootloader_support/include/bootloader_memory_utils.h`: all of
    /// `espressif/esp-hal-3rdparty`, branch `sync/release_v5.1.c`, which MCUboot's port is built
    /// with.
    #[must_use]
    pub const fn of(chip: Chip) -> Self {
        const fn range(start_addr: u32, end_addr: u32) -> MemoryRange {
            MemoryRange::new(start_addr, end_addr)
        }
        match chip {
            Chip::Esp32 => Self {
                iram: range(0x4008_0000, 0x400a_a000),
                dram: range(0x3ffa_e000, 0x4000_0000),
                lp_iram: range(0x400c_0000, 0x400c_2000),
                lp_dram: Some(range(0x5000_0000, 0x5000_2000)),
            },
            Chip::Esp32s2 => Self {
                iram: range(0x4002_0000, 0x4007_0000),
                dram: range(0x3ffb_0000, 0x4000_0000),
                lp_iram: range(0x4007_0000, 0x4007_2000),
                lp_dram: Some(range(0x5000_0000, 0x5000_2000)),
            },
            Chip::Esp32s3 => Self {
                iram: range(0x4037_0000, 0x403e_0000),
                dram: range(0x3fc8_8000, 0x3fd0_0000),
                lp_iram: range(0x600f_e000, 0x6010_0000),
                lp_dram: Some(range(0x5000_0000, 0x5000_2000)),
            },
            Chip::Esp32c3 => Self {
                iram: range(0x4037_c000, 0x403e_0000),
                dram: range(0x3fc8_0000, 0x3fce_0000),
                lp_iram: range(0x5000_0000, 0x5000_2000),
                lp_dram: None,
            },
            Chip::Esp32c6 => Self {
                iram: range(0x4080_0000, 0x4088_0000),
                dram: range(0x4080_0000, 0x4088_0000),
                lp_iram: range(0x5000_0000, 0x5000_4000),
                lp_dram: None,
            },
            Chip::Esp32h2 => Self {
                iram: range(0x4080_0000, 0x4085_0000),
                dram: range(0x4080_0000, 0x4085_0000),
                lp_iram: range(0x5000_0000, 0x5000_1000),
                lp_dram: None,
            },
        }
    }
}
