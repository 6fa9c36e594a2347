//! A key of a migration file, and what keys belong together.

use esp_idf_format::Chip;
use mcuboot_format::SwapKind;

use super::kind::ValueKind;
use crate::document::{Document, KeyPath};

/// The default of a key that may be left out without anything in its place.
pub const NONE: &str = "-";

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Where it is in the file; `[]` is an entry of a list.
    pub path: &'static str,
    /// What the menu calls it.
    pub title: &'static str,
    /// What its values are.
    pub kind: ValueKind,
    /// What holds where the file does not have it: [`NONE`] for nothing, empty where it is
    /// required.
    pub default: &'static str,
    /// When it has an effect.
    pub applies: Applies,
    /// What it is for.
    pub help: &'static str,
    /// The line of a new file that has it.
    pub begin: Begin,
}

/// When a key has an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applies {
    /// In every migration.
    Always,
    /// On chips that have Wi-Fi.
    WithWifi,
    /// Where MCUboot swaps using scratch.
    WithScratch,
    /// Where MCUboot overwrites.
    WithOverwrite,
    /// Where the target bootloader is MCUboot.
    WithMcuboot,
    /// In none: it is accepted because an artifact of another role has it.
    Never,
}

/// How a new file has a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Not at all.
    Without,
    /// With the value that fits the partition table, and this comment behind it.
    Fitted(&'static str),
    /// With this value, and this comment behind it.
    Value(&'static str, &'static str),
    /// As a comment, with this value and this comment behind it.
    Comment(&'static str, &'static str),
}

/// Keys that the menu shows together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What the menu calls it.
    pub title: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// The list that can be made longer here, if there is one.
    pub list: Option<List>,
}

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Where it is in the file.
    pub path: &'static str,
    /// What one entry is called.
    pub entry: &'static str,
    /// When it has an effect.
    pub applies: Applies,
    /// What entries are for.
    pub help: &'static str,
    /// Keys of each entry.
    pub keys: &'static [Key],
}

impl Key {
    /// A key that applies always and is not in a new file.
    pub(super) const fn new(
        path: &'static str,
        title: &'static str,
        kind: ValueKind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { path, title, kind, default, help, applies: Applies::Always, begin: Begin::Without }
    }

    pub(super) const fn applies(self, applies: Applies) -> Self {
        Self { applies, ..self }
    }

    pub(super) const fn begin(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }

    /// Whether the file has to have it.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.default.is_empty()
    }
}

impl Applies {
    /// Whether a key of this rule has an effect in that file.
    ///
    /// A chip or a kind of swap that cannot be read rules nothing out.
    #[must_use]
    pub fn holds(self, document: &Document) -> bool {
        let get = |path| document.get(&KeyPath::new(path, 0));
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::WithWifi => {
                let chip = get("chip").and_then(|chip| chip.parse::<Chip>().ok());
                chip.is_none_or(Chip::has_wifi)
            }
            Self::WithScratch => {
                let swap = get("mcuboot.swap").and_then(|swap| swap.parse::<SwapKind>().ok());
                swap.is_none_or(|swap| swap == SwapKind::Scratch)
            }
            Self::WithOverwrite => {
                let swap = get("mcuboot.swap").and_then(|swap| swap.parse::<SwapKind>().ok());
                swap == Some(SwapKind::Overwrite)
            }
            Self::WithMcuboot => get("mcuboot").is_some(),
        }
    }
}
