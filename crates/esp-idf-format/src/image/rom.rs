//! Whether the mask ROM can load a bootloader, and whether it can run then.

use core::fmt;

use super::MAX_SEGMENTS;
use crate::Chip;
use crate::memory::{BootRam, MemoryRange, other_bus};

/// Why a bootloader whose bytes are whole does not start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RomFault {
    /// A segment goes to addresses without RAM that it can be loaded to.
    NoRam {
        /// Which segment, from 0.
        index: u8,
        /// Where it goes.
        segment: MemoryRange,
    },
    /// A segment goes over memory that the ROM itself uses while it loads.
    OverRom {
        /// Which segment, from 0.
        index: u8,
        /// Where it goes.
        segment: MemoryRange,
        /// The memory that the ROM uses.
        rom: MemoryRange,
    },
    /// Two segments go to the same RAM.
    Overlap {
        /// Which segment, from 0.
        index: u8,
        /// Where it goes.
        segment: MemoryRange,
        /// The segment before it.
        earlier: MemoryRange,
    },
    /// The entry point is in no loaded segment that can be executed.
    Entry {
        /// The entry point.
        entry_addr: u32,
    },
}

impl fmt::Display for RomFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRam { index, segment } => {
                write!(f, "segment {index} goes to {segment}, where this chip has no RAM for it")
            }
            Self::OverRom { index, segment, rom } => write!(
                f,
                "segment {index} goes to {segment}, over the mask ROM's own memory at {rom}"
            ),
            Self::Overlap { index, segment, earlier } => {
                write!(f, "segment {index} goes to {segment}, over the segment at {earlier}")
            }
            Self::Entry { entry_addr } => write!(
                f,
                "the entry at {entry_addr:#x} (offset 4) is in no segment that can be executed"
            ),
        }
    }
}

impl core::error::Error for RomFault {}

/// Follows the segments of a bootloader as the ROM of that chip loads them.
#[derive(Clone, Debug)]
pub struct RomLoad {
    chip: Chip,
    loaded: [MemoryRange; MAX_SEGMENTS as usize],
    count: u8,
    /// Whether one of them has the entry in it.
    entered: bool,
}

impl RomLoad {
    pub(super) const fn new(chip: Chip) -> Self {
        let loaded = [MemoryRange::new(0, 0); MAX_SEGMENTS as usize];
        Self { chip, loaded, count: 0, entered: false }
    }

    /// Checks the next segment of an image with that entry point. A segment without bytes is
    /// ignored.
    pub(super) fn segment(
        &mut self,
        index: u8,
        (load_addr, len_bytes): (u32, u32),
        entry_addr: u32,
    ) -> Result<(), RomFault> {
        if len_bytes == 0 {
            return Ok(());
        }
        let segment = MemoryRange::new(load_addr, load_addr.saturating_add(len_bytes));
        let ram = BootRam::of(self.chip);
        // A segment that goes past the last address of 32 bits never fits.
        if !ram.instruction.contains_range(segment) && !ram.data.contains_range(segment) {
            return Err(RomFault::NoRam { index, segment });
        }
        let meets = |other: MemoryRange| {
            let same = other_bus(self.chip, other).and_then(|same| same.intersection(segment));
            same.or(other.intersection(segment)).is_some()
        };
        if let Some(rom) = ram.rom.into_iter().find(|rom| meets(*rom)) {
            return Err(RomFault::OverRom { index, segment, rom });
        }
        if let Some(earlier) = self.segments().find(|earlier| meets(*earlier)) {
            return Err(RomFault::Overlap { index, segment, earlier });
        }
        self.entered |= ram.instruction.contains(entry_addr) && segment.contains(entry_addr);
        if let Some(next) = self.loaded.get_mut(usize::from(self.count)) {
            *next = segment;
            self.count += 1;
        }
        Ok(())
    }

    /// Checks the entry point, after the last segment.
    pub(super) const fn entry(&self, entry_addr: u32) -> Result<(), RomFault> {
        if self.entered { Ok(()) } else { Err(RomFault::Entry { entry_addr }) }
    }

    /// Where the segments go whose headers were checked so far, without those that have no bytes.
    pub fn segments(&self) -> impl Iterator<Item = MemoryRange> {
        self.loaded.iter().copied().take(usize::from(self.count))
    }
}

#[cfg(test)]
#[cfg(feature = "alloc")]
mod tests {
    extern crate std;

    use super::*;
    use crate::image::{ImageBuilder, ImageError, verify, verify_for_rom};

