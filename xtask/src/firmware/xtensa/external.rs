//! `rer` and `wer`, the instructions for external registers, which LLVM's assembler does not have.
//!
//! They are encoded here. The encoding names registers, so the operands get fixed ones: the value
//! is in a9, the address in a8.

/// What `xtensa-lx` has as inline assembly, and the same with the instruction's bytes.
///
/// Source of the encoding: Xtensa Instruction Set Architecture Reference Manual, RER and WER (RRR
/// format, op0 0, op1 0, op2 4, r 6 or 7, s the address, t the value).
const EXTERNAL_REGISTERS: [(&str, &str); 2] = [
    ("\"rer ${0}, ${1}\", \"=&r,r", "\".byte 0x90, 0x68, 0x40\", \"=&{a9},{a8}"),
    ("\"wer ${0}, ${1}\", \"r,r", "\".byte 0x90, 0x78, 0x40\", \"{a9},{a8}"),
];

/// The IR with both encoded.
pub(super) fn encoded(ir: String) -> String {
    EXTERNAL_REGISTERS.into_iter().fold(ir, |ir, (name, bytes)| match ir.contains(name) {
        true => ir.replace(name, bytes),
        false => ir,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_get_fixed_registers() {
        let ir = r#"%1 = call i32 asm sideeffect "rer ${0}, ${1}", "=&r,r,~{memory}"(i32 %a)"#;
        let asm = "\".byte 0x90, 0x68, 0x40\", \"=&{a9},{a8},~{memory}\"";
        let wanted = format!("%1 = call i32 asm sideeffect {asm}(i32 %a)");
        assert_eq!(encoded(ir.to_owned()), wanted);
    }
}
