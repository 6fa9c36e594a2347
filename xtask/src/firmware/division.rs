//! Division of 128-bit numbers, which LLVM 23 and 24 miscompile for Xtensa: seen when the results
//! of the firmware's crates were compared with those of the host. The firmware does not divide such
//! numbers; this check reports a dependency that begins to.

use anyhow::{Result, ensure};
use object::{Object, ObjectSymbol};

/// Parts of the names of the routines, those of the compiler's library and their common part.
const ROUTINES: [&str; 6] =
    ["__udivti3", "__umodti3", "__divti3", "__modti3", "__udivmodti4", "u128_div_rem"];

/// Checks that no such routine is linked.
///
/// # Errors
///
/// If one is.
pub(super) fn check(elf: &[u8]) -> Result<()> {
    let file = object::File::parse(elf)?;
    let names = file.symbols().filter_map(|symbol| symbol.name().ok());
    let linked: Vec<&str> =
        names.filter(|name| ROUTINES.iter().any(|routine| name.contains(routine))).collect();
    ensure!(
        linked.is_empty(),
        "128-bit numbers are divided ({}), which this compiler gets wrong for Xtensa",
        linked.join(", ")
    );
    Ok(())
}
