//! `bootswap serve`: files for devices in the lab.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::thread;

use bootswap_migration::pack::check_network;
use bootswap_migration::private::Private;
use bootswap_migration::{ServedFile, served};
use bootswap_plan::{MaskedUrl, Url};
use bootswap_serve::{File, Files, Listing, Server, ServerConfig, Withheld};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::args::ServeArgs;
use crate::error::{CommandError, Verdict};
use crate::input;
use crate::output::{self, note};

/// Characters that are not encoded in a URL's path: RFC 3986 section 2.3, unreserved characters,
/// and slashes.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Prints the files' URLs and serves them until the process is ended.
///
/// # Errors
///
/// [`CommandError::Input`] if there is nothing to serve, or the address cannot be listened on.
pub fn command(args: &ServeArgs) -> Result<Verdict, CommandError> {
    let content = if args.what.is_dir() { of_dir(args)? } else { of_migration(args)? };
    let log = Box::new(|line: &str| note(format_args!("{}", logged(line))));
    let server = Server::start(ServerConfig {
        listen: args.listen,
        content,
        faults: args.faults.clone(),
        log: Some(log),
    })
    .map_err(|error| CommandError::input(&error, not_started(&error)))?;
    let (addr, what) = (server.addr(), args.what.display());
    if args.what.is_dir() {
        note(format_args!("serving {what} on {addr}, end with Ctrl-C"));
        note(format_args!(
            "warning: everybody who can reach this address can fetch every listed file; `bootswap \
             serve MIGRATION.toml` serves only the migration's files"
        ));
    } else {
        note(format_args!(
            "serving the files of {what} on {addr} and nothing else, end with Ctrl-C"
        ));
    }
    let Listing { files, withheld } = server.listing();
    for (path, why) in withheld {
        note(format_args!("not served: {path}, {why}"));
    }
    output::text(&addresses(&files, reachable(addr), args.what.is_dir()))?;
    loop {
        thread::park();
    }
}

/// What to do about a server that does not start.
fn not_started(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "another program has that port; end it, or name another port with --listen"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine does not have that address; --listen 0.0.0.0:8070 takes all that it has"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 want privileges; name another one with --listen"
        }
        _ => "name another address with --listen, and a directory that can be read",
    }
}

/// The files of a directory, without dotfiles and secrets.
fn of_dir(args: &ServeArgs) -> Result<Files, CommandError> {
    let root = args.what.canonicalize().unwrap_or_else(|_| args.what.clone());
    let mut also = Vec::new();
    for path in &args.also {
        let file = path.canonicalize().map_err(|error| CommandError::file("read", path, &error))?;
        if !file.starts_with(&root) {
            return Err(CommandError::input(
                format_args!("{} is not in {}", path.display(), args.what.display()),
                "copy it there, or serve a migration, which any file can be added to",
            ));
        }
        also.push(file);
    }
    let withheld = Withheld::by(move |path| {
        if also.iter().any(|also| also == path) {
            return None;
        }
        match Private::of_file(path) {
            Ok(private) => private.map(|private| private.to_string()),
            Err(error) => Some(format!("it cannot be read: {error}")),
        }
    });
    Ok(Files::Dir { root: args.what.clone(), withheld })
}

/// The files of a migration, each at the path of its URL.
fn of_migration(args: &ServeArgs) -> Result<Files, CommandError> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    let bytes = input::read(&args.what)?;
    if let Err(error) = bootswap_migration::text::text(bytes) {
        return Err(CommandError::input(
            format_args!("{} is neither a directory nor a migration: {error}", args.what.display()),
            "name the TOML file of the migration whose files are to be served, or their directory",
        ));
    }
    let (migration, wanted) = served(&args.what)?;
    check_network(&migration).map_err(|error| CommandError::input(&error, error.help()))?;
    for ServedFile { name, url, file } in wanted {
        let url = Url::parse(&url)
            .map_err(|error| CommandError::input(error, "correct the `url` in the migration"))?;
        let Some(file) = file else {
            let path = MaskedUrl(url.path());
            note(format_args!("not served: {path}, {name} has no `file` in the migration"));
            continue;
        };
        if args.listen.port() != 0 && url.port() != args.listen.port() {
            let (wanted, here) = (url.port(), args.listen.port());
            note(format_args!(
                "warning: devices fetch {name} from port {wanted}, but this server listens on \
                 port {here}"
            ));
        }
        files.push((url.path().to_owned(), file));
    }
    for path in &args.also {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let found = fs::metadata(path).map_err(|error| CommandError::file("read", path, &error))?;
        if name.is_empty() || !found.is_file() {
            return Err(CommandError::input(
                format_args!("--also {} is not a file", path.display()),
                "name a file",
            ));
        }
        let name = utf8_percent_encode(name, IN_PATH);
        files.push((format!("/{name}"), path.clone()));
    }
    let is_other = |(path, file): &&(String, PathBuf)| {
        files.iter().any(|(other, another)| other == path && another != file)
    };
    if let Some((path, file)) = files.iter().find(is_other) {
        return Err(CommandError::input(
            format_args!(
                "{} is the path of {} and of another file",
                MaskedUrl(path),
                file.display()
            ),
            "give each file a different path, even if the hosts differ",
        ));
    }
    if files.is_empty() {
        return Err(CommandError::input(
            format_args!("{}: no artifact has both a `file` and a `url`", args.what.display()),
            "devices could fetch nothing; add both to an artifact, or serve a directory",
        ));
    }
    Ok(Files::memory(files.into_iter().map(|(path, file)| (path, File::on_disk(file)))))
}

