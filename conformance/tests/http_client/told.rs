//! A server that sends the bytes that it is told to, over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// What a connection gets.
pub struct Told {
    bytes: Vec<u8>,
    /// Bytes of each write.
    piece: usize,
    end: Ending,
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As TCP closes it.
    Closed,
    /// With a reset.
    Reset,
    /// Never, as long as the server runs.
    Silent,
}

impl Told {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), piece: usize::MAX, end: Ending::Closed }
    }

    /// Status line, headers (each with its line end) and body, with its length.
    pub fn answer(status: &str, headers: &str, body: &[u8]) -> Self {
        let len = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {len}\r\n\r\n");
        Self::new([head.as_bytes(), body].concat())
    }

    pub fn ok(body: &[u8]) -> Self {
        Self::answer("200 OK", "", body)
    }

    /// In packets of `piece` bytes.
    pub fn in_pieces(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    pub fn ending(self, end: Ending) -> Self {
        Self { end, ..self }
    }
}

/// The server; it ends with the test.
pub struct Server {
    addr: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one that answers by the number of the connection and by the request.
    pub fn start(answer: impl Fn(usize, &str) -> Told + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let is_over = Arc::<AtomicBool>::default();
        let (seen, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            let mut held = Vec::new();
            for (number, stream) in listener.incoming().enumerate() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let mut stream = stream.unwrap();
                let request = head(&mut stream);
                seen.lock().unwrap().push(request.clone());
                held.extend(send(stream, &answer(number, &request)));
            }
        });
        Self { addr, requests, is_over, thread: Some(thread) }
    }

    /// One that answers everything alike.
    pub fn always(bytes: Vec<u8>) -> Self {
        Self::start(move |_, _| Told::new(bytes.clone()))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The value of a header of a request.
    pub fn header(&self, request: usize, name: &str) -> Option<String> {
        let request = &self.requests()[request];
        let wanted = format!("{name}: ");
        request.lines().find_map(|line| line.strip_prefix(&wanted).map(str::to_owned))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes it up.
        let _ = TcpStream::connect(self.addr);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The head of a request, as far as it comes.
fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Sends an answer; gives the connection back if it is to stay open.
fn send(mut stream: TcpStream, told: &Told) -> Option<TcpStream> {
    stream.set_nodelay(true).unwrap();
    for piece in told.bytes.chunks(told.piece) {
        // The client may have enough.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    match told.end {
        Ending::Closed => None,
        Ending::Reset => {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            None
        }
        Ending::Silent => Some(stream),
    }
}
