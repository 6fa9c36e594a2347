//! Constants in Xtensa code: `movi` and `l32r`.
//!
//! Encodings: Xtensa Instruction Set Architecture Reference Manual, "MOVI", "L32R".

use alloc::vec::Vec;

use super::Constant;
use crate::bootloader::memory::addressed;
use crate::bytes::u32_at;

/// The constants of that code.
///
/// Literals lie among the instructions, and instructions have 2 or 3 bytes, so one may begin at
/// every byte.
pub(super) fn constants(code: &[u8], start_addr: u32) -> Vec<Constant> {
    let loaded = addressed(start_addr, code, 3).filter_map(|(at, window)| {
        let &[b0, b1, b2] = window.first_chunk()?;
        let value = match b0 & 15 {
            // movi: register t in the first byte, then a signed number of 12 bits.
            2 if b1 & 0xf0 == 0xa0 => {
                let bits = u32::from(b1 & 15) << 8 | u32::from(b2);
                ((bits << 20).cast_signed() >> 20).cast_unsigned()
            }
            // l32r: a word before the instruction, counted in words.
            1 => {
                let words = 0x1_0000 - (u32::from(b1) | u32::from(b2) << 8);
                let literal = (at.wrapping_add(3) & !3).checked_sub(words * 4)?;
                let offset = literal.checked_sub(start_addr)?;
                u32_at(code, usize::try_from(offset).ok()?)?
            }
            _ => return None,
        };
        Some(Constant { at, register: b0 >> 4, value })
    });
    loaded.collect()
}