/// A line of the access log, with the passwords and keys in its URLs masked.
fn logged(line: &str) -> String {
    let masked = line.split(' ').map(|word| MaskedUrl(word).to_string());
    masked.collect::<Vec<_>>().join(" ")
}

/// The URLs of the files, one per line, with passwords and keys masked.
fn addresses(paths: &[String], addr: SocketAddr, are_names: bool) -> String {
    let mut text = String::new();
    for path in paths {
        // Paths of a migration's URLs are encoded already. Writing to a string cannot fail.
        let _ = if are_names {
            writeln!(text, "http://{addr}{}", utf8_percent_encode(path, IN_PATH))
        } else {
            writeln!(text, "http://{addr}{}", MaskedUrl(path))
        };
    }
    text
}

/// The address under which other hosts reach a server that listens on `addr`.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if !addr.ip().is_unspecified() {
        return addr;
    }
    SocketAddr::new(own_ip(addr.is_ipv6()), addr.port())
}

/// The address of the interface through which other networks are reached, or loopback.
///
/// Connecting a datagram socket sends nothing, it only looks up the route; the addresses are those
/// for documentation (RFC 5737 and RFC 3849).
fn own_ip(v6: bool) -> IpAddr {
    let (any, elsewhere, loopback): (IpAddr, IpAddr, IpAddr) = if v6 {
        let elsewhere = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::UNSPECIFIED.into(), elsewhere.into(), Ipv6Addr::LOCALHOST.into())
    } else {
        let elsewhere = Ipv4Addr::new(192, 0, 2, 1);
        (Ipv4Addr::UNSPECIFIED.into(), elsewhere.into(), Ipv4Addr::LOCALHOST.into())
    };
    let asked = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((elsewhere, 9))?;
        socket.local_addr()
    });
    asked.map_or(loopback, |addr| addr.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_its_address() {
        let addr = "192.168.100.101:8070".parse().unwrap();
        let paths = ["/a file.bin", "/sub/c.bin"].map(str::to_owned);
        assert_eq!(
            addresses(&paths, addr, true),
            "http://192.168.100.101:8070/a%20file.bin\nhttp://192.168.100.101:8070/sub/c.bin\n"
        );
        let paths = ["/get?file=a%20b".to_owned()];
        let text = addresses(&paths, addr, false);
        assert_eq!(text, "http://192.168.100.101:8070/get?file=a%20b\n");
    }

    #[test]
    fn addresses_are_shown_without_keys() {
        let line =
            r#"127.0.0.1 - - [22/Nov/2026 10:01:19] "GET /a?v=1&token=f00&x=2 HTTP/1.1" 206 -"#;
        let shown = line.replace("f00", "********");
        assert_eq!(logged(line), shown);
        let addr = "127.0.0.1:80".parse().unwrap();
        let text = addresses(&["/a?v=1&X-Amz-Signature=f00".to_owned()], addr, false);
        assert_eq!(text, "http://127.0.0.1:80/a?v=1&X-Amz-Signature=********\n");
    }

    #[test]
    fn nobody_is_told_to_go_to_no_address() {
        for addr in ["0.0.0.0:8070", "[::]:8070"] {
            let addr = reachable(addr.parse().unwrap());
            assert!(!addr.ip().is_unspecified(), "{addr}");
            assert_eq!(addr.port(), 8070);
        }
        let named = "127.0.0.1:80".parse().unwrap();
        assert_eq!(reachable(named), named);
    }
}
