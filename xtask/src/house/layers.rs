//! Layers: a crate depends on no other of the workspace than ARCHITECTURE.md allows.
//!
//! ```text
//! | `mcuboot-boot` | what it is | formats                | ...
//! | `fuzz-targets` | what it is | all but `bootswap-cli` | ...
//!   the crate                     what it may depend on
//! ```
//!
//! The table there is the rule; tests may depend on more, so only dependencies of the crates
//! themselves count. Terminal interfaces are left to the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{cargo, output};
use crate::workspace;

/// What "formats" in the table stands for.
const FORMATS: [&str; 4] = ["flash-region", "esp-idf-format", "mcuboot-format", "carrier-format"];
/// Libraries for terminals, and the crates that may have them.
const TERMINALS: [&str; 4] = ["clap", "crossterm", "indicatif", "ratatui"];
const WITH_TERMINALS: [&str; 2] = ["bootswap-cli", "xtask"];

type Names = BTreeSet<String>;

/// Fails with each dependency that the table does not allow.
pub(super) fn check() -> Result<()> {
    let path = workspace::root()?.join("ARCHITECTURE.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let crates = dependencies(&serde_json::from_str(&metadata)?);
    let wrong = objections(&text, &crates);
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

/// Each crate of the workspace with what it depends on, its tests left out.
fn dependencies(metadata: &Value) -> BTreeMap<String, Names> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]);
    let used = |package: &Value| {
        let all = list(&package["dependencies"]);
        all.iter().filter(|found| found["kind"].is_null()).map(name).collect()
    };
    packages.iter().map(|package| (name(package), used(package))).collect()
}

/// What the table says against these crates.
fn objections(table: &str, crates: &BTreeMap<String, Names>) -> Vec<String> {
    let all: Names = crates.keys().cloned().collect();
    let rows: BTreeMap<_, _> = table.lines().filter_map(|line| row(line, &all)).collect();
    let mut wrong = Vec::new();
    for (name, used) in crates {
        let Some(allowed) = rows.get(name) else {
            wrong.push(format!("ARCHITECTURE.md has no row for {name}"));
            continue;
        };
        let ours = used.intersection(&all).filter(|used| !allowed.contains(*used));
        wrong.extend(ours.map(|used| format!("{name} must not depend on {used}")));
        let terminals = used.iter().filter(|used| TERMINALS.contains(&used.as_str()));
        let terminals = terminals.filter(|_| !WITH_TERMINALS.contains(&name.as_str()));
        wrong.extend(terminals.map(|used| format!("{name} must not depend on {used}")));
    }
    wrong
}

/// The crate of a row of the table, and what it may depend on.
fn row(line: &str, all: &Names) -> Option<(String, Names)> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
    let &[first, _, allowed, _] = cells.as_slice() else { return None };
    let name = first.strip_prefix('`')?.strip_suffix('`')?;
    let mut named: Names = allowed.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    if allowed.starts_with("all but ") {
        named = all.difference(&named).cloned().collect();
    }
    if allowed.contains("formats") {
        named.extend(FORMATS.map(str::to_owned));
    }
    Some((name.to_owned(), named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crates_keep_to_the_table() {
        check().unwrap();
    }

    #[test]
    fn what_the_table_does_not_allow_is_named() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Names>();
        let crates = [
            ("boot", names(&["flash-region", "plan", "serde"])),
            ("flash-region", names(&[])),
            ("fuzz", names(&["boot", "cli", "clap"])),
            ("cli", names(&[])),
            ("plan", names(&[])),
        ];
        let crates = crates.map(|(name, used)| (name.to_owned(), used)).into();
        let table = "| `boot` | a \\| b | formats | - |\n| `flash-region` | x | nothing | |\n\
            | `boot` | what | formats | planner |\n| `fuzz` | what | all but `cli` | |\n\
            | `cli` | what | nothing | |\n";
        let wanted = [
            "boot must not depend on plan",
            "fuzz must not depend on cli",
            "fuzz must not depend on clap",
            "ARCHITECTURE.md has no row for plan",
        ];
        assert_eq!(objections(table, &crates), wanted);
    }
}
