//! Addresses of a chip's RAM, and what of it the mask ROM takes for itself.

use core::fmt;

use crate::Chip;

/// Addresses of a chip's memory, half open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemoryRange {
    /// The first address.
    pub start_addr: u32,
    /// The address after the last one.
    pub end_addr: u32,
}

impl MemoryRange {
    /// From the first address up to, not including, `end_addr`.
    #[must_use]
    pub const fn new(start_addr: u32, end_addr: u32) -> Self {
        Self { start_addr, end_addr }
    }

    /// The addresses that both have, if there are any.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Option<Self> {
        let later = self.start_addr > other.start_addr;
        let start_addr = if later { self.start_addr } else { other.start_addr };
        let earlier = self.end_addr < other.end_addr;
        let end_addr = if earlier { self.end_addr } else { other.end_addr };
        if start_addr < end_addr { Some(Self::new(start_addr, end_addr)) } else { None }
    }

    /// Whether the address is one of them.
    #[must_use]
    pub const fn contains(&self, addr: u32) -> bool {
        addr >= self.start_addr && addr < self.end_addr
    }

    /// Whether all of the other's addresses are among them.
    #[must_use]
    pub const fn contains_range(&self, other: Self) -> bool {
        self.start_addr <= other.start_addr && other.end_addr <= self.end_addr
    }
}

impl fmt::Display for MemoryRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} to {:#x}", self.start_addr, self.end_addr)
    }
}

/// Where the cache maps the constants of an app to; the bootloader refuses an app that has them
/// elsewhere.
///
/// `SOC_DROM_LOW` in `components/soc/CHIP/include/soc/soc.h` of `espressif/esp-idf`.
#[must_use]
pub const fn constants_addr(chip: Chip) -> u32 {
    match chip {
        Chip::Esp32 => 0x3f40_0000,
        Chip::Esp32s2 => 0x3f00_0000,
        Chip::Esp32s3 | Chip::Esp32c3 => 0x3c00_0000,
        Chip::Esp32c6 | Chip::Esp32h2 => 0x4200_0000,
    }
}

/// The addresses at which the other bus, of instructions or of data, has the same RAM.
///
/// `SOC_DIRAM_IRAM_LOW`, `SOC_DIRAM_DRAM_LOW` and their `_HIGH` in
/// `components/soc/<chip>/include/soc/soc.h` of `espressif/esp-hal-3rdparty`, branch
/// `sync/release_v5.1.c`. ESP32-C6 and ESP32-H2 have one bus.
#[must_use]
pub const fn other_bus(chip: Chip, range: MemoryRange) -> Option<MemoryRange> {
    let (iram, dram) = match chip {
        Chip::Esp32 => return other_bus_of_esp32(range),
        Chip::Esp32s2 => (MemoryRange::new(0x4002_0000, 0x4007_0000), 0x3ffb_0000),
        Chip::Esp32s3 => (MemoryRange::new(0x4037_8000, 0x403e_0000), 0x3fc8_8000),
        Chip::Esp32c3 => (MemoryRange::new(0x4038_0000, 0x403e_0000), 0x3fc8_0000),
        Chip::Esp32c6 | Chip::Esp32h2 => return None,
    };
    let offset = iram.start_addr - dram;
    let data = MemoryRange::new(dram, iram.end_addr - offset);
    if let Some(shared) = iram.intersection(range) {
        return Some(MemoryRange::new(shared.start_addr - offset, shared.end_addr - offset));
    }
    match data.intersection(range) {
        Some(shared) => {
            Some(MemoryRange::new(shared.start_addr + offset, shared.end_addr + offset))
        }
        None => None,
    }
}

/// The same for ESP32, where the two buses have the words in opposite order.
const fn other_bus_of_esp32(range: MemoryRange) -> Option<MemoryRange> {
    const fn turned(shared: MemoryRange, from: MemoryRange, to: MemoryRange) -> MemoryRange {
        let start_addr = to.start_addr + (from.end_addr - shared.end_addr);
        MemoryRange::new(start_addr, start_addr + (shared.end_addr - shared.start_addr))
    }
    let iram = MemoryRange::new(0x400a_0000, 0x400c_0000);
    let dram = MemoryRange::new(0x3ffe_0000, 0x4000_0000);
    match (iram.intersection(range), dram.intersection(range)) {
        (Some(shared), _) => Some(turned(shared, iram, dram)),
        (None, Some(shared)) => Some(turned(shared, dram, iram)),
        (None, None) => None,
    }
}

