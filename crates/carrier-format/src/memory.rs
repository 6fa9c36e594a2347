//! Where a chip's loader runs, and where the segments of a bootloader may go.

use core::ops::Range;

use esp_idf_format::Chip;

/// The memory of a chip as the loader divides it.
///
/// ```text
///   load_addr          + RESERVED        segments.end                    end of RAM
///   | loader and its stack | segments of the bootloader | ROM's stack and data |
/// ```
///
/// Addresses are those of the data bus; on ESP32-C3 the same bytes have another address for
/// instructions, [`data_addr`](Self::data_addr).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoaderMemory {
    /// Where the loader is loaded to, as its image says: an address for instructions.
    pub load_addr: u32,
    /// Where segments of the bootloader may go.
    pub segments: Range<u32>,
    /// The stack that the ROM enters a bootloader with ends here.
    pub rom_stack_end_addr: u32,
    /// Instruction RAM that data RAM is seen through, and how far apart the two are.
    instructions: Range<u32>,
    offset_bytes: u32,
}

impl LoaderMemory {
    /// Bytes of RAM that the loader has for itself: code, data and stack.
    pub const RESERVED_BYTES: u32 = 0x2000;

    /// The memory of that chip; `None` for one that there is no loader for.
    ///
    /// RAM begins at `SOC_DIRAM_IRAM_LOW` and, for data, at `SOC_DIRAM_DRAM_LOW`
    /// (`components/soc/CHIP/include/soc/soc.h` of `espressif/esp-idf`); segments end where the
    /// ROM's stack begins, `__stack_sentry`, and that ends at `__stack`
    /// (`components/bootloader/subproject/main/ld/CHIP/bootloader.ld`).
    #[must_use]
    pub const fn of(chip: Chip) -> Option<Self> {
        let (load_addr, data_addr, segments_end, rom_stack_end_addr) = match chip {
            Chip::Esp32c3 => (0x4038_0000, 0x3fc8_0000, 0x3fcd_c710, 0x3fcd_e710),
            Chip::Esp32c6 => (0x4080_0000, 0x4080_0000, 0x4087_c610, 0x4087_e610),
            Chip::Esp32h2 => (0x4080_0000, 0x4080_0000, 0x4084_d380, 0x4084_f380),
            _ => return None,
        };
        let offset_bytes = load_addr - data_addr;
        Some(Self {
            load_addr,
            segments: data_addr + Self::RESERVED_BYTES..segments_end,
            rom_stack_end_addr,
            instructions: load_addr..segments_end + offset_bytes,
            offset_bytes,
        })
    }

    /// The address for data of what has that address.
    #[must_use]
    pub const fn data_addr(&self, addr: u32) -> u32 {
        if addr >= self.instructions.start && addr < self.instructions.end {
            addr - self.offset_bytes
        } else {
            addr
        }
    }

    /// Whether a segment may be loaded: whole words, all of them where segments may go.
    #[must_use]
    pub const fn holds(&self, load_addr: u32, len_bytes: u32) -> bool {
        let start = self.data_addr(load_addr);
        let Range { start: first, end } = self.segments;
        (load_addr | len_bytes).is_multiple_of(4)
            && start >= first
            && start <= end
            && len_bytes <= end - start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_and_data_are_the_same_bytes_on_esp32_c3() {
        let memory = LoaderMemory::of(Chip::Esp32c3).unwrap();
        // Where MCUboot's port puts its loader (boot/espressif/port/esp32c3/ld/bootloader.ld).
        assert_eq!(memory.data_addr(0x403d_0000), 0x3fcd_0000);
        assert_eq!(memory.data_addr(0x3fcd_5400), 0x3fcd_5400);
        assert!(memory.holds(0x403d_0000, 0x5400));
        assert!(memory.holds(0x3fcd_5400, 0x1000));
    }

    #[test]
    fn nothing_goes_over_the_loader_the_stack_or_out_of_memory() {
        for chip in [Chip::Esp32c3, Chip::Esp32c6, Chip::Esp32h2] {
            let memory = LoaderMemory::of(chip).unwrap();
            let Range { start, end } = memory.segments;
            assert!(memory.holds(start, end - start));
            assert!(!memory.holds(start, end - start + 4));
            assert!(!memory.holds(start - 4, 4));
            assert!(!memory.holds(memory.load_addr, 4));
            assert!(!memory.holds(end, 4));
            assert!(!memory.holds(start + 2, 4));
            assert!(!memory.holds(start, 6));
            assert!(!memory.holds(start, u32::MAX - 3));
            assert!(!memory.holds(0x5000_0000, 4));
        }
        assert_eq!(LoaderMemory::of(Chip::Esp32), None);
    }
}
