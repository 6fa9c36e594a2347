//! Constants in RISC-V code: `lui`, `auipc`, `addi`, `slli`, and their compressed forms.
//!
//! Encodings: The RISC-V Instruction Set Manual, volume I, chapters "RV32I" and "C".

use alloc::vec::Vec;

use super::Constant;
use crate::bootloader::memory::Memory;
use crate::bytes::{u16_at, u32_at};

/// The register `gp`, relative to which nearby data is addressed.
const GP: u8 = 3;

/// Registers that a called function may change: `ra`, `t0` to `t2`, `a0` to `a7`, `t3` to `t6`.
const CALLER_SAVED: [u8; 16] = [1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31];

/// The instructions that form one constant are at most this far apart.
const STEP_BYTES: u32 = 16;

/// How far from a segment `gp` may point.
const GP_REACH_BYTES: u32 = 0x2000;

/// The value that this code sets `gp` to, if it does.
pub(super) fn global_pointer(memory: &Memory<'_>, code: &[u8], start_addr: u32) -> Option<u32> {
    let is_near = |value: u32| {
        memory.segments().any(|(addr, bytes)| {
            let len_bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let reach = len_bytes.saturating_add(GP_REACH_BYTES);
            value.checked_sub(addr).is_some_and(|offset| offset < reach)
        })
    };
    let constants = constants(code, start_addr, None);
    let set = constants.iter().find(|c| c.register == GP && is_near(c.value));
    set.map(|constant| constant.value)
}

/// The constants of that code.
pub(super) fn constants(code: &[u8], start_addr: u32, gp: Option<u32>) -> Vec<Constant> {
    let mut sweep = Sweep::default();
    sweep.set(GP, gp);
    let mut offset = 0;
    while let Some(half) = u16_at(code, offset) {
        sweep.at = start_addr.wrapping_add(u32::try_from(offset).unwrap_or(u32::MAX));
        if half & 3 == 3 {
            let Some(word) = u32_at(code, offset) else { break };
            sweep.word(word);
            offset += 4;
        } else {
            sweep.compressed(u32::from(half));
            offset += 2;
        }
    }
    sweep.out
}

#[derive(Default)]
struct Sweep {
    at: u32,
    known: [Option<u32>; 32],
    /// The latest constant in each register, as its index in `out`.
    latest: [Option<usize>; 32],
    out: Vec<Constant>,
}

impl Sweep {
    fn get(&self, register: u8) -> Option<u32> {
        self.known.get(usize::from(register)).copied().flatten()
    }

    fn set(&mut self, register: u8, value: Option<u32>) {
        if let Some(slot) = self.known.get_mut(usize::from(register)) {
            *slot = value;
        }
    }

    /// After a call the values of these registers are unknown.
    fn call(&mut self) {
        CALLER_SAVED.into_iter().for_each(|register| self.set(register, None));
    }

    /// Records a constant; `from` is the register whose value it was formed from, if any.
    fn load(&mut self, register: u8, value: u32, from: Option<u8>) {
        let constant = Constant { at: self.at, register, value };
        let latest = self.latest.get(usize::from(register)).copied().flatten();
        let same = latest
            .filter(|_| from == Some(register))
            .and_then(|index| self.out.get_mut(index))
            .filter(|earlier| self.at.wrapping_sub(earlier.at) <= STEP_BYTES);
        if let Some(step) = same {
            *step = constant;
        } else {
            if let Some(latest) = self.latest.get_mut(usize::from(register)) {
                *latest = Some(self.out.len());
            }
            self.out.push(constant);
        }
        self.set(register, Some(value));
    }

    fn word(&mut self, word: u32) {
        let [rd, rs] = [word >> 7, word >> 15].map(five_bits);
        let upper = word & 0xffff_f000;
        let immediate = sign_extended(word >> 20, 12);
        match (word & 0x7f, word >> 12 & 7) {
            (0x37, _) => self.load(rd, upper, None),
            (0x17, _) => self.load(rd, self.at.wrapping_add(upper), None),
            (0x13, 0) if rs == 0 => self.load(rd, immediate, None),
            (0x13, 0) => match self.get(rs) {
                Some(value) if rd != GP || rs == GP => {
                    self.load(rd, value.wrapping_add(immediate), Some(rs));
                }
                _ => self.set(rd, None),
            },
            (0x13, 1) => match self.get(rs) {
                Some(value) => self.load(rd, value << (word >> 20 & 31), Some(rs)),
                None => self.set(rd, None),
            },
            (0x03 | 0x13 | 0x33, _) => self.set(rd, None),
            (0x6f | 0x67, _) => {
                self.set(rd, None);
                self.call();
            }
            _ => {}
        }
    }

    fn compressed(&mut self, half: u32) {
        let [rd, rs] = [half >> 7, half >> 2].map(five_bits);
        let immediate = sign_extended((half >> 7 & 32) | (half >> 2 & 31), 6);
        match (half & 3, half >> 13) {
            // c.addi
            (1, 0) => {
                if let Some(value) = self.get(rd) {
                    self.load(rd, value.wrapping_add(immediate), Some(rd));
                }
            }
            // c.jal
            (1, 1) => self.call(),
            // c.li
            (1, 2) if rd != 0 => self.load(rd, immediate, None),
            // c.lui; for sp it is c.addi16sp.
            (1, 3) if rd != 0 && rd != 2 => self.load(rd, immediate << 12, None),
            // Arithmetic.
            (1, 4) => self.set(8 + five_bits(half >> 7 & 7), None),
            // c.slli
            (2, 0) => {
                if let Some(value) = self.get(rd) {
                    self.load(rd, value << (half >> 2 & 31), Some(rd));
                }
            }
            // c.lwsp
            (2, 2) => self.set(rd, None),
            // c.jr and c.jalr
            (2, 4) if rs == 0 => self.call(),
            // c.mv
            (2, 4) if half >> 12 & 1 == 0 => self.set(rd, self.get(rs)),
            // c.lw
            (0, 2) => self.set(8 + five_bits(half >> 2 & 7), None),
            _ => {}
        }
    }
}

/// The number of a register.
fn five_bits(bits: u32) -> u8 {
    u8::try_from(bits & 31).unwrap_or_default()
}

/// The number in the lowest `count` bits, of which the highest is the sign.
fn sign_extended(bits: u32, count: u32) -> u32 {
    let shift = 32 - count;
    (((bits << shift).cast_signed()) >> shift).cast_unsigned()
}
