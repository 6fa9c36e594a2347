//! Why a sweep cannot be run.

use std::fmt;
use std::io;

/// Why a sweep cannot be run.
#[derive(Debug)]
#[non_exhaustive]
pub enum SweepError {
    /// No server can be started.
    Server(io::Error),
    /// The device behaves differently each time: a recorded run does not predict the next.
    Unsteady {
        /// The flash operation that was done the first time.
        op: u64,
        /// Number of operations this time.
        ops: usize,
    },
    /// A cut of a replayed case is at a flash operation that the device does not reach.
    NeverCut {
        /// The operation.
        op: u64,
        /// Number of operations.
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
