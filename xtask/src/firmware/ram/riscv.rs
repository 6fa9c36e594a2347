//! Calls, jumps and addresses in RISC-V code.
//!
//! Branches are left out: they reach 4 KiB, and flash is never that near to memory. An address that
//! two instructions compute is put together if they follow each other, as the linker's relaxation
//! needs too. Otherwise only its upper part is used, which is enough to tell flash from memory.
//!
//! Source: The RISC-V Instruction Set Manual, volume I, "RV32I" and "C".

use super::{Kind, Reference};

const LUI: u32 = 0x37;
const AUIPC: u32 = 0x17;
const JAL: u32 = 0x6f;
const JALR: u32 = 0x67;
const ADDI: u32 = 0x13;

/// What the code at `address` refers to.
pub(super) fn references(code: &[u8], address: u64) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut at = address;
    let mut rest = code;
    while let Some(low) = half(rest, 0) {
        let len = if low & 3 == 3 { 4 } else { 2 };
        let following = rest.get(len..).unwrap_or_default();
        let word = half(rest, 2).map_or(low, |high| low | high << 16);
        let reference = if len == 4 { long(word, at, following) } else { short(low, at) };
        found.extend(reference);
        rest = following;
        at += len as u64;
    }
    found
}

fn half(code: &[u8], at: usize) -> Option<u32> {
    let bytes = code.get(at..at + 2)?.first_chunk()?;
    Some(u32::from(u16::from_le_bytes(*bytes)))
}

/// An instruction of four bytes, and those after it.
fn long(word: u32, at: u64, following: &[u8]) -> Option<Reference> {
    let base = at as u32;
    let (to, kind) = match word & 0x7f {
        JAL => (base.wrapping_add(jal_offset(word)), Kind::Code),
        opcode @ (LUI | AUIPC) => {
            let upper = word & 0xffff_f000;
            let upper = if opcode == AUIPC { base.wrapping_add(upper) } else { upper };
            let register = word >> 7 & 31;
            let next = half(following, 0)? | half(following, 2).unwrap_or_default() << 16;
            let lower = (next.cast_signed() >> 20).cast_unsigned();
            match next & 0x7f {
                _ if next >> 15 & 31 != register => (upper, Kind::Value),
                JALR => (upper.wrapping_add(lower), Kind::Code),
                ADDI => (upper.wrapping_add(lower), Kind::Value),
                _ => (upper, Kind::Value),
            }
        }
        _ => return None,
    };
    Some(Reference { at, to: u64::from(to), kind })
}

/// An instruction of two bytes: c.jal and c.j.
fn short(word: u32, at: u64) -> Option<Reference> {
    if word & 3 != 1 || !matches!(word >> 13, 1 | 5) {
        return None;
    }
    // offset[11|4|9:8|10|6|7|3:1|5]
    let bit = |from: u32, to: u32| (word >> from & 1) << to;
    let offset = bit(12, 11)
        | bit(11, 4)
        | bit(10, 9)
        | bit(9, 8)
        | bit(8, 10)
        | bit(7, 6)
        | bit(6, 7)
        | bit(5, 3)
        | bit(4, 2)
        | bit(3, 1)
        | bit(2, 5);
    let offset = ((offset << 20).cast_signed() >> 20).cast_unsigned();
    Some(Reference { at, to: u64::from((at as u32).wrapping_add(offset)), kind: Kind::Code })
}

/// imm[20|10:1|11|19:12]
fn jal_offset(word: u32) -> u32 {
    let sign = ((word & 0x8000_0000).cast_signed() >> 11).cast_unsigned();
    sign | (word & 0xf_f000) | (word >> 9 & 0x800) | (word >> 20 & 0x7fe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_jumps_and_addresses_are_found() {
        let at = 0x4038_0000;
        let code = [
            0x97, 0x00, 0xc8, 0x01, // auipc ra, 0x1c80
            0xe7, 0x80, 0x00, 0x10, // jalr ra, 0x100(ra)
            0xef, 0x00, 0x40, 0x00, // jal ra, .+4
            0x6f, 0xf0, 0x5f, 0xff, // j .-12
            0x37, 0x25, 0x00, 0x60, // lui a0, 0x60002
            0x13, 0x05, 0x45, 0x00, // addi a0, a0, 4
            0x01, 0xa0, // c.j .
            0xf5, 0xbf, // c.j .-4
            0x82, 0x80, // ret
        ];
        let found = references(&code, at);
        let wanted = [
            (0, 0x4200_0100, Kind::Code),
            (8, 0x4038_000c, Kind::Code),
            (12, 0x4038_0000, Kind::Code),
            (16, 0x6000_2004, Kind::Value),
            (24, 0x4038_0018, Kind::Code),
            (26, 0x4038_0016, Kind::Code),
        ];
        let found: Vec<_> = found.iter().map(|r| (r.at - at, r.to, r.kind)).collect();
        assert_eq!(found, wanted);
    }
}
