//! Chains of redirections, over several servers, to addresses of any length.

use bootswap_engine::{MAX_REDIRECT_URL_LEN_BYTES, MAX_REDIRECTS, RedirectFault, SourceError};

use crate::client::Client;
use crate::file;
use crate::told::{Server, Told};

const STATUSES: [&str; 5] = [
    "301 Moved Permanently",
    "302 Found",
    "303 See Other",
    "307 Temporary Redirect",
    "308 Permanent Redirect",
];

fn to(status: &str, location: &str) -> Told {
    // Such answers have a body, which is not the file.
    Told::answer(status, &format!("Location: {location}\r\n"), b"<a href=...>moved</a>")
}

/// A server that redirects so many times, each time in another way, before it gives the file.
fn chain(hops: usize) -> Server {
    Server::start(move |number, _| {
        let status = STATUSES[number % STATUSES.len()];
        match number {
            number if number == hops => Told::ok(&file(4000, 1)),
            number if number % 2 == 0 => to(status, &format!("/dir/{number}?v={number}")),
            number => to(status, &format!("{number}.bin#top")),
        }
    })
}

#[test]
fn as_many_as_are_followed_and_no_more() {
    let most = MAX_REDIRECTS as usize;
    for hops in 0..=most {
        let server = chain(hops);
        let mut client = Client::new();
        assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()), "{hops}");
        assert!(client.taken.file == file(4000, 1));
        assert_eq!(server.requests().len(), hops + 1);
    }
    let paths = |server: &Server| -> Vec<String> {
        let requests = server.requests();
        requests.iter().map(|text| text.split(' ').nth(1).unwrap().to_owned()).collect()
    };
    let server = chain(most + 1);
    let mut client = Client::new();
    assert_eq!(client.fetch(&server.url("/app.bin")), Err(SourceError::Redirects));
    let asked = ["/app.bin", "/dir/0?v=0", "/dir/1.bin", "/dir/2?v=2", "/dir/3.bin", "/dir/4?v=4"];
    assert_eq!(paths(&server), asked);
    assert!(client.taken.begun.is_empty(), "a redirection's body is not the file");
    // The next attempt starts from the first address again.
    let server = Server::start(|number, _| match number {
        0..=5 => to(STATUSES[1], "/again"),
        _ => Told::ok(b"file"),
    });
    assert_eq!(client.fetch(&server.url("/app.bin")), Err(SourceError::Redirects));
    assert_eq!(client.fetch(&server.url("/app.bin")), Ok(()));
    assert_eq!(paths(&server).last().unwrap(), "/app.bin");
}

#[test]
fn each_server_is_asked_by_its_own_name() {
    let last = Server::start(|_, _| Told::ok(b"the file"));
    let url = last.url("/store/app.bin?X-Amz-Signature=f00");
    let location = url.clone();
    let first = Server::start(move |_, _| to(STATUSES[1], &location));
    let mut client = Client::new();
    client.fetch(&first.url("/app.bin")).unwrap();
    assert_eq!(client.taken.file, b"the file");
    let host = |url: &str| Some(url.split('/').nth(2).unwrap().to_owned());
    assert_eq!(first.header(0, "Host"), host(&first.url("/")));
    assert_eq!(last.header(0, "Host"), host(&url));
    assert!(last.requests()[0].starts_with("GET /store/app.bin?X-Amz-Signature=f00 HTTP/1.1\r\n"));
    // Without its scheme it is another server too.
    let location = url.strip_prefix("http:").unwrap().to_owned();
    let first = Server::start(move |_, _| to(STATUSES[4], &location));
    assert_eq!(Client::new().fetch(&first.url("/app.bin")), Ok(()));
    assert_eq!(last.requests().len(), 2);
}

#[test]
fn long_addresses_up_to_the_limit() {
    let last = Server::start(|_, _| Told::ok(b"the file"));
    for (len_bytes, expected) in [
        (2048, Ok(())),
        (MAX_REDIRECT_URL_LEN_BYTES, Ok(())),
        (MAX_REDIRECT_URL_LEN_BYTES + 1, Err(SourceError::BadRedirect(RedirectFault::TooLong))),
        (20_000, Err(SourceError::HeadTooLong)),
    ] {
        let begin = last.url("/app.bin?X-Amz-Security-Token=");
        let url = format!("{begin}{}", "A".repeat(len_bytes - begin.len()));
        let location = url.clone();
        let first = Server::start(move |_, _| to(STATUSES[3], &location).in_pieces(100));
        let mut client = Client::new();
        assert_eq!(client.fetch(&first.url("/app.bin")), expected, "{len_bytes}");
        if expected.is_ok() {
            let path = &url[last.url("").len()..];
            let asked = last.requests().last().unwrap().clone();
            assert!(asked.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{len_bytes}");
        }
    }
}

#[test]
fn addresses_that_no_device_can_ask_are_named() {
    for (location, part) in [
        ("https://127.0.0.1/app.bin", "no TLS"),
        ("ftp://127.0.0.1/app.bin", "cannot be used"),
        ("http://127.0.0.1:99999/app.bin", "cannot be used"),
        ("http://[::1]/app.bin", "cannot be used"),
        ("http://user:pw@127.0.0.1/app.bin", "cannot be used"),
        ("http:///app.bin", "cannot be used"),
        ("/a b.bin", "cannot be used"),
        ("", "without saying where to"),
    ] {
        let server = Server::start(move |_, _| to(STATUSES[0], location));
        let error = Client::new().fetch(&server.url("/app.bin")).unwrap_err();
        assert!(matches!(error, SourceError::BadRedirect(_)), "{location}: {error}");
        assert!(error.to_string().contains(part), "{location}: {error}");
        assert_eq!(server.requests().len(), 1, "{location}");
    }
    let server = Server::start(|_, _| Told::answer(STATUSES[1], "", b""));
    let error = Client::new().fetch(&server.url("/app.bin"));
    assert_eq!(error, Err(SourceError::BadRedirect(RedirectFault::NoLocation)));
}
