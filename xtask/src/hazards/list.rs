//! The list of hazards and what prevents them: `xtask/hazards.toml`.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::workspace;

/// Where the list is.
pub(super) const FILE: &str = "xtask/hazards.toml";

/// All that can kill a device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hazards {
    /// By ascending number, without a gap.
    pub hazard: Vec<Hazard>,
}

/// One way in which a migration kills devices or wastes a rollout.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hazard {
    pub number: u32,
    /// What goes wrong.
    pub what: String,
    /// Where it was seen, if anywhere.
    pub seen: Option<String>,
    /// What the program does about it.
    pub answer: String,
    /// What is not built yet.
    pub missing: Option<String>,
    /// Names of preventions of other hazards that prevent this one too.
    #[serde(default)]
    pub see: Vec<String>,
    #[serde(default)]
    pub prevention: Vec<Prevention>,
}

/// One rule that prevents a hazard, and the tests that fail without it.
#[derive(Debug, Deserialize)]
pub(super) struct Prevention {
    /// A name for the switch.
    pub name: String,
    /// The rule in words.
    pub rule: String,
    /// The text that is the prevention, and what takes it out.
    #[serde(flatten)]
    pub edit: Edit,
    /// Further places that have to change with it.
    #[serde(default)]
    pub also: Vec<Edit>,
    /// Each of them must fail then.
    pub tests: Vec<Test>,
}

/// A replacement in a source file.
#[derive(Debug, Deserialize)]
pub(super) struct Edit {
    /// Path from the root of the repository.
    pub file: String,
    /// It is exactly once in the file.
    pub text: String,
    /// What stands there instead.
    pub without: String,
}

/// A test function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Test {
    pub file: String,
    pub name: String,
}

impl TryFrom<String> for Test {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let parts = text.split_once(' ');
        let (file, name) =
            parts.with_context(|| format!("{text}: wanted a file and a function"))?;
        Ok(Self { file: file.to_owned(), name: name.to_owned() })
    }
}

impl Test {
    /// The folder of its package.
    pub(super) fn package(&self) -> Result<&str> {
        let end = self.file.match_indices('/').nth(1).map(|(at, _)| at);
        let folder = end.and_then(|end| self.file.get(..end));
        folder.filter(|folder| folder.starts_with("crates/")).with_context(|| self.file.clone())
    }
}

impl Prevention {
    /// All replacements that take it out.
    pub(super) fn edits(&self) -> impl Iterator<Item = &Edit> {
        [&self.edit].into_iter().chain(&self.also)
    }
}

impl Hazards {
    /// All preventions with their hazards.
    pub(super) fn preventions(&self) -> impl Iterator<Item = (&Hazard, &Prevention)> {
        let of = |hazard| move |prevention| (hazard, prevention);
        self.hazard.iter().flat_map(move |hazard| hazard.prevention.iter().map(of(hazard)))
    }
}

/// Reads the list.
pub(super) fn read() -> Result<Hazards> {
    let text = fs::read_to_string(workspace::root()?.join(FILE)).context(FILE)?;
    toml::from_str(&text).context(FILE)
}

/// Checks the list against the sources: that each text is where it says, that what takes it out has
/// a switch, and that each test is there.
pub(super) fn check(hazards: &Hazards, source: &dyn Fn(&str) -> Result<String>) -> Result<()> {
    let mut names = Vec::new();
    for (hazard, prevention) in hazards.preventions() {
        let name = &prevention.name;
        ensure!(!names.contains(&name), "row {}: {name} is there twice", hazard.number);
        names.push(name);
        for edit in prevention.edits() {
            let count = source(&edit.file)?.matches(edit.text.as_str()).count();
            let file = &edit.file;
            ensure!(count == 1, "{name}: its text is in {file} {count} times, not once");
        }
        let is_switched = prevention.edits().any(|e| e.without.contains(super::scratch::TAKEN_OUT));
        ensure!(is_switched, "{name}: what takes it out has no switch");
        ensure!(!prevention.tests.is_empty(), "{name} has no test");
        for Test { file, name: function } in &prevention.tests {
            if !source(file)?.contains(&format!("fn {function}(")) {
                bail!("{name}: {file} has no test {function}");
            }
        }
    }
    for (hazard, number) in hazards.hazard.iter().zip(1..) {
        for other in &hazard.see {
            ensure!(names.contains(&other), "row {number}: there is no {other} to see");
        }
        ensure!(hazard.number == number, "row {number} is missing or not in its place");
        let is_answered = !hazard.prevention.is_empty() || hazard.missing.is_some();
        ensure!(is_answered, "row {number} has neither a prevention nor a word on what is missing");
    }
    Ok(())
}
