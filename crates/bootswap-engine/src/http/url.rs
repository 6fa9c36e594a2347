//! Addresses: what a `Location` means, and which part of one names the server.

use core::fmt::Write as _;

use heapless::String;

/// Longest address that is followed, in bytes.
pub(super) const MAX_URL: usize = 512;

/// What an address says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Address<'u> {
    /// Whether it wants TLS.
    pub tls: bool,
    /// The server's name, or its number.
    pub host: &'u str,
    pub port: u16,
    pub path: &'u str,
}

/// Takes an address apart.
pub(super) fn parse(url: &str) -> Option<Address<'_>> {
    let (scheme, rest) = split_scheme(url)?;
    let tls = scheme.eq_ignore_ascii_case("https");
    if !tls && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let server = authority(url)?;
    let path = match rest.get(server.len()..)? {
        "" => "/",
        path if path.starts_with('/') => path,
        // A query without a path: nobody writes it, and a request line needs the slash.
        _ => return None,
    };
    // Only the colons of a number of IPv6 are in brackets.
    let (host, port) = match server.strip_prefix('[').map(|server| server.split_once(']')) {
        Some(None) => return None,
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, port))) => (host, Some(port.strip_prefix(':')?)),
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None if tls => 443,
        None => 80,
    };
    (!host.is_empty()).then_some(Address { tls, host, port, path })
}

fn split_scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    Some((scheme, rest.strip_prefix("//")?))
}

/// The server's name and port, as the `Host` header wants it.
pub(super) fn authority(url: &str) -> Option<&str> {
    let (_, rest) = split_scheme(url)?;
    let authority = rest.split(['/', '?', '#']).next()?;
    (!authority.is_empty()).then_some(authority)
}

/// Whether the address can stand in a request line: nothing in it ends that early.
pub(super) fn is_clean(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The address that a `Location` means, which may be relative (RFC 9110, 10.2.2).
pub(super) fn resolve(base: &str, location: &str) -> Option<String<MAX_URL>> {
    let base = base.split(['?', '#']).next()?;
    let (scheme, rest) = split_scheme(base)?;
    let authority = authority(base)?;
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
        write!(next, "{base}{location}").ok()?;
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

fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(resolve(base, location).as_deref(), Some(wanted));
        }
        assert_eq!(resolve("http://lab", "app.bin").as_deref(), Some("http://lab/app.bin"));
        assert_eq!(resolve(base, ""), None);
    }

    #[test]
    fn an_address_that_is_too_long_is_no_address() {
        let long = [b'a'; MAX_URL];
        assert_eq!(resolve("http://lab/", core::str::from_utf8(&long).unwrap()), None);
    }

    #[test]
    fn names_the_server() {
        assert_eq!(authority("http://lab:8070/app.bin"), Some("lab:8070"));
        assert_eq!(authority("http://[fe80::1]:80/app.bin"), Some("[fe80::1]:80"));
        assert_eq!(authority("http://lab?x"), Some("lab"));
        assert_eq!(authority("http:///app.bin"), None);
        assert_eq!(authority("lab"), None);
    }

    #[test]
    fn takes_addresses_apart() {
        let of = |tls, host, port, path| Some(Address { tls, host, port, path });
        for (url, wanted) in [
            ("http://lab:8070/app.bin?v=1", of(false, "lab", 8070, "/app.bin?v=1")),
            ("HTTP://lab", of(false, "lab", 80, "/")),
            ("https://lab/", of(true, "lab", 443, "/")),
            ("http://[fe80::1]:8070/a", of(false, "fe80::1", 8070, "/a")),
            ("http://[fe80::1]/a", of(false, "fe80::1", 80, "/a")),
            ("http://lab/to://x", of(false, "lab", 80, "/to://x")),
            ("http://lab:/", None),
            ("http:///app.bin", None),
            ("http://:8070/app.bin", None),
            ("http://[]/app.bin", None),
            ("http://lab?v=1/2", None),
            ("http://lab:65536/", None),
            ("http://[fe80::1/", None),
            ("http://[fe80::1]8070/", None),
            ("ftp://lab/", None),
            ("http:/lab/", None),
            ("lab/app.bin", None),
        ] {
            assert_eq!(parse(url), wanted, "{url}");
        }
    }

    #[test]
    fn a_line_break_is_no_part_of_an_address() {
        assert!(is_clean("http://lab/%20"));
        assert!(!is_clean("http://lab/ HTTP/1.1"));
        assert!(!is_clean("http://lab/\r\nHost: x"));
    }
}
