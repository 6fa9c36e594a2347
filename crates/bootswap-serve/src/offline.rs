//! The server without a network: what it would answer, byte for byte.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf, join};
use tokio::runtime::Runtime;

use crate::connection::converse;
use crate::content::{Files, Store};
use crate::fault::ServerFault;
use crate::shared::{Shared, Stats};
use crate::wire::ConnectionEnd;

/// A server that is given the bytes that a client sends, and returns those that it answers.
///
/// It parses, decides and writes as a [`Server`](crate::Server) does, on the caller's thread and
/// without ever waiting, so that the same bytes get the same answers, except for `Date`.
///
/// ```
/// use bootswap_serve::{Files, ConnectionEnd, OfflineServer};
///
/// let server = OfflineServer::new(Files::memory([("app.bin", vec![7; 3])]), vec![])?;
/// let (answers, ending) = server.converse(&[b"GET /app.bin HTTP/1.0\r\n\r\n"])?;
/// assert!(answers.ends_with(b"\r\n\r\n\x07\x07\x07"));
/// assert_eq!(ending, ConnectionEnd::Closed);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct OfflineServer {
    shared: Shared,
    runtime: Runtime,
}

impl OfflineServer {
    /// A server of this content that fails in these ways.
    ///
    /// # Errors
    ///
    /// If the content's directory does not exist.
    pub fn new(content: Files, faults: Vec<ServerFault>) -> io::Result<Self> {
        let shared = Shared::new(Store::open(content)?, faults, None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { shared, runtime })
    }

    /// All bytes that are answered on a connection over which the client sends these pieces and
    /// nothing more, and how the conversation ends.
    ///
    /// # Errors
    ///
    /// None so far: there is no connection that could fail.
    pub fn converse(&self, sent: &[&[u8]]) -> io::Result<(Vec<u8>, ConnectionEnd)> {
        self.shared.counters.connections.fetch_add(1, Relaxed);
        let mut answers = Vec::new();
        let mut stream = join(Pieces(sent.iter().copied().collect()), &mut answers);
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let ending = self.runtime.block_on(converse(&mut stream, peer, &self.shared))?;
        Ok((answers, ending))
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }
}

/// Bytes that come in pieces. An empty piece is skipped; it is not the end.
struct Pieces<'a>(VecDeque<&'a [u8]>);

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let pieces = &mut self.get_mut().0;
        while let Some(piece) = pieces.pop_front() {
            let (now, later) = piece.split_at(piece.len().min(out.remaining()));
            out.put_slice(now);
            if !later.is_empty() {
                pieces.push_front(later);
            }
            if !now.is_empty() || !later.is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.0\r\n\r\nGET /a";

    fn converse(faults: &[&str], sent: &[&[u8]]) -> (String, ConnectionEnd, Stats) {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let content = Files::memory([("a", b"one".to_vec()), ("b", b"two".to_vec())]);
        let server = OfflineServer::new(content, faults).unwrap();
        let (answers, ending) = server.converse(sent).unwrap();
        (String::from_utf8(answers).unwrap(), ending, server.stats())
    }

    #[test]
    fn requests_are_answered_one_after_the_other() {
        let (answers, ending, stats) = converse(&[], &[TWO]);
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answers}");
        assert!(answers.contains("\r\n\r\noneHTTP"), "{answers}");
        assert_eq!(ending, ConnectionEnd::Closed, "HTTP/1.0 keeps nothing alive");
        assert_eq!((stats.connections, stats.requests, stats.body_bytes), (1, 2, 3));
    }

    #[test]
    fn pieces_are_put_together() {
        let single: Vec<&[u8]> = TWO.chunks(1).flat_map(|byte| [&[][..], byte]).collect();
        let (answers, ending, _) = converse(&[], &single);
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
        assert_eq!(ending, ConnectionEnd::Closed);
        assert_eq!(converse(&[], &[&TWO[..20]]).1, ConnectionEnd::Gone);
    }

    #[test]
    fn the_answer_to_a_refused_head_has_no_body() {
        for rest in ["/a HTTP/1.1\r\n\r\n", "/a\x01 HTTP/1.1\r\n\r\n"] {
            let head = converse(&[], &[format!("HEAD {rest}").as_bytes()]).0;
            assert!(head.starts_with("HTTP/1.1 400 ") && head.ends_with("\r\n\r\n"), "{head}");
            let get = converse(&[], &[format!("GET {rest}").as_bytes()]).0;
            assert!(get.starts_with("HTTP/1.1 400 ") && get.ends_with("\n"), "{get}");
            assert!(!get.ends_with("\r\n\r\n"), "{get}");
        }
    }

    #[test]
    fn the_answer_to_a_redirected_head_has_no_body() {
        let (answers, ending, _) =
            converse(&[], &[b"HEAD /a?redirects-left=2 HTTP/1.1\r\nHost: x\r\n\r\n", TWO]);
        assert!(answers.starts_with("HTTP/1.1 302 "), "{answers}");
        assert!(answers.contains("\r\n\r\nHTTP/1.1 200 "), "{answers}");
        assert_eq!(ending, ConnectionEnd::Closed);
    }

    #[test]
    fn each_fault_ends_the_conversation_in_its_way() {
        for (fault, ending) in [
            ("drop=1", ConnectionEnd::Reset),
            ("stall", ConnectionEnd::Silent),
            ("truncate=1", ConnectionEnd::Closed),
        ] {
            let (answers, found, stats) = converse(&[fault], &[TWO]);
            assert_eq!(found, ending, "{fault}");
            assert_eq!(answers.ends_with("\r\n\r\no"), fault != "stall", "{fault}: {answers}");
            assert_eq!(stats.faults, 1, "{fault}");
        }
    }
}
