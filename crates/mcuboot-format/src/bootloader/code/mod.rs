//! Constants that a bootloader's code loads into registers.
//!
//! Jumps are not followed: code is read from its first byte to its last, and data among code gives
//! wrong constants. So a constant is evidence only together with others near it.

mod riscv;
mod xtensa;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use esp_idf_format::Chip;

use super::memory::Memory;

/// Where the addresses of instructions begin; on ESP32-C6 and ESP32-H2, data is there, too.
const CODE_START_ADDR: u32 = 0x4000_0000;

/// A constant in a register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Constant {
    /// Address of the instruction that completes it.
    pub at: u32,
    /// Number of the register.
    pub register: u8,
    /// Its value.
    pub value: u32,
}

/// All constants of a bootloader, in the order of their addresses.
pub(super) struct Code {
    pub cpu: Cpu,
    pub constants: Vec<Constant>,
    pub values: BTreeSet<u32>,
}

/// The instruction set of a chip.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cpu {
    Xtensa,
    RiscV,
}

impl Cpu {
    /// That of a chip. Chips other than the six are newer ones, which have RISC-V.
    pub(super) const fn of(chip: Option<Chip>) -> Self {
        match chip {
            Some(Chip::Esp32 | Chip::Esp32s2 | Chip::Esp32s3) => Self::Xtensa,
            _ => Self::RiscV,
        }
    }
}

impl Code {
    /// The constants of a bootloader.
    pub(super) fn of(memory: &Memory<'_>, cpu: Cpu) -> Self {
        let code = || memory.segments().filter(|(addr, _)| *addr >= CODE_START_ADDR);
        let mut constants: Vec<Constant> = match cpu {
            Cpu::Xtensa => {
                code().flat_map(|(addr, bytes)| xtensa::constants(bytes, addr)).collect()
            }
            Cpu::RiscV => {
                let mut code_segments = code();
                let gp = code_segments.find_map(|(a, b)| riscv::global_pointer(memory, b, a));
                code().flat_map(|(addr, bytes)| riscv::constants(bytes, addr, gp)).collect()
            }
        };
        constants.sort_unstable();
        let values = constants.iter().map(|constant| constant.value).collect();
        Self { cpu, constants, values }
    }

    /// The first place in code that forms that value.
    pub(super) fn forms(&self, value: u32) -> Option<u32> {
        self.constants.iter().find(|constant| constant.value == value).map(|constant| constant.at)
    }

    /// The constants whose instructions are at most `distance_bytes` from `at`.
    pub(super) fn near(&self, at: u32, distance_bytes: u32) -> impl Iterator<Item = &Constant> {
        let first = at.saturating_sub(distance_bytes);
        let start = self.constants.partition_point(|constant| constant.at < first);
        let near = self.constants.get(start..).unwrap_or_default().iter();
        near.take_while(move |constant| constant.at.abs_diff(at) <= distance_bytes)
    }
}
