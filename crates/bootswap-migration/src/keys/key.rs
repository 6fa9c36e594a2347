//! A key of a migration file, and groups of keys.

use esp_idf_format::Chip;
use mcuboot_format::SwapKind;

use super::kind::ValueKind;
use crate::document::{Document, KeyPath};

/// The default of a key that has no effect if it is left out.
pub const NONE: &str = "-";

/// A key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// Its path in the file; `[]` is an entry of a list.
    pub path: &'static str,
    /// Its title in the menu.
    pub title: &'static str,
    /// The kind of its values.
    pub kind: ValueKind,
    /// The value that is used without the key: [`NONE`] for nothing, empty if the key is required.
    pub default: &'static str,
    /// When it has an effect.
    pub applies: Applies,
    /// Its help text.
    pub help: &'static str,
    /// The line of a new file that has the key.
    pub begin: Begin,
}

/// When a key has an effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Applies {
    /// In every migration.
    Always,
    /// Only on chips that have Wi-Fi.
    WithWifi,
    /// Only if MCUboot swaps using scratch.
    WithScratch,
    /// Only if MCUboot overwrites.
    WithOverwrite,
    /// Only if the target bootloader is MCUboot.
    WithMcuboot,
    /// Never: it is accepted because artifacts with another role have it.
    Never,
}

/// How a key appears in a new file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Not at all.
    Without,
    /// With the value that fits the partition table, followed by this comment.
    Fitted(&'static str),
    /// With this value, followed by this comment.
    Value(&'static str, &'static str),
    /// As a comment, with this value, followed by this comment.
    Comment(&'static str, &'static str),
}

/// Keys that the menu shows together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its title in the menu.
    pub title: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// The list that can be extended here, if there is one.
    pub list: Option<List>,
}

/// A list of tables.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// Its path in the file.
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
    /// A key that always applies and is not in a new file.
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

    /// Whether the file must have it.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.default.is_empty()
    }
}

impl Applies {
    /// Whether a key of this rule has an effect in that file.
    ///
    /// A chip or a kind of swap that cannot be read excludes nothing.
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
