//! The path of a value in a migration file: `mcuboot.primary.offset`, `network.wifi[1].ssid`.

use std::fmt;

/// A step from a table to a value in it, or from a list to one of its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathSegment {
    /// The value of this key.
    Key(&'static str),
    /// The entry with this index, from 0.
    Entry(usize),
}

/// The path from the document to a value. It is shown in the same form in which the parser's
/// messages name a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyPath(Vec<PathSegment>);

impl KeyPath {
    /// The path written like this, as in `network.wifi[].ssid`, where `[]` is the given entry.
    #[must_use]
    pub fn new(written: &'static str, entry: usize) -> Self {
        let mut steps = Vec::new();
        for part in written.split('.') {
            match part.strip_suffix("[]") {
                Some(list) => steps.extend([PathSegment::Key(list), PathSegment::Entry(entry)]),
                None => steps.push(PathSegment::Key(part)),
            }
        }
        Self(steps)
    }

    /// Its steps.
    #[must_use]
    pub fn steps(&self) -> &[PathSegment] {
        &self.0
    }

    /// The table or list that the value is in, and the last step to it.
    #[must_use]
    pub fn split_last(&self) -> Option<(Self, PathSegment)> {
        self.0.split_last().map(|(last, rest)| (Self(rest.to_vec()), *last))
    }

    /// The path of an entry of this list.
    #[must_use]
    pub fn entry(&self, index: usize) -> Self {
        Self(self.0.iter().copied().chain([PathSegment::Entry(index)]).collect())
    }

    /// Whether a message about `field` is about the value of this path.
    #[must_use]
    pub fn is_field(&self, field: &str) -> bool {
        self.to_string() == field
    }

    /// Whether the value at this path is the one named `name`, or is inside of it.
    #[must_use]
    pub fn is_within(&self, name: &str) -> bool {
        let own = self.to_string();
        own.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                PathSegment::Key(key) if index == 0 => f.write_str(key)?,
                PathSegment::Key(key) => write!(f, ".{key}")?,
                PathSegment::Entry(entry) => write!(f, "[{entry}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_it_is_written() {
        assert_eq!(KeyPath::new("mcuboot.primary.offset", 0).to_string(), "mcuboot.primary.offset");
        let path = KeyPath::new("network.wifi[].ssid", 1);
        assert_eq!(path.to_string(), "network.wifi[1].ssid");
        assert!(path.is_field("network.wifi[1].ssid") && path.is_within("network.wifi[1]"));
        assert!(!path.is_within("network.wifi[10]") && !path.is_within("net"));
        assert_eq!(path.split_last().unwrap().1, PathSegment::Key("ssid"));
    }
}
