//! `bootswap serve`: files for devices in the lab.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::thread;

use bootswap_serve::{Files, Server, ServerConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::args::ServeArgs;
use crate::error::{CommandError, Verdict};
use crate::output;

/// What is not encoded in a URL's path: RFC 3986 section 2.3, unreserved characters, and slashes.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Most addresses that are printed: enough for a lab, and a terminal.
const MAX_LISTED_FILES: usize = 100;

/// Serves until the process is ended; prints the files' addresses first.
///
/// # Errors
///
/// [`CommandError::Input`] where the directory is not there or the address cannot be listened on.
pub fn command(args: &ServeArgs) -> Result<Verdict, CommandError> {
    let log = Box::new(|line: &str| eprintln!("{line}"));
    let server = Server::start(ServerConfig {
        listen: args.listen,
        content: Files::Dir(args.dir.clone()),
        faults: args.faults.clone(),
        log: Some(log),
    })
    .map_err(|error| {
        CommandError::input(error, "name a directory, and an address with a free port")
    })?;
    eprintln!("serving {} on {}, end with Ctrl-C", args.dir.display(), server.addr());
    output::text(&listing(&args.dir, reachable(server.addr())))?;
    loop {
        thread::park();
    }
}

/// The addresses of the files, one a line.
fn listing(dir: &Path, addr: SocketAddr) -> String {
    let mut paths = Vec::new();
    list(dir, "/", &mut paths);
    paths.sort();
    let mut text = String::new();
    for path in paths {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "http://{addr}{}", utf8_percent_encode(&path, IN_PATH));
    }
    text
}

fn list(dir: &Path, prefix: &str, paths: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        // A name that is not UTF-8 has no address.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        match entry.file_type() {
            _ if paths.len() >= MAX_LISTED_FILES => return,
            Ok(kind) if kind.is_dir() => list(&entry.path(), &format!("{path}/"), paths),
            Ok(kind) if kind.is_file() => paths.push(path),
            _ => {}
        }
    }
}

/// The address under which others reach a server that listens on `addr`.
fn reachable(addr: SocketAddr) -> SocketAddr {
    if !addr.ip().is_unspecified() {
        return addr;
    }
    SocketAddr::new(own_ip(addr.is_ipv6()), addr.port())
}

/// The address of the interface through which other networks are reached, or loopback.
///
/// Connecting a datagram socket sends nothing, it only asks the routing table; the addresses are
/// those of RFC 5737 and RFC 3849, for documentation.
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
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("sub")).unwrap();
        for name in ["b.bin", "a file.bin", "sub/c.bin"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let addr = "192.168.100.101:8070".parse().unwrap();
        assert_eq!(
            listing(dir.path(), addr),
            "http://192.168.100.101:8070/a%20file.bin\n\
             http://192.168.100.101:8070/b.bin\n\
             http://192.168.100.101:8070/sub/c.bin\n"
        );
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
