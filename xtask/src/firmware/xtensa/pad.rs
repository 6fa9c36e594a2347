//! Runs llc, and changes functions that it cannot compile as they are.
//!
//! Xtensa's frame lowering reserves an emergency slot for the register scavenger only in frames of
//! more than 2047 bytes. In some smaller frames it needs one all the same, and llc gives up:
//! "Cannot scavenge register ... on function '@name'". Such a function gets an unused variable of 2
//! KiB, so that its frame exceeds the limit. It costs stack, and hardly any code. With all crates
//! optimised together no function of the firmware has needed it so far, so the linker says when one
//! does.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Bytes of that variable.
const PAD_BYTES: usize = 2048;
/// How many functions may need it.
const MOST: usize = 32;

/// Compiles IR, which it changes where it has to.
///
/// # Errors
///
/// If llc fails for any other reason.
pub(super) fn compile(llc: &Path, source: &Path, flags: &[&str], to: &Path) -> Result<()> {
    let mut padded: Vec<String> = Vec::new();
    loop {
        let run = Command::new(llc).args(flags).arg("-o").arg(to).arg(source).output()?;
        if run.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&run.stderr);
        let name = said
            .contains("scavenge")
            .then(|| said.split_once("on function '@")?.1.split_once('\'').map(|(name, _)| name))
            .flatten()
            .filter(|name| padded.len() < MOST && !padded.iter().any(|known| known == name));
        let Some(name) = name else {
            bail!("llc: {}", said.chars().take(3000).collect::<String>());
        };
        let ir = fs::read_to_string(source)?;
        let ir = with_pad(&ir, name).with_context(|| format!("no function {name} in the IR"))?;
        fs::write(source, ir)?;
        eprintln!("{name} gets {PAD_BYTES} bytes more of stack, so that llc can compile it");
        padded.push(name.to_owned());
    }
}

/// The IR with the variable at the beginning of a function; `None` if the function is not there.
fn with_pad(ir: &str, name: &str) -> Option<String> {
    let is_head = |line: &&str| {
        line.starts_with("define ")
            && [format!("@{name}("), format!("@\"{name}\"(")].iter().any(|at| line.contains(at))
    };
    let head = ir.lines().find(is_head)?;
    let start = ir.find(head)?;
    // The head may go on over several lines; the entry block may have a label.
    let mut at = start + ir.get(start..)?.find("{\n")? + 2;
    let first = ir.get(at..)?.lines().next()?;
    if !first.starts_with(' ') && first.contains(':') {
        at += first.len() + 1;
    }
    // The assembly is empty: it keeps the variable from being optimised away.
    let pad = format!(
        "  %bootswap.pad = alloca [{PAD_BYTES} x i8], align 4\n  \
         call void asm sideeffect \"\", \"r\"(ptr %bootswap.pad)\n"
    );
    Some(format!("{}{pad}{}", ir.get(..at)?, ir.get(at..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_the_first_of_its_function() {
        let ir = "define void @a() {\n  ret void\n}\ndefine i32 @\"b.0\"(i32 %x) #1 {\nstart:\n  \
                  ret i32 0\n}\n";
        let padded = with_pad(ir, "b.0").unwrap();
        let (before, after) = padded.split_once("  %bootswap.pad").unwrap();
        assert!(before.ends_with("#1 {\nstart:\n"), "{padded}");
        assert!(after.ends_with("(ptr %bootswap.pad)\n  ret i32 0\n}\n"), "{padded}");
        assert!(with_pad(ir, "a").unwrap().starts_with("define void @a() {\n  %bootswap.pad"));
        assert_eq!(with_pad(ir, "c"), None);
    }
}
