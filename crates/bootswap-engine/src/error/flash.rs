//! Errors of the flash driver, with the operation that failed.

use core::fmt;

use flash_region::Region;

/// The flash operation that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlashOp {
    /// Reading.
    Read,
    /// Programming.
    Program,
    /// Erasing.
    Erase,
}

/// The flash driver's error, with the operation that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlashFailure<E> {
    /// The operation.
    pub op: FlashOp,
    /// Its region.
    pub region: Region,
    /// The driver's error.
    pub cause: E,
}

impl fmt::Display for FlashOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "reading",
            Self::Program => "programming",
            Self::Erase => "erasing",
        })
    }
}

impl<E: fmt::Debug> fmt::Display for FlashFailure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} flash at {} failed: {:?}", self.op, self.region, self.cause)
    }
}

impl<E: fmt::Debug> core::error::Error for FlashFailure<E> {}
