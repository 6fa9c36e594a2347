//! Redirections and addresses.

use super::*;

fn redirect(status: u16, to: &str) -> Vec<Act> {
    in_pieces(
        format!("HTTP/1.1 {status} Go\r\nLocation: {to}\r\nContent-Length: 3\r\n\r\nbye")
            .as_bytes(),
        500,
    )
}

#[test]
fn redirections_are_followed_five_times() {
    for status in [301, 302, 303, 307, 308] {
        let mut case = case([redirect(status, "/sub/v2.bin"), in_pieces(&ok(BODY), 500)]);
        assert_eq!(case.fetch(URL), Ok(()));
        assert_eq!(case.taker.bytes, BODY);
        assert!(case.request(1).starts_with("GET /sub/v2.bin HTTP/1.1\r\nHost: lab:8070\r\n"));
    }
    let hops = |count| (0..count).map(|hop| redirect(302, &format!("http://host{hop}/")));
    let mut five = case(hops(5).chain([in_pieces(&ok(BODY), 500)]));
    assert_eq!(five.fetch(URL), Ok(()));
    assert!(five.request(5).contains("Host: host4\r\n"));
    let mut six = case(hops(6));
    assert_eq!(six.fetch(URL), Err(SourceError::Redirects));
}

#[test]
fn a_redirection_keeps_the_range() {
    let part = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-15/16\r\n\r\n456789abcdef";
    let mut case = case([redirect(302, "/b"), in_pieces(part, 500)]).having(&BODY[..4]);
    assert_eq!(case.fetch(URL), Ok(()));
    assert!(case.request(1).contains("Range: bytes=4-\r\n"));
    assert_eq!(case.taker.bytes, BODY);
}

#[test]
fn redirections_to_nowhere() {
    for (location, wanted) in [
        ("", SourceError::BadRedirect),
        ("https://lab/app.bin", SourceError::NoTls),
        ("ftp://lab/app.bin", SourceError::BadUrl),
        ("/a b", SourceError::BadUrl),
        ("http:///", SourceError::BadUrl),
        (&"x".repeat(600), SourceError::BadRedirect),
    ] {
        let mut case = case([redirect(302, location)]);
        assert_eq!(case.fetch(URL), Err(wanted), "{location:?}");
    }
    let mut case = case([in_pieces(b"HTTP/1.1 302 Go\r\n\r\n", 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::BadRedirect));
}

#[test]
fn addresses_that_cannot_be_asked() {
    for (url, wanted) in [
        ("https://lab/app.bin", SourceError::NoTls),
        ("ftp://lab/app.bin", SourceError::BadUrl),
        ("app.bin", SourceError::BadUrl),
        ("", SourceError::BadUrl),
        ("http://lab/\r\nX: y", SourceError::BadUrl),
        ("http://lab:port/", SourceError::BadUrl),
        ("http://lab:/", SourceError::BadUrl),
        ("http://lab/#top", SourceError::BadUrl),
        ("http://user:pw@lab/", SourceError::BadUrl),
        // The chips' network stack has IPv4 alone.
        ("http://[::1]:80/app.bin", SourceError::BadUrl),
        (&format!("http://lab/{}", "x".repeat(600)), SourceError::BadUrl),
    ] {
        assert_eq!(case([]).fetch(url), Err(wanted), "{url}");
    }
}
