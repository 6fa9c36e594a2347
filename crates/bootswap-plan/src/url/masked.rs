//! URLs as they are shown: without the passwords and keys in them, and limited in length.

use core::fmt;
use core::ops::Range;

/// Shown instead of a secret of any length.
const MASK: &str = "********";
/// Most bytes of a URL that are shown.
const MAX_SHOWN_LEN_BYTES: usize = 256;
/// Parts of a parameter's name that mark its value as a secret.
const SECRETS: [&str; 9] =
    ["pass", "pw", "token", "secret", "key", "sig", "auth", "cred", "session"];

/// A URL to be shown: user name, password, and the values of secret parameters are masked; a very
/// long one is cut off.
///
/// Any text can be shown, since most of the refused ones were meant to be URLs.
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

impl MaskedUrl<'_> {
    /// The spans of the secrets in the text, in ascending order.
    pub fn secrets(&self) -> impl Iterator<Item = Range<usize>> {
        let text = self.0.as_bytes();
        let user = user_info(text);
        let mut at = user.as_ref().map_or(0, |user| user.end);
        let parameters = core::iter::from_fn(move || {
            loop {
                let start = at;
                let behind = text.get(start..)?;
                let end = behind
                    .iter()
                    .position(|byte| matches!(byte, b'?' | b'&' | b';' | b'#' | b'='))?;
                at = start + end + 1;
                let name = text.get(start..at)?;
                if name.ends_with(b"=") && is_secret(name) {
                    let value = text.get(at..)?;
                    let is_end = |byte: &u8| matches!(byte, b'&' | b';' | b'#');
                    let len = value.iter().position(is_end).unwrap_or(value.len());
                    let secret = at..at + len;
                    at = secret.end;
                    return Some(secret);
                }
            }
        });
        user.into_iter().chain(parameters)
    }
}

impl fmt::Display for MaskedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0;
        let mut left = MAX_SHOWN_LEN_BYTES;
        let mut show = |part: &str| {
            let end = part.len().min(left);
            // Down to a character boundary.
            let end = (0..=end).rev().find(|&end| part.is_char_boundary(end)).unwrap_or(0);
            left -= end;
            f.write_str(part.get(..end).unwrap_or_default())
        };
        let mut at = 0;
        // Everything that delimits a secret is ASCII, so these are character boundaries.
        for secret in self.secrets() {
            show(text.get(at..secret.start).unwrap_or_default())?;
            show(MASK)?;
            at = secret.end;
        }
        show(text.get(at..).unwrap_or_default())?;
        if text.len() > MAX_SHOWN_LEN_BYTES {
            write!(f, "... ({} bytes)", text.len())?;
        }
        Ok(())
    }
}

/// The span of user name and password, if there are any; a slash in the password does not hide it.
fn user_info(text: &[u8]) -> Option<Range<usize>> {
    let start = match text.iter().position(|byte| *byte == b'/') {
        Some(slash) if text.get(slash + 1) == Some(&b'/') => slash + 2,
        _ => 0,
    };
    let rest = text.get(start..)?;
    let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
    let host_end = rest.iter().position(is_end).unwrap_or(rest.len());
    let at = |len: usize| rest.get(..len)?.iter().rposition(|byte| *byte == b'@');
    let end = at(host_end).or_else(|| {
        // A port is not followed by an @.
        let colon = rest.get(..host_end)?.iter().position(|byte| *byte == b':')?;
        let port = rest.get(colon + 1..host_end)?;
        let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit);
        if is_port { None } else { at(rest.len()) }
    })?;
    (end > 0).then_some(start..start + end)
}

/// Whether the value of a parameter with this name is a secret.
fn is_secret(name: &[u8]) -> bool {
    let is_in = |part: &str| {
        name.windows(part.len()).any(|some| some.eq_ignore_ascii_case(part.as_bytes()))
    };
    SECRETS.iter().any(|part| is_in(part))
}
