//! A connection as reqwless reads it, whatever the network's own error is.

use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};
use reqwless::TryBufRead;

/// A connection.
pub(super) struct Wire<C>(pub C);

impl<C: Write> Wire<C> {
    /// Sends all of the bytes.
    pub(super) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), ErrorKind> {
        while !bytes.is_empty() {
            let sent = self.0.write(bytes).await.map_err(|error| error.kind())?;
            match bytes.get(sent..) {
                Some(rest) if sent > 0 => bytes = rest,
                _ => return Err(ErrorKind::WriteZero),
            }
        }
        self.0.flush().await.map_err(|error| error.kind())
    }
}

impl<C> ErrorType for Wire<C> {
    type Error = ErrorKind;
}

impl<C: Read> Read for Wire<C> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read(bytes).await.map_err(|error| error.kind())
    }
}

/// It has no buffer of its own.
impl<C: Read> TryBufRead for Wire<C> {}
