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
    use RedirectFault::{NoLocation, Tls, TooLong, Url};
    for (location, wanted) in [
        ("", NoLocation),
        ("https://lab/app.bin", Tls),
        ("ftp://lab/app.bin", Url(UrlError::Scheme)),
        ("/a b", Url(UrlError::Character { offset: 17, found: b' ' })),
        ("http:///", Url(UrlError::NoHost { offset: 7 })),
        ("http://user:pw@lab/", Url(UrlError::UserInfo { offset: 7 })),
        (&"x".repeat(MAX_REDIRECT_URL_LEN_BYTES), TooLong),
    ] {
        let mut case = case([redirect(302, location)]);
        assert_eq!(case.fetch(URL), Err(SourceError::BadRedirect(wanted)), "{location:?}");
        assert!(case.taker.begun.is_empty());
    }
    let mut case = case([in_pieces(b"HTTP/1.1 302 Go\r\n\r\n", 500)]);
    assert_eq!(case.fetch(URL), Err(SourceError::BadRedirect(NoLocation)));
}

/// Like those of object stores: 2 KiB of signature, among 8 KiB of headers.
#[test]
fn a_presigned_redirection_is_followed() {
    let query = format!("/bucket/app.bin?X-Amz-Signature={}", "f".repeat(2048));
    let others = (0..55).map(|n| format!("X-Header-{n}: {}\r\n", "v".repeat(60)));
    let others: String = others.collect();
    for piece in [1, 7, 1000, 5000] {
        let answer = format!(
            "HTTP/1.1 307 Go\r\n{others}Location: http://store{query}\r\nContent-Length: 3\r\n\
             Content-Encoding: gzip\r\n{others}\r\nbye"
        );
        let mut case = case([
            in_pieces(answer.as_bytes(), piece),
            redirect(302, "other.bin"),
            in_pieces(&ok(BODY), piece),
        ]);
        assert_eq!(case.fetch(URL), Ok(()), "{piece}");
        assert_eq!(case.taker.bytes, BODY);
        let wanted = format!("GET {query} HTTP/1.1\r\nHost: store\r\nUser-Agent: ");
        assert!(case.request(1).starts_with(&wanted), "{}", case.request(1));
        assert!(case.request(2).starts_with("GET /bucket/other.bin HTTP/1.1\r\nHost: store\r\n"));
    }
}

#[test]
fn the_first_location_of_several_counts() {
    let answer = b"HTTP/1.1 302 Go\r\nLocation: /one\r\nLocation: /two\r\n\r\n";
    let mut case = case([in_pieces(answer, 500), in_pieces(&ok(BODY), 500)]);
    assert_eq!(case.fetch(URL), Ok(()));
    assert!(case.request(1).starts_with("GET /one "));
}

#[test]
fn addresses_that_cannot_be_asked() {
    let long = format!("http://lab/{}", "x".repeat(600));
    for url in [
        "ftp://lab/app.bin",
        "app.bin",
        "",
        "http://lab/\r\nX: y",
        "http://lab:port/",
        "http://lab:/",
        "http://lab/#top",
        "http://user:pw@lab/",
        // The chips' network stack has IPv4 alone.
        "http://[::1]:80/app.bin",
        &long,
    ] {
        let wanted = bootswap_plan::Url::parse(url).unwrap_err();
        assert_eq!(case([]).fetch(url), Err(SourceError::BadUrl(wanted)), "{url}");
        let text = SourceError::<Infallible>::BadUrl(wanted).to_string();
        assert!(text.contains(&wanted.to_string()), "{text}");
    }
    assert_eq!(case([]).fetch("https://lab/app.bin"), Err(SourceError::NoTls));
}
