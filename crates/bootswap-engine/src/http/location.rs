//! Where a redirection leads: what a `Location` means, seen from the address that was asked.

use core::fmt::Write as _;

use bootswap_plan::{MAX_URL_LEN_BYTES, Url};
use heapless::String;

/// The address that a `Location` means, which may be relative (RFC 9110, 10.2.2); `None` where
/// there is no room for it. Whether it can be fetched from, [`Url::parse`] says.
pub(super) fn resolve(base: &Url<'_>, location: &str) -> Option<String<MAX_URL_LEN_BYTES>> {
    // A query is not part of what a location is relative to.
    let base_text = base.as_str().split('?').next()?;
    let (scheme, rest) = split_scheme(base_text)?;
    let authority = base.authority();
    // A fragment is for whoever shows the page, not for the server.
    let location = location.trim().split('#').next()?;
    let mut next = String::new();
    if split_scheme(location).is_some_and(|(scheme, _)| is_scheme(scheme)) {
        next.push_str(location).ok()?;
    } else if location.starts_with("//") {
        write!(next, "{scheme}:{location}").ok()?;
    } else if location.starts_with('/') {
        write!(next, "{scheme}://{authority}{location}").ok()?;
    } else if location.starts_with('?') {
        write!(next, "{base_text}{location}").ok()?;
    } else if location.is_empty() {
        return None;
    } else {
        // Relative to the last slash of the path; without a path, to the server.
        let path = rest.get(authority.len()..)?;
        let directory = path.rfind('/').and_then(|slash| path.get(..slash)).unwrap_or_default();
        write!(next, "{scheme}://{authority}{directory}/{location}").ok()?;
    }
    Some(next)
}

fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(base: &str, location: &str) -> Option<String<MAX_URL_LEN_BYTES>> {
        resolve(&Url::parse(base).unwrap(), location)
    }

    #[test]
    fn resolves_locations() {
        let base = "http://lab:8070/images/app.bin?v=1/2";
        for (location, wanted) in [
            ("http://other/app.bin", "http://other/app.bin"),
            ("HTTPS://other/app.bin#top", "HTTPS://other/app.bin"),
            ("/app.bin", "http://lab:8070/app.bin"),
            ("v2.bin", "http://lab:8070/images/v2.bin"),
            ("sub/v2.bin?x", "http://lab:8070/images/sub/v2.bin?x"),
            ("?v=3", "http://lab:8070/images/app.bin?v=3"),
            ("//cdn/app.bin", "http://cdn/app.bin"),
            ("/to?url=http://x/", "http://lab:8070/to?url=http://x/"),
        ] {
            assert_eq!(resolved(base, location).as_deref(), Some(wanted));
        }
        assert_eq!(resolved("http://lab", "app.bin").as_deref(), Some("http://lab/app.bin"));
        assert_eq!(resolved(base, ""), None);
    }

    #[test]
    fn an_address_that_is_too_long_is_no_address() {
        let long = [b'a'; MAX_URL_LEN_BYTES];
        assert_eq!(resolved("http://lab/", core::str::from_utf8(&long).unwrap()), None);
    }
}
