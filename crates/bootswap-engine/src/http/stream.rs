//! A connection with a window on the incoming bytes: only this window of an answer is in memory.

use embedded_io_async::{ErrorKind, Read, Write};

use crate::SourceError;

/// Why an answer could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The network failed.
    Network(ErrorKind),
    /// The connection ended too early.
    Closed,
    /// It is not HTTP.
    Syntax,
    /// The head is longer than the limit.
    TooLong,
}

impl<E> From<Fault> for SourceError<E> {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Network(ErrorKind::TimedOut) => Self::Stalled,
            Fault::Network(_) | Fault::Closed => Self::Broken,
            Fault::Syntax => Self::Protocol,
            Fault::TooLong => Self::HeadTooLong,
        }
    }
}

/// The request, gathered in the window so that it is sent in few packets.
pub(super) struct Out<'b, C> {
    conn: C,
    window: &'b mut [u8],
    len: usize,
}

impl<'b, C: Read + Write> Out<'b, C> {
    pub(super) fn new(conn: C, window: &'b mut [u8]) -> Self {
        Self { conn, window, len: 0 }
    }

    /// Sends these texts, one after the other.
    pub(super) async fn put(&mut self, texts: &[&str]) -> Result<(), Fault> {
        for text in texts {
            for byte in text.bytes() {
                if self.len == self.window.len() {
                    self.send().await?;
                }
                if let Some(place) = self.window.get_mut(self.len) {
                    *place = byte;
                    self.len += 1;
                }
            }
        }
        Ok(())
    }

    /// Sends the rest, and starts to receive the answer.
    pub(super) async fn end(mut self) -> Result<Stream<'b, C>, Fault> {
        self.send().await?;
        self.conn.flush().await.map_err(network)?;
        let Self { conn, window, .. } = self;
        Ok(Stream { conn, window, start: 0, end: 0 })
    }

    async fn send(&mut self) -> Result<(), Fault> {
        let mut bytes = self.window.get(..self.len).unwrap_or_default();
        while !bytes.is_empty() {
            let sent = self.conn.write(bytes).await.map_err(network)?;
            match bytes.get(sent..) {
                Some(rest) if sent > 0 => bytes = rest,
                _ => return Err(Fault::Network(ErrorKind::WriteZero)),
            }
        }
        self.len = 0;
        Ok(())
    }
}

/// The answer.
pub(super) struct Stream<'b, C> {
    conn: C,
    window: &'b mut [u8],
    start: usize,
    end: usize,
}

impl<C: Read> Stream<'_, C> {
    /// The next bytes; none if the connection has ended.
    pub(super) async fn fill_buf(&mut self) -> Result<&[u8], Fault> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.conn.read(self.window).await.map_err(network)?;
        }
        Ok(self.window.get(self.start..self.end).unwrap_or_default())
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.start = self.end.min(self.start.saturating_add(len));
    }

    pub(super) async fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.fill_buf().await?.first().copied().ok_or(Fault::Closed)?;
        self.consume(1);
        Ok(byte)
    }
}

fn network(error: impl embedded_io_async::Error) -> Fault {
    Fault::Network(error.kind())
}
