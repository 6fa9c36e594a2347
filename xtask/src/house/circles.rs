//! Circles of imports: at most three files of a crate may import from one another in a circle.
//!
//! ```text
//!   plan.rs --use--> cost.rs --use--> erase.rs       fine: each can be read after those it uses
//!      ^                                  |
//!      '-----------------use--------------'          a circle: none can be read first
//! ```
//!
//! What counts is each `use` and each path in code, see `modules`. A name that a file only
//! re-exports leads to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::files;
use super::modules::{Modules, is_crate};
use crate::workspace;

/// Files that a circle may have.
const MAX_FILES: usize = 3;

/// Files that all lead to one another, each with those of them that it imports from.
type Circle = BTreeMap<PathBuf, Vec<PathBuf>>;

/// Fails with the files of each circle that is too large, and what each imports from.
pub(super) fn check() -> Result<()> {
    let root = workspace::root()?;
    let name = |file: &Path| file.strip_prefix(root).unwrap_or(file).display().to_string();
    let mut found = String::new();
    for path in files(".rs")?.iter().filter(|path| is_crate(path)) {
        for circle in circles(&root.join(path))?.iter().filter(|circle| circle.len() > MAX_FILES) {
            found += &format!("\n{} files:", circle.len());
            for (file, imported) in circle {
                let imported: Vec<_> = imported.iter().map(|file| name(file)).collect();
                found += &format!("\n  {} imports from {}", name(file), imported.join(", "));
            }
        }
    }
    if !found.is_empty() {
        bail!("more than {MAX_FILES} files import from one another in a circle:{found}");
    }
    Ok(())
}

/// The circles of the crate that begins with this file. Each file is in one of them at most.
fn circles(first: &Path) -> Result<BTreeSet<Circle>> {
    let modules = Modules::read(first)?;
    let mut imports: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for (from, to) in modules.imports() {
        imports.entry(from).or_default().insert(to);
    }
    // Warshall: what can be reached over the files up to `over`.
    let mut reached = imports.clone();
    for over in imports.keys() {
        let further = reached.get(over).cloned().unwrap_or_default();
        reached.values_mut().filter(|to| to.contains(over)).for_each(|to| to.extend(&further));
    }
    let leads = |from: &Path, to: &Path| reached.get(from).is_some_and(|files| files.contains(to));
    let circle = |file: &Path| {
        let is_in = |other: &Path| leads(file, other) && leads(other, file);
        let others = imports.iter().filter(|(other, _)| is_in(other));
        let owned = |files: &BTreeSet<&Path>| {
            files.iter().filter(|file| is_in(file)).map(|file| file.to_path_buf()).collect()
        };
        others.map(|(other, imported)| (other.to_path_buf(), owned(imported))).collect()
    };
    let files = imports.keys().filter(|file| leads(file, file));
    Ok(files.map(|file| circle(file)).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The names of the files in each circle of a crate with these files.
    fn circles_of(name: &str, files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let folder = workspace::target(&format!("circles-test-{name}")).unwrap().join("src");
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = circles(&folder.join("lib.rs")).unwrap();
        let name = |file: &PathBuf| file.strip_prefix(&folder).unwrap().display().to_string();
        found.iter().map(|circle| circle.keys().map(name).collect()).collect()
    }

    #[test]
    fn a_planted_circle_is_found() {
        let found = circles_of(
            "planted",
            &[
                ("lib.rs", "mod a; mod b; mod c; pub use a::A;"),
                ("a/mod.rs", "mod inner; pub use inner::A;"),
                ("a/inner.rs", "use crate::b::B; pub struct A;"),
                ("b.rs", "pub struct B; fn f() { super::c::c() }"),
                ("c.rs", "pub mod part; pub fn c() -> part::D {}"),
                // Through two re-exports.
                ("c/part.rs", "use std::fmt; pub struct D(crate::A);"),
            ],
        );
        assert_eq!(found, [["a/inner.rs", "b.rs", "c/part.rs", "c.rs"]]);
    }

    #[test]
    fn tests_and_one_way_imports_are_no_circle() {
        let found = circles_of(
            "none",
            &[
                ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
                ("a.rs", "pub struct A; #[cfg(test)] mod tests { use super::*; use crate::B; }"),
                ("b.rs", "use super::A; pub struct B; #[cfg(test)] mod tests;"),
            ],
        );
        assert_eq!(found, [[""; 0]; 0]);
    }
}
