//! The copy of the sources in which each prevention has a switch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::list::{Edit, Hazards};
use crate::process::{command, output};
use crate::workspace;

/// Stands in a replacement for the question whether this prevention is taken out.
pub(super) const TAKEN_OUT: &str = "TAKEN_OUT";
/// Environment variable with the name of the prevention that is taken out.
pub(super) const VARIABLE: &str = "BOOTSWAP_TAKEN_OUT";
/// The crate that every other one can ask: the lowest.
const LOWEST: &str = "crates/flash-region/src/lib.rs";
/// The question, for the lowest crate. The variable cannot change while a test runs.
const QUESTION: &str = r#"
extern crate std;

/// Whether this prevention is taken out.
#[must_use]
pub fn taken_out(name: &str) -> bool {
    static NAME: std::sync::OnceLock<std::string::String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| std::env::var("BOOTSWAP_TAKEN_OUT").unwrap_or_default()) == name
}
"#;

/// Writes the copy and returns its folder. Files that did not change are left alone, so that cargo
/// builds only what did.
pub(super) fn write(hazards: &Hazards) -> Result<PathBuf> {
    let root = workspace::root()?;
    let copy = workspace::target("hazards")?.join("source");
    let mut files = BTreeMap::new();
    let listed = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let names = output(command("git", &listed).current_dir(root))?;
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        // One that was deleted is still listed.
        if let Ok(bytes) = fs::read(root.join(name)) {
            files.insert(name.to_owned(), bytes);
        }
    }
    let mut changed: BTreeMap<&str, Vec<(String, &Edit)>> = BTreeMap::new();
    for (_, prevention) in hazards.preventions() {
        for edit in prevention.edits() {
            let with = replacement(edit, &prevention.name);
            changed.entry(&edit.file).or_default().push((with, edit));
        }
    }
    for (name, edits) in changed {
        let bytes = files.get(name).with_context(|| format!("{name} is not there"))?;
        let text = apply(std::str::from_utf8(bytes)?, edits).context(name.to_owned())?;
        files.insert(name.to_owned(), text.into_bytes());
    }
    files.get_mut(LOWEST).context(LOWEST)?.extend_from_slice(QUESTION.as_bytes());
    remove_others(&copy, &copy, &files)?;
    for (name, bytes) in &files {
        let path = copy.join(name);
        if fs::read(&path).is_ok_and(|found| found == *bytes) {
            continue;
        }
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(copy)
}

/// What stands instead of the text, with its question.
fn replacement(edit: &Edit, name: &str) -> String {
    let of = if edit.file.starts_with("crates/flash-region/") { "crate" } else { "flash_region" };
    edit.without.replace(TAKEN_OUT, &format!("{of}::taken_out({name:?})"))
}

/// Replaces all texts of one file; two of them must not overlap.
fn apply(text: &str, edits: Vec<(String, &Edit)>) -> Result<String> {
    let mut places = Vec::new();
    for (with, edit) in edits {
        let at = text.find(&edit.text).with_context(|| format!("no {:?}", edit.text))?;
        places.push((at, at + edit.text.len(), with));
    }
    places.sort();
    let mut result = String::new();
    let mut end = 0;
    for (start, next, with) in places {
        ensure!(start >= end, "two texts overlap: {with:?}");
        result += text.get(end..start).unwrap_or_default();
        result += &with;
        end = next;
    }
    Ok(result + text.get(end..).unwrap_or_default())
}

/// Removes what was in the sources once.
fn remove_others(dir: &Path, copy: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let Ok(entries) = dir.read_dir() else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(&path, copy, files)?;
        } else if !files.contains_key(&*path.strip_prefix(copy)?.to_string_lossy()) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, without: &str) -> Edit {
        let file = "crates/bootswap-plan/src/lib.rs".to_owned();
        Edit { file, text: text.to_owned(), without: without.to_owned() }
    }

    #[test]
    fn replacements_have_their_switch_and_do_not_overlap() {
        let [late, early] = [edit("c > d", "c > d && !TAKEN_OUT"), edit("a", "b")];
        let of = |edit| (replacement(edit, "one"), edit);
        let changed = apply("if a { c > d }", vec![of(&late), of(&early)]).unwrap();
        assert_eq!(changed, "if b { c > d && !flash_region::taken_out(\"one\") }");
        let over = edit("> d }", "");
        assert!(apply("if a { c > d }", vec![of(&late), of(&over)]).is_err());
    }

    #[test]
    fn the_question_reads_the_variable() {
        assert!(QUESTION.contains(&format!("{VARIABLE:?}")));
    }
}
