//! Which bytes of a file a request asks for: `Range`, RFC 9110 section 14.

use std::ops::Range;

/// What a `Range` header asks for of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it: there is no range, or one that this server ignores.
    Whole,
    /// These bytes, at least one, all inside the file.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `total_bytes`.
///
/// A header that is malformed, of another unit or of several ranges is ignored, which RFC 9110
/// (section 14.2) allows and other servers do.
pub(crate) fn select(header: &str, total_bytes: u64) -> Selection {
    match parse(header) {
        None => Selection::Whole,
        Some(Spec::Suffix(count)) => {
            part(total_bytes.saturating_sub(count)..total_bytes, total_bytes)
        }
        Some(Spec::From(first, last)) => {
            part(first..last.saturating_add(1).min(total_bytes), total_bytes)
        }
    }
}

fn part(range: Range<u64>, total_bytes: u64) -> Selection {
    if range.start < range.end && range.end <= total_bytes {
        Selection::Part(range)
    } else {
        Selection::Unsatisfiable
    }
}

enum Spec {
    /// First byte and last byte.
    From(u64, u64),
    /// That many bytes at the end.
    Suffix(u64),
}

fn parse(header: &str) -> Option<Spec> {
    let (unit, spec) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = spec.trim().split_once('-')?;
    match (first, last) {
        ("", last) => Some(Spec::Suffix(number(last)?)),
        (first, "") => Some(Spec::From(number(first)?, u64::MAX)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From(first, last))
        }
    }
}

/// A number in decimal digits; one that does not fit into 64 bits counts as the largest.
fn number(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_range_selects_its_bytes() {
        assert_eq!(select("bytes=0-0", 10), Selection::Part(0..1));
        assert_eq!(select("bytes=2-5", 10), Selection::Part(2..6));
        assert_eq!(select("bytes=2-", 10), Selection::Part(2..10));
        assert_eq!(select("bytes=2-99", 10), Selection::Part(2..10));
        assert_eq!(select("bytes=-3", 10), Selection::Part(7..10));
        assert_eq!(select("bytes=-99", 10), Selection::Part(0..10));
        assert_eq!(select("Bytes= 2-5 ", 10), Selection::Part(2..6));
        assert_eq!(select("bytes=2-99999999999999999999999", 10), Selection::Part(2..10));
    }

    #[test]
    fn bytes_that_are_not_there_are_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(select(header, 10), Selection::Unsatisfiable, "{header}");
        }
        assert_eq!(select("bytes=0-", 0), Selection::Unsatisfiable);
        assert_eq!(select("bytes=-1", 0), Selection::Unsatisfiable);
    }

    #[test]
    fn headers_other_than_one_range_of_bytes_are_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=a-",
            "lines=1-2",
        ] {
            assert_eq!(select(header, 10), Selection::Whole, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_inside_the_file(
            header in "bytes=[0-9]{0,4}-[0-9]{0,4}",
            total in 0u64..5000,
        ) {
            if let Selection::Part(range) = select(&header, total) {
                prop_assert!(range.start < range.end && range.end <= total);
            }
        }
    }
}
