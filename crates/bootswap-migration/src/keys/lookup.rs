//! Finding keys in the table.

use super::key::Key;
use super::table::GROUPS;

/// Every key, in the order of the menu.
pub fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().flat_map(|group| {
        let entries = group.list.iter().flat_map(|list| list.keys);
        group.keys.iter().chain(entries)
    })
}

/// A key or table that a table of the file can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Child {
    /// Its name.
    pub name: &'static str,
    /// The key; `None` for a table or a list of tables.
    pub key: Option<&'static Key>,
}

/// The children of the table at `path`: `mcuboot.primary`, `artifact[]`, or empty for the document.
///
/// Known tables are the prefixes of the `path`s of [`Key`]s up to a `.`; any other path has no
/// children.
pub fn children(path: &str) -> Vec<Child> {
    let mut found: Vec<Child> = Vec::new();
    for key in all() {
        let inside = match path {
            "" => Some(key.path),
            _ => key.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')),
        };
        let Some(inside) = inside else { continue };
        let end = inside.find(['.', '[']).unwrap_or(inside.len());
        let name = inside.get(..end).unwrap_or(inside);
        if !found.iter().any(|child| child.name == name) {
            found.push(Child { name, key: (end == inside.len()).then_some(key) });
        }
    }
    found
}

/// The table of values that are useful only together: if one is removed, all are.
#[must_use]
pub fn region_of(path: &str) -> Option<&'static str> {
    ["mcuboot.primary", "mcuboot.secondary", "mcuboot.scratch"]
        .into_iter()
        .find(|region| path.strip_prefix(region).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(path: &str) -> Vec<&'static str> {
        children(path).iter().map(|child| child.name).collect()
    }

    #[test]
    fn tables_have_their_keys_in_order() {
        assert_eq!(names("mcuboot.primary"), ["offset", "size"]);
        assert_eq!(names("network.wifi[]"), ["ssid", "password", "ssid_hex"]);
        assert!(names("").starts_with(&["chip", "flash_size", "partitions", "running"]));
        assert!(names("network").contains(&"wifi") && names("net").is_empty());
        assert!(
            children("network")
                .iter()
                .all(|c| c.key.is_none() == ["rescue", "wifi"].contains(&c.name))
        );
    }

    #[test]
    fn no_key_is_there_twice() {
        let paths: BTreeSet<&str> = all().map(|key| key.path).collect();
        assert_eq!(paths.len(), all().count());
    }

    #[test]
    fn every_help_text_fits_the_smallest_screen() {
        for key in all() {
            assert!(key.help.ends_with('.') && key.help.len() > 20, "{}", key.path);
            // Three lines of 78 columns, broken between words.
            assert!(key.help.len() <= 220, "{}: {}", key.path, key.help.len());
            assert!(key.title.len() <= 22, "{}", key.path);
        }
    }
}
