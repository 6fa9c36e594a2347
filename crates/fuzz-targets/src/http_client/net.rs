//! A network in memory: connections to a server that is a value.

use core::cell::RefCell;
use core::convert::Infallible;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};

/// Reads at the end of a connection after which the client counts as caught in a loop.
const MAX_READS_AT_END: u32 = 16;

/// What a server sends on a connection, and how that ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// The most bytes that each read gets, in turn; 0 for all.
    pub(super) lens: Vec<u8>,
    /// The error at the end, instead of an orderly end.
    pub(super) error: Option<ErrorKind>,
}

/// A server.
pub(super) trait Server {
    /// Accepts a connection, or refuses it.
    fn accept(&mut self) -> Result<(), ErrorKind>;

    /// Answers a request: all that was written before the first read.
    fn answer(&mut self, request: &[u8]) -> Answer;
}

/// The connection to a server; it keeps the last answer.
pub(super) struct Net<'a, S> {
    server: RefCell<&'a mut S>,
    last: RefCell<Answer>,
}

impl<'a, S: Server> Net<'a, S> {
    pub(super) fn new(server: &'a mut S) -> Self {
        Self { server: RefCell::new(server), last: RefCell::default() }
    }

    /// The answer to the last request, all of it.
    pub(super) fn last(&self) -> Answer {
        self.last.borrow().clone()
    }

    fn answer(&self, request: &[u8]) -> Answer {
        let answer = self.server.borrow_mut().answer(request);
        self.last.replace(answer.clone());
        answer
    }
}

pub(super) struct Connection<'n, 'a, S> {
    net: &'n Net<'a, S>,
    request: Vec<u8>,
    answer: Option<Answer>,
    sent: usize,
    reads: usize,
    reads_at_end: u32,
}

impl<'a, S: Server> TcpConnect for Net<'a, S> {
    type Error = ErrorKind;
    type Connection<'n>
        = Connection<'n, 'a, S>
    where
        Self: 'n;

    async fn connect(&self, _remote: SocketAddr) -> Result<Connection<'_, 'a, S>, ErrorKind> {
        self.server.borrow_mut().accept()?;
        let (request, answer) = (Vec::new(), None);
        Ok(Connection { net: self, request, answer, sent: 0, reads: 0, reads_at_end: 0 })
    }
}

impl<S> Dns for Net<'_, S> {
    type Error = Infallible;

    async fn get_host_by_name(&self, host: &str, _: AddrType) -> Result<IpAddr, Infallible> {
        assert!(!host.is_empty() && host.is_ascii(), "{host:?} is not a host name");
        Ok(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, Infallible> {
        Ok(0)
    }
}

impl<S> ErrorType for Connection<'_, '_, S> {
    type Error = ErrorKind;
}

impl<S: Server> Read for Connection<'_, '_, S> {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, ErrorKind> {
        assert!(!out.is_empty(), "an empty read, which never ends");
        let Self { net, request, .. } = self;
        let answer = self.answer.get_or_insert_with(|| net.answer(request));
        let rest = &answer.bytes[self.sent..];
        if rest.is_empty() {
            self.reads_at_end += 1;
            assert!(self.reads_at_end < MAX_READS_AT_END, "reads again and again at the end");
            return answer.error.map_or(Ok(0), Err);
        }
        let turn = self.reads % answer.lens.len().max(1);
        let most = match answer.lens.get(turn).copied() {
            None | Some(0) => rest.len(),
            Some(len) => usize::from(len),
        };
        let len = most.min(rest.len()).min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        self.sent += len;
        self.reads += 1;
        Ok(len)
    }
}

impl<S: Server> Write for Connection<'_, '_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.request.extend_from_slice(bytes);
        assert!(self.request.len() < 4096, "a request that does not end");
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
