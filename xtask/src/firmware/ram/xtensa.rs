//! Calls, jumps and constants in Xtensa code.
//!
//! Branches are left out: they reach 2 KiB, and flash is never that near to memory. Calls of an
//! address in a register are found by the constant that was loaded into it.
//!
//! Source: Xtensa Instruction Set Architecture Reference Manual, chapter 7, "Opcode Encodings".

use super::{Kind, Reference};

const L32R: u32 = 1;
const CALL: u32 = 5;
const JUMP: u32 = 6;

/// What the code at `address` refers to.
pub(super) fn references(code: &[u8], address: u64) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut at = address;
    let mut rest = code;
    while let Some(first) = rest.first() {
        // Instructions of the density option have two bytes.
        let len = if matches!(first & 0xf, 0x8..=0xd) { 2 } else { 3 };
        if len == 3
            && let Some([a, b, c]) = rest.get(..3)
        {
            let word = u32::from_le_bytes([*a, *b, *c, 0]);
            found.extend(reference(word, at));
        }
        rest = rest.get(len..).unwrap_or_default();
        at += len as u64;
    }
    found
}

fn reference(word: u32, at: u64) -> Option<Reference> {
    let offset = i64::from((word << 8).cast_signed() >> 14);
    let (to, kind) = match (word & 0xf, word >> 4 & 3) {
        (L32R, _) => {
            // Always backwards, in words, from the next word.
            let words = i64::from(word >> 8) - (1 << 16);
            (((at + 3) & !3).checked_add_signed(words * 4)?, Kind::Constant)
        }
        (CALL, _) => (((at & !3) + 4).checked_add_signed(offset * 4)?, Kind::Code),
        (JUMP, 0) => ((at + 4).checked_add_signed(offset)?, Kind::Code),
        _ => return None,
    };
    Some(Reference { at, to, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_jumps_and_constants_are_found() {
        let at = 0x4008_0400;
        let code = [
            0x36, 0x41, 0x00, // entry a1, 32
            0x81, 0xfe, 0xff, // l32r a8, 0x400803fc
            0xe0, 0x08, 0x00, // callx8 a8
            0xe5, 0x0f, 0x00, // call8 0x4008050c
            0x46, 0xff, 0xff, // j 0x4008040d
            0x1d, 0xf0, // retw.n
        ];
        let found = references(&code, at);
        assert_eq!(
            found,
            [
                Reference { at: at + 3, to: 0x4008_03fc, kind: Kind::Constant },
                Reference { at: at + 9, to: 0x4008_0508, kind: Kind::Code },
                Reference { at: at + 12, to: 0x4008_040d, kind: Kind::Code },
            ]
        );
    }
}
