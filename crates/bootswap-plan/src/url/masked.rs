//! Addresses as they are shown: without the passwords and keys in them, and not endlessly long.

use core::fmt;

use super::find;

/// What is shown in place of a secret, however long that is.
const MASK: &str = "********";
/// Most bytes of an address that are shown.
const MAX_SHOWN_LEN_BYTES: usize = 256;
/// Parts of a parameter's name that say that its value is a secret.
const SECRETS: [&str; 9] =
    ["pass", "pw", "token", "secret", "key", "sig", "auth", "cred", "session"];

/// An address to be shown: user name, password, and the values of parameters that are secrets are
/// masked; one that is very long is cut off.
///
/// Any text can be shown, for most of those that are refused were meant to be addresses.
///
/// ```
/// use bootswap_plan::MaskedUrl;
///
/// let url = "http://me:horse@lab/app.bin?v=2&X-Amz-Signature=f00";
/// let shown = "http://********@lab/app.bin?v=2&X-Amz-Signature=********";
/// assert_eq!(MaskedUrl(url).to_string(), shown);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MaskedUrl<'a>(pub &'a str);

impl fmt::Debug for MaskedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for MaskedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let mut left = MAX_SHOWN_LEN_BYTES;
        let mut show = |part: &str| {
            let end = part.len().min(left);
            // Down to a border between characters.
            let end = (0..=end).rev().find(|&end| part.is_char_boundary(end)).unwrap_or(0);
            left -= end;
            f.write_str(part.get(..end).unwrap_or_default())
        };
        let mut rest = text;
        if let Some(user) = user_info(text) {
            show(text.get(..user.start).unwrap_or_default())?;
            show(MASK)?;
            rest = text.get(user.end..).unwrap_or_default();
        }
        while let Some(end) = find(rest, |byte| matches!(byte, b'?' | b'&' | b';' | b'#' | b'=')) {
            let (name, behind) = rest.split_at_checked(end + 1).unwrap_or((rest, ""));
            show(name)?;
            rest = behind;
            if name.ends_with('=') && is_secret(name) {
                let value = find(rest, |byte| matches!(byte, b'&' | b';' | b'#'));
                show(MASK)?;
                rest = value.and_then(|value| rest.get(value..)).unwrap_or_default();
            }
        }
        show(rest)?;
        if text.len() > MAX_SHOWN_LEN_BYTES {
            write!(f, "... ({} bytes)", text.len())?;
        }
        Ok(())
    }
}

/// Where the user name and password are, if there are any; a password with a slash in it does not
/// hide it.
fn user_info(text: &str) -> Option<core::ops::Range<usize>> {
    let start = match text.bytes().position(|byte| byte == b'/') {
        Some(slash) if text.as_bytes().get(slash + 1) == Some(&b'/') => slash + 2,
        _ => 0,
    };
    let rest = text.as_bytes().get(start..)?;
    let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
    let host_end = rest.iter().position(is_end).unwrap_or(rest.len());
    let at = |len: usize| rest.get(..len)?.iter().rposition(|byte| *byte == b'@');
    let end = at(host_end).or_else(|| {
        // No port is followed by an @ later on.
        let colon = rest.get(..host_end)?.iter().position(|byte| *byte == b':')?;
        let port = rest.get(colon + 1..host_end)?;
        let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
        if is_port { None } else { at(rest.len()) }
    })?;
    (end > 0).then_some(start..start + end)
}

/// Whether the value behind that name is one.
fn is_secret(name: &str) -> bool {
    let holds = |part: &&str| {
        name.as_bytes().windows(part.len()).any(|some| some.eq_ignore_ascii_case(part.as_bytes()))
    };
    SECRETS.iter().any(|part| holds(&part))
}
