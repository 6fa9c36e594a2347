//! Lines that are turned into comments, and back.

use std::ops::Range;

use super::key_path::{KeyPath, PathSegment};
use super::lines::{line_end, line_start};
use super::node::{Node, headers, parse};

/// The text after the line of a value, and the header of a table that becomes empty, were turned
/// into comments.
///
/// `None` if the value does not have its own line.
pub(super) fn commented_out(text: &str, path: &KeyPath) -> Option<String> {
    let mut out = text.to_owned();
    // From the end, so that earlier positions stay valid.
    let mut lines = vec![lines_of(text, path)?];
    lines.extend(lonely_header(text, path));
    lines.sort_by_key(|range| std::cmp::Reverse(range.start));
    for range in lines {
        let commented: String = text
            .get(range.clone())?
            .split_inclusive('\n')
            .map(|line| format!("# {line}"))
            .collect();
        out.replace_range(range, &commented);
    }
    Some(out)
}

/// The text without the line of a value.
pub(super) fn line_removed(text: &str, path: &KeyPath) -> Option<String> {
    let mut out = text.to_owned();
    out.replace_range(lines_of(text, path)?, "");
    Some(out)
}

/// The text after a comment was turned into the line of that value again.
///
/// The header of its table is restored too, if it is a comment.
pub(super) fn revived(text: &str, path: &KeyPath) -> Option<String> {
    let document = parse(text).ok()?;
    let (Some(PathSegment::Key(first)), rest) = (path.steps().first(), path.steps().get(1..)?)
    else {
        return None;
    };
    // A table that exists only because of the tables in it can still get its header back.
    let table = Node::Table(document.as_table())
        .child(PathSegment::Key(first))
        .filter(|table| !matches!(table, Node::Table(table) if table.is_implicit()));
    match (table, rest) {
        (None, []) => {
            let end = headers(document.as_table()).first().copied().unwrap_or(text.len());
            uncommented_key(text, 0..end, first)
        }
        (None, [PathSegment::Key(key), ..]) => {
            // `# app = { ... }`, or `# [app]` and its keys.
            let end = headers(document.as_table()).first().copied().unwrap_or(text.len());
            uncommented_key(text, 0..end, first).or_else(|| {
                let (text, section) = uncommented_header(text, first)?;
                uncommented_key(&text, section, key)
            })
        }
        (Some(Node::Table(table)), [PathSegment::Key(key), ..]) if !table.is_dotted() => {
            let header = table.span()?;
            let starts = headers(document.as_table());
            let end = starts.into_iter().find(|&start| start > header.start).unwrap_or(text.len());
            uncommented_key(text, line_end(text, header.start)..end, key)
        }
        (Some(Node::List(list)), [PathSegment::Entry(index), PathSegment::Key(key)]) => {
            let header = list.get(*index)?.span()?;
            let starts = headers(document.as_table());
            let end = starts.into_iter().find(|&start| start > header.start).unwrap_or(text.len());
            uncommented_key(text, line_end(text, header.start)..end, key)
        }
        _ => None,
    }
}

/// Restores the line of that key, which is searched up to the next header that is a comment.
fn uncommented_key(text: &str, section: Range<usize>, key: &str) -> Option<String> {
    let mut start = section.start;
    for line in text.get(section)?.split_inclusive('\n') {
        if let Some(plain) = uncommented(line) {
            let written = toml_edit::Document::parse(plain.trim_start()).ok();
            match written {
                Some(document) if document.as_table().get(key).is_some_and(|i| !i.is_table()) => {
                    let mut out = text.to_owned();
                    out.replace_range(start..start + line.len(), &plain);
                    return Some(out);
                }
                Some(_) if plain.trim_start().starts_with('[') => return None,
                _ => {}
            }
        }
        start += line.len();
    }
    None
}

/// Restores the header of that table, and returns where its section is.
fn uncommented_header(text: &str, table: &str) -> Option<(String, Range<usize>)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let is_header = |plain: &String| {
            let plain = plain.trim_start();
            plain.starts_with('[')
                && toml_edit::Document::parse(plain).is_ok_and(|document| {
                    document.as_table().get(table).is_some_and(|i| i.is_table())
                })
        };
        if let Some(plain) = uncommented(line).filter(is_header) {
            let mut out = text.to_owned();
            out.replace_range(start..start + line.len(), &plain);
            let section = start + plain.len();
            let starts = headers(parse(&out).ok()?.as_table());
            let end = starts.into_iter().find(|&at| at >= section).unwrap_or(out.len());
            return Some((out, section..end));
        }
        start += line.len();
    }
    None
}

/// A line without the sign that makes it a comment.
fn uncommented(line: &str) -> Option<String> {
    let blanks = line.len() - line.trim_start().len();
    let (indent, rest) = line.split_at_checked(blanks)?;
    let rest = rest.strip_prefix('#')?;
    Some(format!("{indent}{}", rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The whole lines of a value, if they contain nothing else.
fn lines_of(text: &str, path: &KeyPath) -> Option<Range<usize>> {
    let document = parse(text).ok()?;
    let root = Node::Table(document.as_table());
    let (parent, PathSegment::Key(key)) = path.split_last()? else { return None };
    let parent = root.find(&parent)?;
    let Node::Table(_) = parent else { return None };
    let span = match parent.child(PathSegment::Key(key))? {
        Node::Value(value) => value.span()?,
        Node::Inline(table) => table.span()?,
        Node::Table(_) | Node::List(_) => return None,
    };
    let start = parent.key(key)?.span()?.start;
    let line = line_start(text, start);
    text.get(line..start)?.trim().is_empty().then(|| line..line_end(text, span.end))
}

/// The header of a value's table, if that table contains nothing else.
fn lonely_header(text: &str, path: &KeyPath) -> Option<Range<usize>> {
    let document = parse(text).ok()?;
    let (parent, _) = path.split_last()?;
    let (_, PathSegment::Key(_)) = parent.split_last()? else { return None };
    match Node::Table(document.as_table()).find(&parent)? {
        Node::Table(table) if table.len() == 1 && !table.is_dotted() && !table.is_implicit() => {
            let header = table.span()?;
            Some(line_start(text, header.start)..line_end(text, header.start))
        }
        _ => None,
    }
}
