//! The one table of the keys of a migration file: their names, kinds and meaning.
//!
//! ```text
//!                  +──> reader     which keys are known, and what their values are
//!   table: Key ────+──> menu       titles, choices, help, and whether a key applies
//!                  +──> template   the lines of a new file
//!                  +──> book       the tables of its chapter on migration.toml
//! ```

mod artifacts;
mod book;
mod key;
mod kind;
mod lookup;
mod table;

pub use book::update_chapter;
pub use key::{Applies, Begin, Group, Key, List, NONE};
pub(crate) use kind::hostname_help;
pub use kind::{SSID_HEX_HELP, Shape, URL_HELP, ValueKind, in_words, len_bytes, ssid_of_hex};
pub use lookup::{Child, all, children, region_of};
pub use table::GROUPS;
