//! Why a sweep cannot be made.

use std::fmt;
use std::io;

/// Why a sweep cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum SweepError {
    /// No server can be started.
    Server(io::Error),
    /// The device behaves differently each time: a recorded run says nothing about the next.
    Unsteady {
        /// The flash operation that was made once.
        op: u64,
        /// How many were made this time.
        ops: usize,
    },
    /// A cut that is to be replayed is at a flash operation that the device does not come to.
    NeverCut {
        /// The operation.
        op: u64,
        /// How many are made.
        ops: u64,
    },
}

impl From<io::Error> for SweepError {
    fn from(error: io::Error) -> Self {
        Self::Server(error)
    }
}

impl fmt::Display for SweepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(error) => write!(f, "the loopback server does not start: {error}"),
            Self::Unsteady { op, ops } => write!(
                f,
                "the device behaves differently each time: it made flash operation {op} once, \
                 and now makes only {ops} in all"
            ),
            Self::NeverCut { op, ops } => write!(
                f,
                "power cannot be lost at flash operation {op}: \
                 the device makes {ops}, numbered from 0"
            ),
        }
    }
}

impl std::error::Error for SweepError {}
