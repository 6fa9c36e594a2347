//! A plain client: it sends the bytes of a request and returns what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use bootswap_serve::{Files, Server, ServerConfig, ServerFault};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In order.
    Closed,
    /// By a reset.
    Reset,
}

/// What came back over one connection.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    /// What came after the head, undecoded.
    pub body: Vec<u8>,
    pub end: End,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn from_bytes(bytes: &[u8], end: End) -> Self {
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[at..].to_vec(), end }
    }
}

/// Sends bytes over a connection of its own and collects what comes until it ends.
pub fn exchange(addr: SocketAddr, request: &str) -> (Vec<u8>, End) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => (bytes, End::Closed),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (bytes, End::Reset),
        Err(error) => panic!("{error}"),
    }
}

/// The text of a request that asks for the connection to be closed.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

/// Gets a path and collects what comes until the connection ends.
pub fn get(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let (bytes, end) = exchange(server.addr(), &request("GET", path, headers));
    Reply::from_bytes(&bytes, end)
}

/// Asks for the head of a path.
pub fn head(server: &Server, path: &str, headers: &[(&str, &str)]) -> Reply {
    let (bytes, end) = exchange(server.addr(), &request("HEAD", path, headers));
    Reply::from_bytes(&bytes, end)
}

/// Bytes that differ from place to place.
pub fn pattern(len_bytes: usize) -> Vec<u8> {
    (0..len_bytes).map(|at| (at * 7 + at / 251) as u8).collect()
}

/// A server of `/app.bin` with these bytes and these faults.
pub fn server(bytes: &[u8], faults: &[&str]) -> Server {
    let content = Files::memory([("app.bin", bytes.to_vec())]);
    let faults: Vec<ServerFault> = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    Server::start(ServerConfig { faults, ..ServerConfig::on_loopback(content) }).unwrap()
}
