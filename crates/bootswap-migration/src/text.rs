//! The text of a migration, and what a file is that is none.

use std::fmt;

use crate::image::FileKind;

/// A file that was named as a migration, and is not even a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotText {
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    /// What the project has to do with.
    Kind(FileKind),
    /// Something else, by its first bytes.
    Other(&'static str),
    /// Unknown; the offset of the first byte that no text has.
    Byte(usize),
}

/// First bytes of files that lie beside a migration's: ELF's `e_ident`, the signatures of gzip
/// (RFC 1952) and ZIP, the byte order marks of UTF-16.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\x7fELF", "an ELF file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a ZIP file"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
];

/// The text of these bytes.
///
/// # Errors
///
/// A [`NotText`] that says what it is instead.
pub fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    let zero = bytes.iter().position(|byte| *byte == 0);
    let other = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to());
    let Some(at) = zero.into_iter().chain(other).min() else {
        return Ok(String::from_utf8(bytes).unwrap_or_default());
    };
    let named = OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic));
    let what = match (FileKind::of(&bytes), named) {
        (Some(kind), _) => What::Kind(kind),
        (None, Some((_, name))) => What::Other(name),
        (None, None) => What::Byte(at),
    };
    Err(NotText { what })
}

impl NotText {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self.what {
            What::Kind(FileKind::FlashDump | FileKind::FactoryImage) => {
                "name the migration's TOML file; a dump of a device is named with --flash"
            }
            What::Kind(FileKind::PartitionTable) => {
                "name the migration's TOML file, which names the table as `partitions`; a dump of \
                 a device is named with --flash"
            }
            What::Kind(_) => {
                "name the migration's TOML file, which names images as `file`; a dump of a device \
                 is named with --flash"
            }
            What::Other("UTF-16") => "save the migration's TOML file as UTF-8",
            What::Other(_) | What::Byte(_) => {
                "name the migration's TOML file; a dump of a device is named with --flash"
            }
        }
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Kind(kind) => write!(f, "it is {}", kind.with_article()),
            What::Other(name) => write!(f, "it is {name}"),
            What::Byte(at) => write!(f, "the byte at offset {at} is not UTF-8"),
        }
    }
}
