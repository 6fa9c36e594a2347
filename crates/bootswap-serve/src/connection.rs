//! One connection: reads requests and sends answers until one side ends it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::fault::FaultKind;
use crate::request::{BadRequest, MAX_HEAD_BYTES, Method, Parsed, Request, parse};
use crate::shared::Shared;
use crate::wire::{self, ConnectionEnd};

/// How long a connection may wait for a request: devices disappear without closing their
/// connections.
const IDLE: Duration = Duration::from_secs(60);

/// Serves a connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    shared.counters.connections.fetch_add(1, Relaxed);
    // An error here means that the client has gone, and nobody else needs to know.
    let _ = serve_stream(stream, peer.ip(), &shared).await;
}

async fn serve_stream(mut stream: TcpStream, peer: IpAddr, shared: &Shared) -> io::Result<()> {
    // The head and the body are two writes, which otherwise wait for each other's acknowledgement.
    stream.set_nodelay(true)?;
    match converse(&mut stream, peer, shared).await? {
        ConnectionEnd::Gone => Ok(()),
        ConnectionEnd::Closed => wire::close(stream).await,
        ConnectionEnd::Reset => wire::reset(stream).await,
        ConnectionEnd::Silent => wire::hold(stream).await,
    }
}

/// Answers requests until one side ends the conversation. The caller then closes, resets or holds
/// the stream as the result says.
pub(crate) async fn converse<S>(
    stream: &mut S,
    peer: IpAddr,
    shared: &Shared,
) -> io::Result<ConnectionEnd>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut received = Vec::new();
    loop {
        let (answer, keep_alive) = match next_request(stream, &mut received).await? {
            Next::Gone => return Ok(ConnectionEnd::Gone),
            Next::Request(request) => (decide(shared, peer, &request), request.keep_alive),
            Next::Bad(line, bad) => {
                let mut answer = Answer::to_bad(bad);
                // The answer to a HEAD has no body, whatever else is wrong with the request.
                answer.head_only = line.starts_with("HEAD ");
                shared.counters.requests.fetch_add(1, Relaxed);
                shared.lock().log_line(peer, &line, Some(answer.status), None);
                (answer, false)
            }
        };
        if let Some(ending) = wire::send(stream, answer, keep_alive, &shared.counters).await? {
            return Ok(ending);
        }
    }
}

enum Next {
    Request(Box<Request>),
    Bad(String, BadRequest),
    Gone,
}

/// Takes the next request from `received`, and reads more into it as needed.
async fn next_request<S>(stream: &mut S, received: &mut Vec<u8>) -> io::Result<Next>
where
    S: AsyncRead + Unpin,
{
    loop {
        if !received.is_empty() {
            match parse(received) {
                Parsed::Partial => {}
                Parsed::Complete(len_bytes, request) => {
                    received.drain(..len_bytes);
                    return Ok(Next::Request(request));
                }
                Parsed::Bad(line, bad) => return Ok(Next::Bad(line, bad)),
            }
        }
        let room = MAX_HEAD_BYTES.saturating_sub(received.len()).max(1) as u64;
        let mut more = (&mut *stream).take(room);
        match timeout(IDLE, more.read_buf(received)).await {
            Ok(Ok(0)) | Err(_) => return Ok(Next::Gone),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
        }
    }
}

/// Decides the answer to a request, counts and logs it.
fn decide(shared: &Shared, peer: IpAddr, request: &Request) -> Answer {
    let mut state = shared.lock();
    let serial = shared.counters.requests.fetch_add(1, Relaxed);
    let between_hops =
        request.hops_left.filter(|hops| (1..=FaultKind::MAX_REDIRECTS).contains(hops));
    if let Some(hops) = between_hops {
        let mut answer = Answer::redirection(request, hops - 1);
        answer.head_only = request.method == Method::Head;
        state.log_line(peer, &request.line, Some(answer.status), None);
        return answer;
    }
    let fault = state.rules.take(&request.path, request.hops_left.is_some());
    let kinds = fault.as_ref().map_or(&[][..], |fault| &fault.kinds);
    if kinds.iter().any(|kind| *kind != FaultKind::Pass) {
        shared.counters.faults.fetch_add(1, Relaxed);
    }
    let answer = Answer::to_request(request, &mut state.store, kinds, serial);
    let is_sent = answer.broken.is_none_or(|broken| broken.after_bytes.is_some());
    state.log_line(peer, &request.line, is_sent.then_some(answer.status), fault.as_ref());
    answer
}
