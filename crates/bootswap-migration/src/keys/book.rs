//! The tables of keys in the book's chapter on migration.toml.
//!
//! ```text
//!   <!-- keys of mcuboot -->
//!
//!   | key | value | meaning |
//!   ...
//!
//!   <!-- end -->
//! ```

use super::key::{Key, NONE};
use super::lookup::all;

/// Text before a table, up to the path of the file's table that it describes.
const START: &str = "<!-- keys of ";
/// Text after that path.
const START_END: &str = " -->\n";
/// Text after a table.
const END: &str = "<!-- end -->";

/// The chapter, with each of its tables regenerated from the keys.
///
/// `None` if the end of a table is missing.
#[must_use]
pub fn update_chapter(chapter: &str) -> Option<String> {
    let (first, rest) = chapter.split_once(START).unwrap_or((chapter, ""));
    let mut out = first.to_owned();
    for part in rest.split(START).filter(|part| !part.is_empty()) {
        let (path, rest) = part.split_once(START_END)?;
        let (_, rest) = rest.split_once(END)?;
        let rows = rows(if path == "the document" { "" } else { path });
        out.push_str(&format!("{START}{path}{START_END}\n{rows}\n{END}{rest}"));
    }
    Some(out)
}

/// The keys of a table of the file, with those of its subtables but not of its lists.
fn rows(path: &str) -> String {
    let mut out = "| key | value | meaning |\n| --- | --- | --- |\n".to_owned();
    for key in all() {
        let name = match path {
            "" => Some(key.path).filter(|path| !path.contains('.')),
            _ => key.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
        };
        if let Some(name) = name.filter(|name| !name.contains('[')) {
            let Key { kind, help, .. } = key;
            let (value, default) = (kind.in_markdown(), default(key));
            out.push_str(&format!("| `{name}` | {value} | {help}{default} |\n"));
        }
    }
    out
}

/// What happens without a key.
fn default(key: &Key) -> String {
    match key.default {
        "" => " Required.".to_owned(),
        NONE => String::new(),
        _ if key.help.contains("Without it") => String::new(),
        choice if key.kind.choices().contains(&choice) => {
            format!(" Without it: {}.", key.kind.code(choice))
        }
        words => format!(" Without it: {words}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_replaced_and_nothing_else() {
        let chapter = "# Keys\n\n<!-- keys of log -->\nold\n<!-- end -->\n\nMore.\n";
        let updated = update_chapter(chapter).unwrap();
        assert!(updated.starts_with("# Keys\n\n<!-- keys of log -->\n\n| key |"), "{updated}");
        assert!(updated.contains("| `level` | `\"off\"`, `\"error\"`"), "{updated}");
        assert!(updated.ends_with("Without it: `\"info\"`. |\n\n<!-- end -->\n\nMore.\n"));
        assert_eq!(update_chapter(&updated).as_deref(), Some(updated.as_str()));
        assert_eq!(update_chapter("<!-- keys of log -->\nno end"), None);
        assert_eq!(update_chapter("nothing").as_deref(), Some("nothing"));
    }
}
