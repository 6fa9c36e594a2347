//! LLVM's assembly, made smaller and put into IR again.
//!
//! LLVM writes every instruction with three bytes, although these cores have two-byte forms of the
//! most frequent ones, which save a tenth of the code. Espressif's LLVM and every GNU assembler use
//! them. The only assembler in the archive is LLVM's own, which takes a whole program as
//! module-level assembly.
//!
//! ```text
//!   optimised.ll --llc--> narrow.s --this file--> narrow.ll: module asm "..." --llc--> all.o
//!       '-- its own module-level assembly, untouched ----^
//! ```
//!
//! In assembly, LLVM also writes a function's literals before it switches to the function's
//! section. So they would be placed with the previous function: in flash, perhaps, for a function
//! in memory.
//!
//! Source: Xtensa Instruction Set Architecture Reference Manual, "Code Density Option".

use anyhow::{Context, Result};

/// IR without its module-level assembly, and that assembly, a line each.
pub(super) fn split(ir: &str) -> (String, String) {
    let mut rest = String::with_capacity(ir.len());
    let mut assembly = String::new();
    let mut is_block = false;
    for line in ir.lines() {
        is_block = is_assembly(line, is_block);
        let to = if is_block { &mut assembly } else { &mut rest };
        to.push_str(line);
        to.push('\n');
    }
    (rest, assembly)
}

/// Whether a line of IR is module-level assembly; `follows` if the line before it was. Newer
/// versions of LLVM write `module asm` once for a block of lines.
pub(super) fn is_assembly(line: &str, follows: bool) -> bool {
    line.starts_with("module asm") || follows && line.starts_with("    \"")
}

/// IR with the assembly of a whole program in it, in narrow instructions. `first` is module-level
/// assembly in IR, which stays as it is; `ir` is the program from which `assembly` was made.
///
/// # Errors
///
/// If `ir` does not say what it is for.
pub(super) fn program(ir: &str, first: &str, assembly: &str) -> Result<String> {
    let mut program = String::new();
    for start in ["target datalayout", "target triple"] {
        let line = ir.lines().find(|line| line.starts_with(start));
        program.push_str(line.with_context(|| format!("there is no {start} in the IR"))?);
        program.push('\n');
    }
    program.push_str(first);
    let mut literals: Vec<&str> = Vec::new();
    let mut section = ".text";
    let mut is_inline = false;
    for line in assembly.lines() {
        match line.trim() {
            "#APP" => is_inline = true,
            "#NO_APP" => is_inline = false,
            text if text.starts_with(".literal") => {
                literals.push(text);
                continue;
            }
            text if text.starts_with(".section\t") => {
                let name = text.trim_start_matches(".section\t");
                section = name.split_once(',').map_or(name, |(name, _)| name);
            }
            text if text.starts_with(".type") && text.ends_with("@function") => {
                if !literals.is_empty() {
                    push(&mut program, &aligned(section));
                }
                literals.drain(..).for_each(|line| push(&mut program, line));
            }
            _ => {}
        }
        match narrow(line).filter(|_| !is_inline) {
            Some(line) => push(&mut program, &line),
            None => push(&mut program, line),
        }
    }
    Ok(program)
}

/// Aligns the section in which LLVM puts the literals of a section; in assembly, LLVM forgets to.
fn aligned(section: &str) -> String {
    let name = match section.strip_prefix(".text") {
        Some(function) => format!(".literal{function}"),
        None => format!("{section}.literal"),
    };
    format!("\t.pushsection\t{name},\"ax\",@progbits; .balign 4; .popsection")
}

/// Adds a line of assembly.
fn push(program: &mut String, line: &str) {
    let is_left_out =
        line.is_empty() || line.starts_with("\t.file") || line.starts_with("\t.ident");
    if is_left_out {
        return;
    }
    program.push_str("module asm \"");
    for c in line.chars() {
        match c {
            '\\' => program.push_str("\\5C"),
            '"' => program.push_str("\\22"),
            '\t' => program.push_str("\\09"),
            c => program.push(c),
        }
    }
    program.push_str("\"\n");
}

