//! Addresses in large stack frames, in fewer instructions.
//!
//! LLVM computes an offset in a register and then adds the stack pointer to it. Adding to the stack
//! pointer directly takes one instruction less, and two less if the address is only used to load
//! from it. The futures have large frames, so this saves a hundredth of the code.
//!
//! ```text
//!   movi a8, 156; addmi a8, a8, 12288; add a8, a1, a8     addmi a8, a1, 12544; addi a8, a8, -100
//!   ... l32i a8, a8, 0                                    addmi a8, a1, 12288; l32i a8, a8, 156
//! ```

/// Largest offset of `l32i`, in bytes.
const LOAD_REACH_BYTES: i32 = 1020;

/// The assembly, with shorter sequences.
pub(super) fn shortened(assembly: &str) -> String {
    let lines: Vec<&str> = assembly.lines().collect();
    let mut made = String::with_capacity(assembly.len());
    let mut rest = &lines[..];
    while let Some((line, following)) = rest.split_first() {
        if let Some((shorter, used)) = shorter(rest) {
            made.push_str(&shorter);
            rest = rest.get(used..).unwrap_or_default();
        } else {
            made.push_str(line);
            made.push('\n');
            rest = following;
        }
    }
    made
}

/// What the first lines can be replaced with, and how many lines that replaces.
fn shorter(lines: &[&str]) -> Option<(String, usize)> {
    let ("movi", [register, low]) = parts(lines.first()?)? else { return None };
    let ("addmi", [to, from, high]) = parts(lines.get(1)?)? else { return None };
    let ("add", [sum, a, b]) = parts(lines.get(2)?)? else { return None };
    let frame = if b == register { a } else { b };
    let is_one = [to, from, sum].iter().all(|name| *name == register);
    if !is_one || (a != register && b != register) || frame == register {
        return None;
    }
    let (low, high) = (low.parse::<i32>().ok()?, high.parse::<i32>().ok()?);
    if let Some(("l32i", [to, from, "0"])) = lines.get(3).and_then(|line| parts(line))
        && to == register
        && from == register
        && low % 4 == 0
        && (0..=LOAD_REACH_BYTES).contains(&low)
    {
        let text = format!(
            "\taddmi\t{register}, {frame}, {high}\n\tl32i\t{register}, {register}, {low}\n"
        );
        return Some((text, 4));
    }
    // addi adds -128 to 127, addmi multiples of 256 up to 127 of them.
    let near = (low + 128).rem_euclid(256) - 128;
    let high = high + low - near;
    if high == 0 || !(-128..=127).contains(&(high / 256)) {
        return None;
    }
    let mut text = format!("\taddmi\t{register}, {frame}, {high}\n");
    if near != 0 {
        text.push_str(&format!("\taddi\t{register}, {register}, {near}\n"));
    }
    Some((text, 3))
}

/// Name and operands of an instruction.
fn parts<const N: usize>(line: &str) -> Option<(&str, [&str; N])> {
    let text = line.strip_prefix('\t')?;
    let text = text.split_once('#').map_or(text, |(text, _)| text).trim_end();
    let (name, operands) = text.split_once('\t')?;
    let operands: Vec<&str> = operands.split(',').map(str::trim).collect();
    Some((name, operands.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(lines: &str) -> String {
        let lines: String = lines.split("; ").map(|line| format!("\t{line}\n")).collect();
        let made = shortened(&lines.replace(' ', "\t").replace(",\t", ", "));
        made.trim().replace("\n\t", "; ").replace('\t', " ")
    }

    #[test]
    fn the_same_address_in_fewer_instructions() {
        let far = "movi a8, 156; addmi a8, a8, 12288; add a8, a1, a8; s32i a9, a8, 0";
        assert_eq!(is(far), "addmi a8, a1, 12544; addi a8, a8, -100; s32i a9, a8, 0");
        let even = "movi a8, 0; addmi a8, a8, 1024; add a8, a8, a1";
        assert_eq!(is(even), "addmi a8, a1, 1024");
        let load = "movi a8, 156; addmi a8, a8, 12288; add a8, a1, a8; l32i a8, a8, 0; retw";
        assert_eq!(is(load), "addmi a8, a1, 12288; l32i a8, a8, 156; retw");
        let other = "movi a8, 8; addmi a8, a8, 1024; add a8, a1, a8; l32i a9, a8, 0";
        assert_eq!(is(other), "addmi a8, a1, 1024; addi a8, a8, 8; l32i a9, a8, 0");
    }

    #[test]
    fn everything_else_stays() {
        for lines in [
            "movi a8, 156; addmi a9, a8, 12288; add a8, a1, a8",
            "movi a8, 156; addmi a8, a8, 12288; add a9, a1, a8",
            "movi a8, 156; addmi a8, a8, 12288; add a8, a8, a8",
            "movi a8, 200; addmi a8, a8, 32512; add a8, a1, a8",
            "movi a8, 156; addmi a8, a8, 12288; s32i a8, a1, 0",
            "movi a8, 156; addmi a8, a8, 12288",
        ] {
            assert_eq!(is(lines), lines);
        }
    }
}
