//! One rule for URLs: a device can fetch from every URL that the reader accepts.

use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, Waker};

use bootswap_engine::{
    Flow, HTTP_BUFFER_BYTES, Header, HttpSource, Request, Sink, Source, SourceError,
};
use bootswap_plan::{ArtifactIndex, Url};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};

use crate::{URL_HELP, spec};

/// A sink that accepts no byte.
struct NoSink;

impl Sink for NoSink {
    type Error = std::convert::Infallible;

    fn wanted(&self) -> u32 {
        0
    }

    fn begin(&mut self, _: Header) -> Result<(), Self::Error> {
        Ok(())
    }

    async fn data(&mut self, _: &[u8]) -> Result<Flow, Self::Error> {
        Ok(Flow::Continue)
    }
}

/// A network in which no name can be resolved.
struct NoNetwork;

/// A connection of [`NoNetwork`], which never exists.
enum NoConnection {}

impl Dns for NoNetwork {
    type Error = ErrorKind;

    async fn get_host_by_name(&self, _: &str, _: AddrType) -> Result<IpAddr, ErrorKind> {
        Err(ErrorKind::NotFound)
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(ErrorKind::NotFound)
    }
}

impl TcpConnect for NoNetwork {
    type Error = ErrorKind;
    type Connection<'a> = NoConnection;

    async fn connect(&self, _: SocketAddr) -> Result<NoConnection, ErrorKind> {
        Err(ErrorKind::NotFound)
    }
}

impl ErrorType for NoConnection {
    type Error = ErrorKind;
}

impl Read for NoConnection {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        match *self {}
    }
}

impl Write for NoConnection {
    async fn write(&mut self, _: &[u8]) -> Result<usize, ErrorKind> {
        match *self {}
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        match *self {}
    }
}

/// Whether the migrator's HTTP client would connect to this URL.
fn client_takes(url: &str) -> bool {
    let mut buffer = [0; HTTP_BUFFER_BYTES];
    let mut source = HttpSource::new(&NoNetwork, &NoNetwork, &mut buffer);
    let request = Request { artifact: ArtifactIndex(0), name: "app", url: Some(url) };
    let mut sink = NoSink;
    let fetch = std::pin::pin!(source.fetch(&request, &mut sink));
    match fetch.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(SourceError::BadUrl(_) | SourceError::NoTls)) => false,
        Poll::Ready(Err(SourceError::Dns)) => true,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn the_reader_and_the_devices_client_accept_the_same_addresses() {
    let long = format!("http://lab/{}", "x".repeat(502));
    for (url, is_accepted) in [
        ("http://192.168.100.101:8070/app_upd.bin", true),
        ("http://lab", true),
        ("HTTP://lab/a", true),
        ("http://lab/a?v=1", true),
        ("http://my_lab.example./%20", true),
        (&long[..512], true),
        (&long, false),
        ("", false),
        ("app.bin", false),
        ("ftp://lab/a", false),
        ("http:lab", false),
        ("http://", false),
        ("http:///a", false),
        ("http://:8070/a", false),
        ("http://lab:/a", false),
        ("http://lab:0/a", false),
        ("http://lab:+80/a", false),
        ("http://lab:port/a", false),
        ("http://lab:99999/a", false),
        ("http://user:pw@lab/a", false),
        ("http://user@lab/a", false),
        ("http://[::1]:8070/a", false),
        ("http://[::1/a", false),
        ("http://lab?v=1", false),
        ("http://lab/a#top", false),
        ("http://lab#top", false),
        ("http://lab/a b", false),
        ("http://l\u{e4}b/a", false),
        ("http://a..b/a", false),
        ("http://192.168.100.999/a", false),
    ] {
        let found = spec::parse(&migration_with(url));
        assert_eq!(found.is_ok(), is_accepted, "{url}: {found:?}");
        assert_eq!(Url::parse(url).is_ok(), is_accepted, "{url}");
        assert_eq!(client_takes(url), is_accepted, "{url}");
        if let Err(problem) = found {
            assert_eq!(problem.field, "app.url");
            // For an empty text, the reader says just that.
            assert!(url.is_empty() || problem.help == URL_HELP, "{url}: {}", problem.help);
        }
    }
}

/// These are URLs, and no firmware has TLS.
#[test]
fn the_reader_and_the_devices_client_refuse_tls() {
    for url in ["https://lab/a", "HTTPS://lab:8443/a"] {
        assert!(Url::parse(url).is_ok(), "{url}");
        assert!(!client_takes(url), "{url}");
        let problem = spec::parse(&migration_with(url)).map(|_| ()).unwrap_err();
        assert_eq!(problem.field, "app.url");
        assert!(problem.message.contains("no TLS"), "{problem:?}");
    }
}

/// A migration with that URL.
fn migration_with(url: &str) -> String {
    format!(
        "chip = \"esp32c3\"\n[app]\nurl = {}\ndest = 0x10000\nsize = 0x1000\n",
        toml_edit::Value::from(url)
    )
}
