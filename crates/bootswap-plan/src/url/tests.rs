//! URLs that a device can fetch from, and those that it cannot.

extern crate std;

use std::format;
use std::string::ToString;

use proptest::prelude::*;

use super::*;

#[test]
fn splits_an_address_into_its_parts() {
    use Scheme::{Http, Https};
    for (text, scheme, host, port, path) in [
        ("http://lab:8070/app.bin?v=1", Http, "lab", 8070, "/app.bin?v=1"),
        ("HTTP://lab", Http, "lab", 80, "/"),
        ("https://lab/", Https, "lab", 443, "/"),
        ("HttpS://lab:8443/a", Https, "lab", 8443, "/a"),
        ("http://192.168.100.101/a", Http, "192.168.100.101", 80, "/a"),
        ("http://lab/to://x", Http, "lab", 80, "/to://x"),
        ("http://lab/a@b:c/[d]?e=/f", Http, "lab", 80, "/a@b:c/[d]?e=/f"),
        ("http://a-b.my_lab.example./%20", Http, "a-b.my_lab.example.", 80, "/%20"),
        ("http://3d.example/", Http, "3d.example", 80, "/"),
        ("http://lab:65535", Http, "lab", 65535, "/"),
    ] {
        let url = Url::parse(text).unwrap();
        let found = (url.scheme(), url.host(), url.port(), url.path());
        assert_eq!(found, (scheme, host, port, path), "{text}");
        assert_eq!((url.as_str(), url.to_string().as_str()), (text, text));
    }
    assert_eq!(Url::parse("http://lab:8070/a").unwrap().authority(), "lab:8070");
    assert_eq!(Url::parse("http://lab").unwrap().authority(), "lab");
}

#[test]
fn refuses_an_address_that_no_device_can_use() {
    let label = "a".repeat(64);
    let long = format!("http://lab/{}", "x".repeat(502));
    let name = ["a"; 128].join(".");
    for (text, wanted) in [
        ("", UrlError::Scheme),
        ("lab/app.bin", UrlError::Scheme),
        ("ftp://lab/", UrlError::Scheme),
        ("http:/lab/", UrlError::Scheme),
        ("http:lab", UrlError::Scheme),
        (" http://lab/", UrlError::Character { offset: 0, found: b' ' }),
        ("http://lab/ HTTP/1.1", UrlError::Character { offset: 11, found: b' ' }),
        ("http://lab/\r\nHost: x", UrlError::Character { offset: 11, found: b'\r' }),
        ("http://läb/", UrlError::Character { offset: 8, found: 0xc3 }),
        ("http://", UrlError::NoHost { offset: 7 }),
        ("http:///app.bin", UrlError::NoHost { offset: 7 }),
        ("https://:8070/app.bin", UrlError::NoHost { offset: 8 }),
        ("http://lab:/", UrlError::Port { offset: 11 }),
        ("http://lab:0/", UrlError::Port { offset: 11 }),
        ("http://lab:+80/", UrlError::Port { offset: 11 }),
        ("http://lab:port/", UrlError::Port { offset: 11 }),
        ("http://lab:65536/", UrlError::Port { offset: 11 }),
        ("http://lab:99999/", UrlError::Port { offset: 11 }),
        ("http://fe80::1/", UrlError::Port { offset: 12 }),
        ("http://user:pw@lab/", UrlError::UserInfo { offset: 7 }),
        ("http://user@lab/", UrlError::UserInfo { offset: 7 }),
        ("http://[fe80::1]:8070/a", UrlError::Ipv6 { offset: 7 }),
        ("http://[fe80::1/", UrlError::Ipv6 { offset: 7 }),
        ("http://[]/app.bin", UrlError::Ipv6 { offset: 7 }),
        ("http://lab?v=1/2", UrlError::NoPath { offset: 10 }),
        ("http://lab/a#top", UrlError::Fragment { offset: 12 }),
        ("http://lab#top", UrlError::Fragment { offset: 10 }),
        ("http://a..b/", UrlError::Host { offset: 7 }),
        ("http://./", UrlError::Host { offset: 7 }),
        ("http://my%20lab/", UrlError::Host { offset: 7 }),
        ("http://192.168.100.999/", UrlError::Host { offset: 7 }),
        ("http://192.168.100/", UrlError::Host { offset: 7 }),
        ("http://lab\\app.bin", UrlError::Host { offset: 7 }),
        (&format!("http://{label}/"), UrlError::Host { offset: 7 }),
        (&format!("http://{name}/"), UrlError::Host { offset: 7 }),
        (&long, UrlError::TooLong { len_bytes: 513 }),
    ] {
        assert_eq!(Url::parse(text), Err(wanted), "{text}");
        assert!(wanted.to_string().len() > 20);
    }
    assert!(Url::parse(&long[..MAX_URL_LEN_BYTES]).is_ok());
}

#[test]
fn secrets_are_not_shown() {
    for (text, shown) in [
        ("http://lab/app.bin?v=2", "http://lab/app.bin?v=2"),
        ("http://user:pw@lab/", "http://********@lab/"),
        ("https://token@lab:8070/a", "https://********@lab:8070/a"),
        ("http://a@b:c@lab/", "http://********@lab/"),
        ("user:pw@lab/app.bin", "********@lab/app.bin"),
        ("http://user:p/w@lab/a", "http://********@lab/a"),
        ("http://lab:8070/a@b", "http://lab:8070/a@b"),
        ("http://lab/a@b:c", "http://lab/a@b:c"),
        ("http://lab/a?Token=x&v=1#auth=y", "http://lab/a?Token=********&v=1#auth=********"),
        ("http://lab/?user=a;pw=b", "http://lab/?user=a;pw=********"),
        ("http://lab/?X-Amz-Credential=AK%2F1&X", "http://lab/?X-Amz-Credential=********&X"),
        ("", ""),
        ("@", "@"),
    ] {
        assert_eq!(MaskedUrl(text).to_string(), shown);
        assert_eq!(format!("{:?}", MaskedUrl(text)), shown);
    }
    let long = format!("http://user:{}@lab/{}", "p".repeat(900), "x".repeat(900));
    let shown = MaskedUrl(&long).to_string();
    assert!(shown.starts_with("http://********@lab/xxx") && !shown.contains("ppp"), "{shown}");
    assert!(shown.ends_with("... (1817 bytes)") && shown.len() < 300, "{shown}");
}

proptest! {
    /// Any text can be shown, and the value of a password is not shown.
    #[test]
    fn any_text_can_be_shown(text in "\\PC{0,400}", secret in "[a-z]{8}[0-9]{8}") {
        prop_assert!(MaskedUrl(&text).to_string().len() <= 300);
        let url = format!("http://me:{secret}@lab/{text}");
        prop_assert!(!MaskedUrl(&url).to_string().contains(&secret), "{}", url);
        let url = format!("http://lab/a?password={secret}&{text}");
        prop_assert!(!MaskedUrl(&url).to_string().contains(&secret), "{}", url);
    }

    /// Any text is accepted or refused without a panic, and an accepted one consists of its parts.
    #[test]
    fn any_text_has_a_verdict(text in "(http://)?[ -~]{0,40}") {
        if let Ok(url) = Url::parse(&text) {
            let rest = text.split_once("://").unwrap().1;
            let path = if rest.contains('/') { url.path() } else { "" };
            prop_assert_eq!(format!("{}{path}", url.authority()), rest);
            prop_assert!(url.authority().starts_with(url.host()) && url.port() > 0);
        }
    }
}
