//! Sends an answer over the connection, and breaks the connection on request.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::{Answer, Break, Framing, http_date};
use crate::body::{Body, PIECE_BYTES};
use crate::shared::Counters;

/// Bytes of a chunk of a chunked body; chosen not to align with flash pages or sectors.
const CHUNK_BYTES: u64 = 1000;

/// How the conversation on a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The client sent nothing more.
    Gone,
    /// The server closes the connection in order.
    Closed,
    /// The server resets the connection.
    Reset,
    /// The server goes silent and leaves the connection open.
    Silent,
}

/// Sends an answer up to where it breaks; `None` if the next request may follow.
pub(crate) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    mut answer: Answer,
    keep_alive: bool,
    counters: &Counters,
) -> io::Result<Option<ConnectionEnd>> {
    let limit = match answer.broken {
        Some(broken) => match broken.after_bytes {
            Some(bytes) => bytes,
            None => return Ok(after(&answer, keep_alive)),
        },
        None => u64::MAX,
    };
    stream.write_all(head(&answer, keep_alive).as_bytes()).await?;
    if has_body(&answer) {
        let len_bytes = limit.min(answer.body.len_bytes());
        match answer.framing {
            Framing::Length | Framing::Connection => {
                send_counted(stream, &mut answer.body, len_bytes, counters).await?;
            }
            Framing::Chunked => send_chunked(stream, &mut answer, limit, counters).await?,
        }
    }
    Ok(after(&answer, keep_alive))
}

fn after(answer: &Answer, keep_alive: bool) -> Option<ConnectionEnd> {
    match answer.broken.map(|broken| broken.how) {
        Some(Break::Reset) => Some(ConnectionEnd::Reset),
        Some(Break::Silence) => Some(ConnectionEnd::Silent),
        Some(Break::Close) => Some(ConnectionEnd::Closed),
        None if keep_alive && answer.framing != Framing::Connection => None,
        None => Some(ConnectionEnd::Closed),
    }
}

fn has_body(answer: &Answer) -> bool {
    !answer.head_only && !is_bodiless(answer.status)
}

/// Statuses whose answers end after the head: RFC 9110 section 6.4.1.
fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn head(answer: &Answer, keep_alive: bool) -> String {
    let version = if answer.framing == Framing::Connection { "1.0" } else { "1.1" };
    let mut head = format!("HTTP/{version} {}\r\n", answer.status);
    let mut header = |name: &str, value: &str| {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    };
    header("Server", concat!("bootswap-serve/", env!("CARGO_PKG_VERSION")));
    if let Some(now) = http_date(Timestamp::now()) {
        header("Date", &now);
    }
    for (name, value) in &answer.headers {
        header(name, value);
    }
    if !is_bodiless(answer.status) {
        match answer.framing {
            Framing::Length => {
                header("Content-Length", &answer.body.len_bytes().to_string());
            }
            Framing::Chunked => header("Transfer-Encoding", "chunked"),
            Framing::Connection => {}
        }
    }
    let kept = keep_alive && answer.framing != Framing::Connection;
    header("Connection", if kept { "keep-alive" } else { "close" });
    head + "\r\n"
}

async fn send_counted<S: AsyncWrite + Unpin>(
    stream: &mut S,
    body: &mut Body,
    len_bytes: u64,
    counters: &Counters,
) -> io::Result<()> {
    let mut left = len_bytes;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let piece = body.next(most).await?;
        if piece.is_empty() {
            return Ok(());
        }
        // Counted before it is sent: a client that has received a byte must see it counted.
        counters.body_bytes.fetch_add(piece.len() as u64, Relaxed);
        stream.write_all(piece).await?;
        left -= piece.len() as u64;
    }
    Ok(())
}

async fn send_chunked<S: AsyncWrite + Unpin>(
    stream: &mut S,
    answer: &mut Answer,
    limit: u64,
    counters: &Counters,
) -> io::Result<()> {
    let (mut left, mut body_left) = (limit, answer.body.len_bytes());
    while left > 0 && body_left > 0 {
        let chunk = body_left.min(CHUNK_BYTES);
        stream.write_all(format!("{chunk:x}\r\n").as_bytes()).await?;
        // If the break is inside a chunk, fewer bytes are sent than its header announces.
        send_counted(stream, &mut answer.body, chunk.min(left), counters).await?;
        if left < chunk {
            return Ok(());
        }
        left -= chunk;
        body_left -= chunk;
        stream.write_all(b"\r\n").await?;
    }
    if body_left == 0 && answer.broken.is_none() {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

/// Closes a connection in order: the client gets everything that was sent, then its end.
pub(crate) async fn close(mut stream: TcpStream) -> io::Result<()> {
    /// Time and bytes that a client gets to finish what it was sending.
    const LINGER: Duration = Duration::from_secs(2);
    const LINGER_BYTES: u64 = 64 * 1024;

    stream.shutdown().await?;
    // Dropping a socket with unread bytes resets the connection, and the client may lose what it
    // has not read yet.
    let mut rest = stream.take(LINGER_BYTES);
    let mut sink = tokio::io::sink();
    let drained = timeout(LINGER, tokio::io::copy(&mut rest, &mut sink)).await;
    drained.map_or(Ok(()), |copied| copied.map(drop))
}

/// Resets a connection, after everything that was sent has left for the client.
pub(crate) async fn reset(stream: TcpStream) -> io::Result<()> {
    let stream = all_sent(stream).await?;
    stream.set_zero_linger()
}

/// Keeps a connection open and silent until the client closes it.
pub(crate) async fn hold(mut stream: TcpStream) -> io::Result<()> {
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

/// Waits until all bytes that were written have been sent.
///
/// A reset discards unsent bytes, and the client would see the break earlier than asked for.
#[cfg(target_os = "linux")]
async fn all_sent(stream: TcpStream) -> io::Result<TcpStream> {
    // With this option a socket is writable only when fewer than that many bytes are unsent
    // (tcp(7)).
    socket2::SockRef::from(&stream).set_tcp_notsent_lowat(1)?;
    // tokio remembers that the socket was ready before the option was set; a newly registered
    // socket is asked again.
    let stream = TcpStream::from_std(stream.into_std()?)?;
    stream.writable().await?;
    Ok(stream)
}

/// Other systems cannot tell; there a break may come a little early if the client is slow.
#[cfg(not(target_os = "linux"))]
async fn all_sent(stream: TcpStream) -> io::Result<TcpStream> {
    Ok(stream)
}