/// The RAM in which a second-stage bootloader can lie while the mask ROM loads it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BootRam {
    /// On the instruction bus, without the cache of the CPU that runs the ROM.
    pub instruction: MemoryRange,
    /// On the data bus; the same addresses if the chip has one bus.
    pub data: MemoryRange,
    /// The parts of `data` that the ROM itself uses until it jumps: its variables, and the end of
    /// its stack.
    pub rom: [MemoryRange; 2],
}

/// How much of its stack the ROM may have in use while it loads.
///
/// The ROM of the ESP32-C3, in an emulator, refuses segments over 0x3fcde160 to 0x3fcdf664 itself
/// ("overlaps ..., can't load"): 1,456 bytes of stack, and variables. The constant is larger,
/// because the ROMs of the other chips were not run.
const ROM_STACK_BYTES: u32 = 2048;

impl BootRam {
    /// That of a chip.
    ///
    /// RAM: `SOC_IRAM_LOW`, `SOC_DIRAM_IRAM_LOW`, `SOC_DRAM_LOW`, `SOC_CACHE_APP_LOW` and their
    /// `_HIGH` in `components/soc/<chip>/include/soc/soc.h`; `SOC_DRAM_HIGH` of the ESP32-S3 has
    /// the data cache in it, `SOC_DIRAM_DRAM_HIGH` has not. What the ROM uses: the head of
    /// `components/bootloader/subproject/main/ld/<chip>/bootloader.ld`, "ROM static data usage"; of
    /// the ESP32 `components/heap/port/esp32/memory_layout.c` (`rom_data`, `rom_pro_data`) and
    /// `SOC_ROM_STACK_START`. All of `espressif/esp-idf`.
    #[must_use]
    pub const fn of(chip: Chip) -> Self {
        const fn range(start_addr: u32, end_addr: u32) -> MemoryRange {
            MemoryRange::new(start_addr, end_addr)
        }
        const fn stack(end_addr: u32) -> MemoryRange {
            MemoryRange::new(end_addr - ROM_STACK_BYTES, end_addr)
        }
        const fn stack_and_data(stack_end_addr: u32, end_addr: u32) -> [MemoryRange; 2] {
            [stack(stack_end_addr), MemoryRange::new(stack_end_addr, end_addr)]
        }
        match chip {
            Chip::Esp32 => Self {
                instruction: range(0x4007_8000, 0x400c_0000),
                data: range(0x3ffa_e000, 0x4000_0000),
                rom: [range(0x3ffa_e000, 0x3ffa_e6e0), range(0x3ffe_0000, 0x3ffe_3f20)],
            },
            Chip::Esp32s2 => Self {
                instruction: range(0x4002_0000, 0x4007_0000),
                data: range(0x3ffb_0000, 0x4000_0000),
                rom: stack_and_data(0x3fff_e710, 0x4000_0000),
            },
            Chip::Esp32s3 => Self {
                instruction: range(0x4037_8000, 0x403e_0000),
                data: range(0x3fc8_8000, 0x3fcf_0000),
                rom: [stack(0x3fce_b710), range(0x3fce_d710, 0x3fcf_0000)],
            },
            Chip::Esp32c3 => Self {
                instruction: range(0x4038_0000, 0x403e_0000),
                data: range(0x3fc8_0000, 0x3fce_0000),
                rom: stack_and_data(0x3fcd_e710, 0x3fce_0000),
            },
            Chip::Esp32c6 => Self {
                instruction: range(0x4080_0000, 0x4088_0000),
                data: range(0x4080_0000, 0x4088_0000),
                rom: stack_and_data(0x4087_e610, 0x4088_0000),
            },
            Chip::Esp32h2 => Self {
                instruction: range(0x4080_0000, 0x4085_0000),
                data: range(0x4080_0000, 0x4085_0000),
                rom: stack_and_data(0x4084_f380, 0x4085_0000),
            },
        }
    }
}