/// The two-byte form of an instruction, if it has one.
fn narrow(line: &str) -> Option<String> {
    let text = line.strip_prefix('\t')?;
    let text = text.split_once('#').map_or(text, |(text, _)| text).trim_end();
    let (name, operands) = text.split_once('\t').unwrap_or((text, ""));
    let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
    let number = |at: usize| operands.get(at)?.parse::<i32>().ok();
    let fits = match (name, operands.len()) {
        ("l32i" | "s32i", 3) => matches!(number(2)?, 0..=60),
        ("addi", 3) => matches!(number(2)?, -1 | 1..=15),
        ("movi", 2) => matches!(number(1)?, -32..=95),
        ("add", 3) | ("ret" | "retw", 1) => true,
        ("or", 3) if operands.get(1) == operands.get(2) => {
            return Some(format!("\tmov.n\t{}, {}", operands.first()?, operands.get(1)?));
        }
        _ => false,
    };
    fits.then(|| format!("\t{name}.n\t{}", operands.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_narrow_form_is_changed() {
        let is = |wide: &str| narrow(wide).map(|line| line.replace('\t', " ").trim().to_owned());
        assert_eq!(is("\tl32i\ta8, a1, 60   # 4-byte Folded Reload").unwrap(), "l32i.n a8, a1, 60");
        assert_eq!(is("\tor\ta5, a6, a6").unwrap(), "mov.n a5, a6");
        assert_eq!(is("\tadd\ta5, a6, a7").unwrap(), "add.n a5, a6, a7");
        assert_eq!(is("\tmovi\ta5, -32").unwrap(), "movi.n a5, -32");
        assert_eq!(is("\tretw").unwrap(), "retw.n");
        for wide in [
            "\tl32i\ta8, a1, 64",
            "\tor\ta5, a6, a7",
            "\taddi\ta1, a1, 16",
            "\taddi\ta1, a1, 0",
            "\tmovi\ta5, 96",
            "\tl32r\ta8, .LCPI0_1",
            "\t.long\tadd",
            "name:",
        ] {
            assert_eq!(is(wide), None, "{wide}");
        }
    }

    #[test]
    fn literals_follow_the_section_of_their_function() {
        let ir = "target datalayout = \"e\"\ntarget triple = \"xtensa\"\n";
        let assembly = "\t.file\t\"a\"\n\t.literal_position\n\t.literal .L0, there\n\
                        \t.section\t.rwtext,\"ax\",@progbits\n\t.type\tf,@function\nf:\n\tretw\n";
        let made = program(ir, "module asm \"first\"\n", assembly).unwrap();
        let wanted = r#"target datalayout = "e"
target triple = "xtensa"
module asm "first"
module asm "\09.section\09.rwtext,\22ax\22,@progbits"
module asm "\09.pushsection\09.rwtext.literal,\22ax\22,@progbits; .balign 4; .popsection"
module asm ".literal_position"
module asm ".literal .L0, there"
module asm "\09.type\09f,@function"
module asm "f:"
module asm "\09retw.n\09"
"#;
        assert_eq!(made, wanted);
        assert!(program("", "", assembly).is_err());
    }

    #[test]
    fn assembly_is_told_from_ir() {
        let ir = "target triple = \"x\"\nmodule asm\n    \".balign 4\"\n    \"a:\"\n\n@b = global \
                  i32 0\nmodule asm \"c:\"\n";
        let (rest, assembly) = split(ir);
        assert_eq!(rest, "target triple = \"x\"\n\n@b = global i32 0\n");
        assert_eq!(assembly, "module asm\n    \".balign 4\"\n    \"a:\"\nmodule asm \"c:\"\n");
    }
}
