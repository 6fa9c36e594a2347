//! Where a chip's loader runs, and where the segments of a bootloader may go.

use esp_idf_format::Chip;
use esp_idf_format::memory::{BootRam, MemoryRange, other_bus};

/// The RAM of a chip as the loader divides it.
///
/// ```text
///   load_addr          + RESERVED        segments.end_addr               end of RAM
///   | loader and its stack | segments of the bootloader | ROM's stack and data |
/// ```
///
/// Addresses are those of the data bus; on ESP32-C3 the same bytes have another address on the
/// instruction bus, see [`data_addr`](Self::data_addr).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoaderMemory {
    /// Where the loader is loaded to, as its image says: an address on the instruction bus.
    pub load_addr: u32,
    /// Where segments of the bootloader may go.
    pub segments: MemoryRange,
    /// End of the stack on which the ROM starts a bootloader.
    pub rom_stack_end_addr: u32,
    /// Loader and segments, by their addresses on the instruction bus.
    instructions: MemoryRange,
    /// How far the addresses of the instruction bus are above those of the data bus.
    offset_bytes: u32,
}

impl LoaderMemory {
    /// Bytes of RAM that the loader has for itself: code, data and stack.
    pub const RESERVED_BYTES: u32 = 0x2000;

    /// Bytes that are kept free for the ROM's stack, on which a bootloader runs: from
    /// `__stack_sentry` to `__stack` (`components/bootloader/subproject/main/ld/CHIP/bootloader.ld`
    /// of `espressif/esp-idf`).
    const ROM_STACK_BYTES: u32 = 0x2000;

    /// The memory of that chip; `None` if there is no loader for it.
    #[must_use]
    pub const fn of(chip: Chip) -> Option<Self> {
        if !matches!(chip, Chip::Esp32c3 | Chip::Esp32c6 | Chip::Esp32h2) {
            return None;
        }
        let BootRam { data, rom: [rom_stack, _], .. } = BootRam::of(chip);
        let end_addr = rom_stack.end_addr - Self::ROM_STACK_BYTES;
        let all = MemoryRange::new(data.start_addr, end_addr);
        let instructions = match other_bus(chip, all) {
            Some(instructions) => instructions,
            None => all,
        };
        Some(Self {
            load_addr: instructions.start_addr,
            segments: MemoryRange::new(data.start_addr + Self::RESERVED_BYTES, end_addr),
            rom_stack_end_addr: rom_stack.end_addr,
            instructions,
            offset_bytes: instructions.start_addr - data.start_addr,
        })
    }

    /// The address on the data bus of the byte at `addr`, which may be an address on either bus.
    #[must_use]
    pub const fn data_addr(&self, addr: u32) -> u32 {
        if self.instructions.contains(addr) { addr - self.offset_bytes } else { addr }
    }

    /// Whether a segment may be loaded: it has whole words, and all of it lies in
    /// [`segments`](Self::segments).
    #[must_use]
    pub const fn holds(&self, load_addr: u32, len_bytes: u32) -> bool {
        let start = self.data_addr(load_addr);
        let MemoryRange { start_addr: first, end_addr: end } = self.segments;
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

    /// `__stack_sentry` and `__stack` of ESP-IDF's linker scripts.
    #[test]
    fn segments_end_where_the_roms_stack_begins() {
        for (chip, sentry, stack) in [
            (Chip::Esp32c3, 0x3fcd_c710, 0x3fcd_e710),
            (Chip::Esp32c6, 0x4087_c610, 0x4087_e610),
            (Chip::Esp32h2, 0x4084_d380, 0x4084_f380),
        ] {
            let memory = LoaderMemory::of(chip).unwrap();
            assert_eq!((memory.segments.end_addr, memory.rom_stack_end_addr), (sentry, stack));
        }
    }

    #[test]
    fn segments_stay_in_memory_and_clear_of_loader_and_stack() {
        for chip in [Chip::Esp32c3, Chip::Esp32c6, Chip::Esp32h2] {
            let memory = LoaderMemory::of(chip).unwrap();
            let MemoryRange { start_addr: start, end_addr: end } = memory.segments;
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
