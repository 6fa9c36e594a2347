//! Decodes a file, and splits it into lines.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::CsvError;

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF_16_LE_MARK: &[u8] = b"\xff\xfe";
const UTF_16_BE_MARK: &[u8] = b"\xfe\xff";
const UTF_32_MARKS: [&[u8]; 2] = [b"\xff\xfe\0\0", b"\0\0\xfe\xff"];

/// The text of a file, by its byte order mark; UTF-8 where there is none.
pub(super) fn decode(file: &[u8]) -> Result<Cow<'_, str>, CsvError> {
    if UTF_32_MARKS.iter().any(|mark| file.starts_with(mark)) {
        return Err(CsvError::Encoding { found: "UTF-32" });
    }
    if let Some(rest) = file.strip_prefix(UTF_16_LE_MARK) {
        return utf_16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = file.strip_prefix(UTF_16_BE_MARK) {
        return utf_16(rest, u16::from_be_bytes);
    }
    let text = file.strip_prefix(UTF_8_MARK).unwrap_or(file);
    // UTF-16 without a mark has zero bytes, UTF-8 has none.
    if text.contains(&0) {
        return Err(CsvError::Encoding { found: "no text, or UTF-16 without a byte order mark" });
    }
    match core::str::from_utf8(text) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => {
            let good = text.get(..error.valid_up_to()).unwrap_or_default();
            let good = core::str::from_utf8(good).unwrap_or_default();
            // The bad byte may be the first of a line, after the end of the last one.
            let line = lines(good).count().max(1);
            let begun = good.ends_with(is_line_end);
            let line = u32::try_from(line + usize::from(begun)).unwrap_or(u32::MAX);
            Err(CsvError::NotUtf8 { line })
        }
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, CsvError> {
    let (pairs, rest) = bytes.as_chunks();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    match String::from_utf16(&units) {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text)),
        _ => Err(CsvError::Encoding { found: "damaged UTF-16" }),
    }
}

/// The lines of a text, which end with LF, CR or both.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text).filter(|text| !text.is_empty());
    core::iter::from_fn(move || {
        let text = rest?;
        let Some((line, behind)) = text.split_once(is_line_end) else {
            rest = None;
            return Some(text);
        };
        let is_crlf = text.get(line.len()..).is_some_and(|end| end.starts_with("\r\n"));
        let behind = if is_crlf { behind.strip_prefix('\n').unwrap_or(behind) } else { behind };
        rest = Some(behind).filter(|text| !text.is_empty());
        Some(line)
    })
}

const fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r')
}