    /// Code and data of a bootloader, each where the linker scripts of ESP-IDF place them.
    fn boot_addrs(chip: Chip) -> (u32, u32) {
        match chip {
            Chip::Esp32 => (0x4007_8000, 0x3fff_0040),
            Chip::Esp32s2 => (0x4004_a000, 0x3ffe_5110),
            Chip::Esp32s3 => (0x403c_8700, 0x3fce_2820),
            Chip::Esp32c3 => (0x403c_bf10, 0x3fcd_5830),
            Chip::Esp32c6 => (0x4086_b910, 0x4087_5730),
            Chip::Esp32h2 => (0x4083_c2d0, 0x4084_60f0),
        }
    }

    fn rom_fault(chip: Chip, entry_addr: u32, segments: &[(u32, u32)]) -> Option<RomFault> {
        let image = segments
            .iter()
            .fold(ImageBuilder::new(chip).entry_addr(entry_addr), |image, (addr, len)| {
                image.segment(*addr, &std::vec![0x13; *len as usize])
            });
        let image = image.build().unwrap();
        assert!(verify(&image).is_ok());
        match verify_for_rom(&image, chip) {
            Ok(_) => None,
            Err(ImageError::Rom(fault)) => Some(fault),
            Err(other) => panic!("{chip}: {other}"),
        }
    }

    #[test]
    fn a_bootloader_lies_in_ram_that_the_rom_leaves_free() {
        for chip in Chip::ALL {
            let (code, data) = boot_addrs(chip);
            let with =
                |addr, len| rom_fault(chip, code, &[(code, 0x400), (data, 0x100), (addr, len)]);
            assert_eq!(with(data + 0x100, 0x100), None, "{chip}");
            // Nowhere at all, flash, LP memory, registers, past the last address.
            for addr in [0, 0x1000, 0x3c00_0000, 0x4200_0000, 0x5000_0000, 0x6000_0000, 0xffff_fffc]
            {
                let fault = with(addr, 0x10);
                assert!(
                    matches!(fault, Some(RomFault::NoRam { index: 2, .. })),
                    "{chip} {fault:?}"
                );
            }
            let ram = BootRam::of(chip);
            let ends = with(ram.data.end_addr - 4, 0x10);
            assert!(matches!(ends, Some(RomFault::NoRam { .. })), "{chip} {ends:?}");
            for rom in ram.rom {
                for addr in [rom.start_addr, rom.end_addr - 4, rom.start_addr - 0xc] {
                    let fault = with(addr, 0x10);
                    // The other end may lie outside of RAM.
                    let refused =
                        matches!(fault, Some(RomFault::OverRom { .. } | RomFault::NoRam { .. }));
                    assert!(refused, "{chip} {addr:#x} {fault:?}");
                }
            }
            let fault = with(data + 0xfc, 0x100);
            assert!(matches!(fault, Some(RomFault::Overlap { index: 2, .. })), "{chip} {fault:?}");
        }
    }

    #[test]
    fn segments_meet_on_either_bus() {
        // 0x403c_c000 on the instruction bus is 0x3fcc_c000 on the data bus.
        let fault =
            rom_fault(Chip::Esp32c3, 0x403c_c000, &[(0x403c_c000, 0x40), (0x3fcc_c000, 0x40)]);
        assert!(matches!(fault, Some(RomFault::Overlap { .. })), "{fault:?}");
        // The ROM's stack, by its address on the instruction bus.
        let over = rom_fault(Chip::Esp32c3, 0x403d_e700, &[(0x403d_e700, 0x10)]);
        assert!(matches!(over, Some(RomFault::OverRom { .. })), "{over:?}");
    }

    #[test]
    fn a_bootloader_begins_in_code_that_was_loaded() {
        for chip in Chip::ALL {
            let (code, data) = boot_addrs(chip);
            let at = |entry| rom_fault(chip, entry, &[(code, 0x400), (data, 0x100)]);
            assert_eq!(at(code + 0x3fc), None, "{chip}");
            let mut wrong = std::vec![0, code - 4, code + 0x400, 0x4200_0000, u32::MAX];
            // Where data has a bus of its own, nothing on it can be executed.
            if BootRam::of(chip).data != BootRam::of(chip).instruction {
                wrong.push(data);
            }
            for entry_addr in wrong {
                assert_eq!(at(entry_addr), Some(RomFault::Entry { entry_addr }), "{chip}");
            }
        }
    }
}
